//! Inventory over gRPC, as orders calls it.

mod ledger;
mod sweep;

use crate::payments::{as_orders, event_names};
use anyhow::ensure;
use bson::{Document, doc};
use contracts::{
    id::Kind as Id,
    inventory::v1::{
        CommitReservationRequest, ExtendReservationRequest, GetStockRequest, HoldStockRequest,
        ReleaseReservationRequest, Reservation, ReservationLine, ShipReservationRequest,
        inventory_service_client::InventoryServiceClient, reservation::State,
    },
};
use kit::shop::{self, TIMEOUT};
use kit::{Client, Process, Stack, StackOptions, eventually, shared};
use rpc::{Channel, Signer, status::reason};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Code, Status};

/// The service as a runner of orders sees it.
struct Inventory {
    rpc: InventoryServiceClient<Channel>,
    epoch: i64,
}

impl Inventory {
    fn of(stack: &Stack) -> Self {
        Self { rpc: InventoryServiceClient::new(as_orders(stack, "inventory")), epoch: 1 }
    }

    /// Another process of the service, once it answers.
    async fn of_another(stack: &Stack, more: &[(&str, &str)]) -> (Self, Process) {
        let address = kit::free_address();
        let listen = ("COMPTOIR_LISTEN", address.as_str());
        let process = stack.serve_with("inventory", &[&[listen], more].concat());
        let key = std::fs::read_to_string(stack.data().join("keys/orders.pem")).expect("the key of orders");
        let signer = Signer::new("orders", &key).expect("a key");
        let channel = Channel::new(&format!("http://{address}"), Some(signer)).expect("an address");
        let inventory = Self { rpc: InventoryServiceClient::new(channel), epoch: 1 };
        eventually(TIMEOUT, || async {
            let absent = inventory.ship(&Id::Order.new_id()).await.expect_err("there is none");
            ensure!(absent.code() == Code::NotFound, "{absent:?}");
            Ok(())
        })
        .await;
        (inventory, process)
    }

    /// As a runner of another epoch.
    fn at(&self, epoch: i64) -> Self {
        Self { rpc: self.rpc.clone(), epoch }
    }

    async fn hold(&self, id: &str, product: &str, quantity: i32) -> Result<Reservation, Status> {
        let lines = vec![ReservationLine { product_id: product.to_owned(), quantity }];
        let (reservation_id, step_key, epoch) = (id.to_owned(), format!("{id}/hold/do"), self.epoch);
        let request = HoldStockRequest { reservation_id, lines, step_key, epoch };
        Ok(self.rpc.clone().hold_stock(request).await?.into_inner())
    }

    async fn extend(&self, id: &str) -> Result<Reservation, Status> {
        let (reservation_id, step_key, epoch) = (id.to_owned(), format!("{id}/extend/do"), self.epoch);
        let request = ExtendReservationRequest { reservation_id, step_key, epoch };
        Ok(self.rpc.clone().extend_reservation(request).await?.into_inner())
    }

    async fn commit(&self, id: &str) -> Result<Reservation, Status> {
        let (reservation_id, step_key, epoch) = (id.to_owned(), format!("{id}/commit/do"), self.epoch);
        let request = CommitReservationRequest { reservation_id, step_key, epoch };
        Ok(self.rpc.clone().commit_reservation(request).await?.into_inner())
    }

    async fn release(&self, id: &str) -> Result<Reservation, Status> {
        let (reservation_id, step_key, epoch) = (id.to_owned(), format!("{id}/hold/undo"), self.epoch);
        let request = ReleaseReservationRequest { reservation_id, step_key, epoch };
        Ok(self.rpc.clone().release_reservation(request).await?.into_inner())
    }

    async fn ship(&self, id: &str) -> Result<Reservation, Status> {
        let (reservation_id, step_key, epoch) = (id.to_owned(), format!("{id}/ship/do"), self.epoch);
        let request = ShipReservationRequest { reservation_id, step_key, epoch };
        Ok(self.rpc.clone().ship_reservation(request).await?.into_inner())
    }
}

fn end_ms(reservation: &Reservation) -> i64 {
    let end = reservation.expire_time.expect("a hold has an end");
    end.seconds * 1000 + i64::from(end.nanos) / 1_000_000
}

