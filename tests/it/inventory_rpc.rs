//! Inventory over gRPC, as orders calls it.

use crate::{
    payments::as_orders,
    shop::{self, PATIENCE},
};
use anyhow::ensure;
use contracts::{
    id::Kind as Id,
    inventory::v1::{
        CommitReservationRequest, ExtendReservationRequest, HoldStockRequest, ReleaseReservationRequest, Reservation,
        ReservationLine, inventory_service_client::InventoryServiceClient, reservation::State,
    },
};
use kit::{Client, Stack, StackOptions, eventually};
use rpc::{Channel, status::reason};
use serde_json::Value;
use tonic::{Code, Status};

/// The service as orders sees it.
struct Inventory(InventoryServiceClient<Channel>);

impl Inventory {
    fn of(stack: &Stack) -> Self {
        Self(InventoryServiceClient::new(as_orders(stack, "inventory")))
    }

    async fn hold(&self, id: &str, product: &str, quantity: i32) -> Result<Reservation, Status> {
        let lines = vec![ReservationLine { product_id: product.to_owned(), quantity }];
        let request = HoldStockRequest { reservation_id: id.to_owned(), lines, step_key: format!("{id}/hold/do") };
        Ok(self.0.clone().hold_stock(request).await?.into_inner())
    }

    async fn extend(&self, id: &str) -> Result<Reservation, Status> {
        let request = ExtendReservationRequest { reservation_id: id.to_owned(), step_key: format!("{id}/extend/do") };
        Ok(self.0.clone().extend_reservation(request).await?.into_inner())
    }

    async fn commit(&self, id: &str) -> Result<Reservation, Status> {
        let request = CommitReservationRequest { reservation_id: id.to_owned(), step_key: format!("{id}/commit/do") };
        Ok(self.0.clone().commit_reservation(request).await?.into_inner())
    }

    async fn release(&self, id: &str) -> Result<Reservation, Status> {
        let request = ReleaseReservationRequest { reservation_id: id.to_owned(), step_key: format!("{id}/hold/undo") };
        Ok(self.0.clone().release_reservation(request).await?.into_inner())
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
    eventually(PATIENCE, || async {
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
