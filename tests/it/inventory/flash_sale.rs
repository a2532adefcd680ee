//! A flash sale: many clients, one product, a hundred units. `ROUNDS=200` plays the whole, `make test` some rounds.

use crate::payments::as_orders;
use contracts::{
    id::Kind as Id,
    inventory::v1::{
        CommitReservationRequest, HoldStockRequest, ReservationLine, ShipReservationRequest,
        inventory_service_client::InventoryServiceClient,
    },
};
use kit::shop;
use kit::{Client, Stack, StackOptions};
use rpc::{Channel, status::reason};
use serde_json::json;
use tonic::Code;

const CLIENTS: usize = 64;
const UNITS: i64 = 100;

/// Units that each client wants: together nearly twice what is there.
const WANTED: usize = 3;

/// Rounds when nothing else is said.
const ROUNDS: usize = 10;

/// Buys one unit at a time until it has had enough; the orders that it got.
async fn buy(mut inventory: InventoryServiceClient<Channel>, product: String) -> Vec<String> {
    let mut bought = Vec::new();
    for _ in 0..WANTED {
        let id = Id::Order.new_id();
        let lines = vec![ReservationLine { product_id: product.clone(), quantity: 1 }];
        let hold = HoldStockRequest { reservation_id: id.clone(), lines, step_key: format!("{id}/hold/do"), epoch: 1 };
        match inventory.hold_stock(hold).await {
            Ok(_) => bought.push(id),
            Err(status) => {
                let out = (Code::FailedPrecondition, "OUT_OF_STOCK".to_owned());
                assert_eq!((status.code(), reason(&status)), out, "{status:?}");
            }
        }
    }
    for id in &bought {
        let step_key = format!("{id}/commit/do");
        let commit = CommitReservationRequest { reservation_id: id.clone(), step_key, epoch: 1 };
        inventory.commit_reservation(commit).await.expect("it is held");
    }
    bought
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_sell_exactly_what_is_there_round_after_round() {
    let rounds = std::env::var("ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().expect("a number"));
    let stack = Stack::start(StackOptions::default()).await;
    let (staff, product) = (Client::staff(&stack).await, shop::product(&stack, 0).await);
    let inventory = InventoryServiceClient::new(as_orders(&stack, "inventory"));
    for round in 0..rounds {
        let body = json!({ "delta": UNITS, "reason": "the next round" });
        staff.post(&format!("/v1/stock/{product}:adjust"), body).await.expect(200);
        let buying = (0..CLIENTS).map(|_| tokio::spawn(buy(inventory.clone(), product.clone())));
        let mut sold = Vec::new();
        for bought in futures::future::join_all(buying).await {
            sold.extend(bought.expect("a client does not panic"));
        }
        assert_eq!(i64::try_from(sold.len()).expect("small"), UNITS, "round {round}");
        assert_eq!(shop::stock(&stack, &product).await, [UNITS, 0, UNITS, 0], "round {round}");
        let shipping = sold.into_iter().map(|id| {
            let (mut inventory, step_key) = (inventory.clone(), format!("{id}/ship/do"));
            let ship = ShipReservationRequest { reservation_id: id, step_key, epoch: 1 };
            async move { inventory.ship_reservation(ship).await }
        });
        for shipped in futures::future::join_all(shipping).await {
            shipped.expect("it is sold");
        }
        assert_eq!(shop::stock(&stack, &product).await, [0, 0, 0, 0], "round {round}");
    }
    stack.stop().await;
}