#[tokio::test]
async fn an_extended_hold_outlives_its_first_end_and_can_be_committed() {
    let stack = Stack::start(StackOptions { hold_seconds: Some(3), ..StackOptions::default() }).await;
    let (staff, inventory, product) =
        (Client::staff(&stack).await, Inventory::of(&stack), shop::product(&stack, 5).await);
    let (short, long) = (Id::Order.new_id(), Id::Order.new_id());
    let held = inventory.hold(&long, &product, 1).await.expect("five are there");
    inventory.hold(&short, &product, 1).await.expect("four are there");
    // The other hold, made later and not extended, is given back while this one lives.
    let path = format!("/v1/reservations/{short}");
    eventually(TIMEOUT, || async {
        let extended = inventory.extend(&long).await.expect("the hold lives");
        assert_eq!(extended.state(), State::Held);
        assert!(end_ms(&extended) >= end_ms(&held), "an extension never shortens");
        let short: Value = staff.get(&path).await.expect(200);
        ensure!(short["state"] == "EXPIRED", "the other one is {}", short["state"]);
        Ok(())
    })
    .await;
    let refused = inventory.extend(&short).await.expect_err("it has ended");
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "RESERVATION_EXPIRED".to_owned()));
    assert_eq!(inventory.commit(&long).await.expect("it lives").state(), State::Committed);
    let again = inventory.extend(&long).await.expect("a sale is answered");
    assert_eq!((again.state(), shop::stock(&stack, &product).await), (State::Committed, [5, 0, 1, 4]));
    inventory.release(&long).await.expect("releases");
    let refused = inventory.extend(&long).await.expect_err("it was released");
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "RESERVATION_RELEASED".to_owned()));
    let absent = inventory.extend(&Id::Order.new_id()).await.expect_err("there is none");
    assert_eq!(absent.code(), Code::NotFound);
    stack.stop().await;
}

/// The reservation as it is stored.
async fn stored(stack: &Stack, id: &str) -> Document {
    let reservations = stack.connect().await.database("inventory").collection::<Document>("reservations");
    reservations.find_one(doc! { "_id": id }).await.expect("mongod answers").expect("it is there")
}

#[tokio::test]
async fn a_release_that_comes_before_the_delayed_hold_refuses_it() {
    let stack = shared().await;
    let (inventory, product, id) = (Inventory::of(stack), shop::product(stack, 5).await, Id::Order.new_id());
    assert_eq!(inventory.release(&id).await.expect("leaves a mark").state(), State::Released);
    for epoch in [1, 2] {
        let late = inventory.at(epoch).hold(&id, &product, 1).await.expect_err("it was released");
        assert_eq!((late.code(), reason(&late)), (Code::FailedPrecondition, "RESERVATION_RELEASED".to_owned()));
    }
    assert_eq!(shop::stock(stack, &product).await, [5, 0, 0, 5]);
}

#[tokio::test]
async fn a_replaced_runner_moves_no_stock_and_its_successors_repeat_writes_nothing() {
    let stack = shared().await;
    let (inventory, product, id) = (Inventory::of(stack), shop::product(stack, 5).await, Id::Order.new_id());
    let (zombie, successor) = (inventory.at(6), inventory.at(7));
    zombie.hold(&id, &product, 2).await.expect("it was not yet replaced");
    let held = stored(stack, &id).await;
    successor.hold(&id, &product, 2).await.expect("the same hold");
    assert_eq!(stored(stack, &id).await, held, "a repeat that has no effect writes nothing");
    successor.commit(&id).await.expect("it is held");
    let sold = stored(stack, &id).await;
    let late = [
        zombie.hold(&id, &product, 2).await,
        zombie.extend(&id).await,
        zombie.commit(&id).await,
        zombie.release(&id).await,
        zombie.ship(&id).await,
    ];
    for refused in late {
        let refused = refused.expect_err("it was replaced");
        assert_eq!((refused.code(), reason(&refused)), (Code::Aborted, "STALE_EPOCH".to_owned()));
    }
    assert_eq!(stored(stack, &id).await, sold);
    assert_eq!(shop::stock(stack, &product).await, [5, 0, 2, 3]);
    let none = inventory.at(0).release(&id).await.expect_err("an epoch is required");
    assert_eq!(none.code(), Code::InvalidArgument);
}

/// An order that has left: its reservation is SHIPPED.
async fn shipped(inventory: &Inventory, product: &str, quantity: i32) -> String {
    let id = Id::Order.new_id();
    inventory.hold(&id, product, quantity).await.expect("it is there");
    inventory.commit(&id).await.expect("it is held");
    inventory.ship(&id).await.expect("it is sold");
    id
}

#[tokio::test]
async fn a_product_with_backorder_is_sold_beyond_its_stock_and_owes_the_rest() {
    let stack = shared().await;
    let (staff, inventory, product) = (Client::staff(stack).await, Inventory::of(stack), shop::product(stack, 2).await);
    let id = Id::Order.new_id();
    let refused = inventory.hold(&id, &product, 5).await.expect_err("two are there");
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "OUT_OF_STOCK".to_owned()));
    let path = format!("/v1/stock/{product}:setBackorder");
    let customer = Client::customer(stack).await;
    assert_eq!(customer.post(&path, json!({ "allowed": true })).await.status, 403);
    let stock = staff.post(&path, json!({ "allowed": true })).await.expect(200);
    assert_eq!((&stock["backorder"], &stock["available"]), (&json!(true), &json!(2)));
    inventory.hold(&id, &product, 5).await.expect("three are promised");
    let stock = staff.get(&format!("/v1/stock/{product}")).await.expect(200);
    assert_eq!((&stock["available"], &stock["owed"], &stock["reserved"]), (&json!(-3), &json!(3), &json!(5)));
    let refused = staff.post(&path, json!({ "allowed": false })).await;
    assert_eq!((refused.status, shop::reason(&refused).as_str()), (400, "STOCK_OWED"));
    let names = event_names(&stack.connect().await.database("inventory"), &product, 3).await;
    assert_eq!(names, ["changed", "changed", "changed"]);
}

#[tokio::test]
async fn units_that_come_back_are_booked_once_and_never_more_than_left() {
    let stack = shared().await;
    let (staff, inventory, product) = (Client::staff(stack).await, Inventory::of(stack), shop::product(stack, 5).await);
    let id = shipped(&inventory, &product, 3).await;
    let path = format!("/v1/reservations/{id}:restock");
    let body = json!({ "productId": product, "quantity": 2 });
    for _ in 0..2 {
        let reservation = staff.post_with_key(&path, body.clone(), "the first parcel").await.expect(200);
        assert_eq!((&reservation["state"], &reservation["returned"][0]["quantity"]), (&json!("SHIPPED"), &json!(2)));
        assert_eq!(shop::stock(stack, &product).await, [4, 0, 0, 4]);
    }
    let refused = staff.post_with_key(&path, body, "the second parcel").await;
    assert_eq!((refused.status, shop::reason(&refused).as_str()), (400, "MORE_THAN_SHIPPED"));
    let held = Id::Order.new_id();
    inventory.hold(&held, &product, 1).await.expect("four are there");
    let path = format!("/v1/reservations/{held}:restock");
    let early = staff.post(&path, json!({ "productId": product, "quantity": 1 })).await;
    assert_eq!((early.status, shop::reason(&early).as_str()), (400, "RESERVATION_NOT_SHIPPED"));
}

#[tokio::test]
async fn the_ledger_of_a_product_is_paged_newest_first_and_adds_up_to_its_stock() {
    let stack = shared().await;
    let (staff, inventory, product) = (Client::staff(stack).await, Inventory::of(stack), shop::product(stack, 5).await);
    let id = shipped(&inventory, &product, 3).await;
    let (mut token, mut movements) = (String::new(), Vec::new());
    loop {
        let path = format!("/v1/stock/{product}/movements?pageSize=3&pageToken={token}");
        let page = staff.get(&path).await.expect(200);
        movements.extend(page["movements"].as_array().cloned().unwrap_or_default());
        assert!(movements.len() <= 4, "{movements:?}");
        token = page["nextPageToken"].as_str().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    let kinds: Vec<&str> = movements.iter().filter_map(|movement| movement["kind"].as_str()).collect();
    assert_eq!(kinds, ["SHIP", "COMMIT", "HOLD", "ADJUST"]);
    let references: Vec<&str> = movements.iter().filter_map(|movement| movement["reference"].as_str()).collect();
    assert_eq!(references, [&id, &id, &id, "test"]);
    let sum = |name: &str| movements.iter().filter_map(|movement| movement[name].as_i64()).sum::<i64>();
    assert_eq!(["onHand", "reserved", "committed"].map(sum), [2, 0, 0]);
    let forged = staff.get(&format!("/v1/stock/{product}/movements?pageToken=Zm9yZ2Vk")).await;
    assert_eq!(forged.status, 400);
    let customer = Client::customer(stack).await;
    assert_eq!(customer.get(&format!("/v1/stock/{product}/movements")).await.status, 403);
    assert_eq!(staff.get("/v1/stock/prd_absent/movements").await.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_put_on_the_shelf_can_be_held_at_once() {
    let stack = Stack::start(StackOptions::default()).await;
    let (one, (other, process)) = (Inventory::of(&stack), Inventory::of_another(&stack, &[]).await);
    let product = shop::product(&stack, 1).await;
    for _ in 0..5 {
        let (first, second, third) = (Id::Order.new_id(), Id::Order.new_id(), Id::Order.new_id());
        one.hold(&first, &product, 1).await.expect("there is one");
        let refused = one.hold(&second, &product, 1).await.expect_err("it is held");
        assert_eq!(reason(&refused), "OUT_OF_STOCK");
        other.release(&first).await.expect("it is held");
        one.hold(&third, &product, 1).await.expect("it is back on the shelf");
        other.release(&third).await.expect("it is held");
    }
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_replica_has_sold_is_not_sold_again() {
    let stack = Stack::start(StackOptions::default()).await;
    let (one, (other, process)) = (Inventory::of(&stack), Inventory::of_another(&stack, &[]).await);
    let product = shop::product(&stack, 2).await;
    for _ in 0..5 {
        let (first, second, third) = (Id::Order.new_id(), Id::Order.new_id(), Id::Order.new_id());
        one.hold(&first, &product, 1).await.expect("there are two");
        other.hold(&second, &product, 1).await.expect("there is one");
        let refused = one.hold(&third, &product, 1).await.expect_err("both are held");
        assert_eq!(reason(&refused), "OUT_OF_STOCK");
        for id in [&first, &second] {
            one.release(id).await.expect("it is held");
        }
    }
    assert_eq!(shop::stock(&stack, &product).await, [2, 0, 0, 2]);
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_before_its_commit_keeps_its_product_from_nobody_for_long() {
    let stack = Stack::start(StackOptions::default()).await;
    let one = Inventory::of(&stack);
    let (other, process) = Inventory::of_another(&stack, &[("COMPTOIR_CRASH_AT", "inventory.committing")]).await;
    let product = shop::product(&stack, 2).await;
    other.hold(&Id::Order.new_id(), &product, 1).await.expect_err("it is killed");
    process.ended(TIMEOUT).await.expect("it is killed");
    let id = Id::Order.new_id();
    // mongod itself ends what was left open, after 60 s.
    eventually(Duration::from_secs(20), || async { Ok(one.hold(&id, &product, 1).await?) }).await;
    assert_eq!(shop::stock(&stack, &product).await, [2, 1, 0, 1], "only one of the holds has happened");
    stack.stop().await;
}

#[tokio::test]
async fn the_stock_of_a_product_that_was_never_stocked_is_zero() {
    let stack = shared().await;
    let (staff, anyone) = (Client::staff(stack).await, Client::anonymous(stack));
    let product = shop::product(stack, 0).await;
    assert_eq!(shop::stock(stack, &product).await, [0, 0, 0, 0]);
    let stock = anyone.get(&format!("/v1/stock/{product}")).await.expect(200);
    assert_eq!((stock["productId"].as_str(), stock["etag"].as_str()), (Some(product.as_str()), Some("0")));
    let movements = staff.get(&format!("/v1/stock/{product}/movements")).await.expect(200);
    assert_eq!(movements["movements"], json!([]));
    // Looking stores nothing, and what is no longer sold still exists.
    let stored = stack.db("inventory").collection::<Document>("stock");
    assert_eq!(stored.count_documents(doc! { "_id": &product }).await.expect("mongod answers"), 0);
    let archived = json!({ "status": "ARCHIVED" });
    staff.patch(&format!("/v1/products/{product}?updateMask=status"), archived).await.expect(200);
    assert_eq!(shop::stock(stack, &product).await, [0, 0, 0, 0]);
    for absent in ["prd_absent".to_owned(), Id::Product.new_id(), Id::Order.new_id()] {
        assert_eq!(anyone.get(&format!("/v1/stock/{absent}")).await.status, 404, "{absent}");
        assert_eq!(staff.get(&format!("/v1/stock/{absent}/movements")).await.status, 404, "{absent}");
    }
    let refused = Inventory::of(stack).hold(&Id::Order.new_id(), &product, 1).await.expect_err("there is none");
    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "OUT_OF_STOCK".to_owned()));
    staff.post(&format!("/v1/stock/{product}:adjust"), json!({ "delta": 3, "reason": "test" })).await.expect(200);
    assert_eq!(shop::stock(stack, &product).await, [3, 0, 0, 3]);
}

#[tokio::test]
async fn stock_is_read_and_sold_while_the_catalogue_is_down() {
    let stack = shared().await;
    let (stocked, bare) = (shop::product(stack, 5).await, shop::product(stack, 0).await);
    let nobody = [("COMPTOIR_PEERS", "products=http://127.0.0.1:1")];
    let (inventory, _process) = Inventory::of_another(stack, &nobody).await;
    let look = |product_id: &str| {
        let (mut rpc, product_id) = (inventory.rpc.clone(), product_id.to_owned());
        async move { rpc.get_stock(GetStockRequest { product_id }).await.map(|reply| reply.into_inner().available) }
    };
    assert_eq!(look(&stocked).await.expect("its stock is known"), 5);
    inventory.hold(&Id::Order.new_id(), &stocked, 2).await.expect("five are there");
    assert_eq!(look(&stocked).await.expect("its stock is known"), 3);
    let unknown = look(&bare).await.expect_err("whether it exists cannot be told");
    assert_eq!(unknown.code(), Code::Unavailable, "{unknown:?}");
}
