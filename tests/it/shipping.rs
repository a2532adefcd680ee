//! Shipping over gRPC and JSON.

mod erasure;
mod rates;
mod split;
mod tracking;

use crate::payments::{as_orders, event_names};
use contracts::{
    id::Kind as Id,
    shipping::v1::{
        self as wire, CancelShipmentRequest, CreateShipmentRequest, GetShipmentRequest, ShipmentLine,
        shipment::State as WireState, shipping_service_client::ShippingServiceClient,
    },
};
use kit::{Client, Stack, shared};
use mongodb::bson::{Document, doc};
use rpc::{Channel, status::reason};
use serde_json::json;
use tonic::{Code, Status};

/// The order of a shipment: each has its own, for orders cancel all of theirs.
fn own(id: &str) -> String {
    id.replace("shp_", "ord_")
}

/// The service as a runner of orders sees it.
struct Shipping {
    rpc: ShippingServiceClient<Channel>,
    epoch: i64,
}

impl Shipping {
    fn connect(stack: &Stack) -> Self {
        Self { rpc: ShippingServiceClient::new(as_orders(stack, "shipping")), epoch: 1 }
    }

    /// As a runner of another epoch.
    fn at(&self, epoch: i64) -> Self {
        Self { rpc: self.rpc.clone(), epoch }
    }

    async fn create(&self, id: &str, order_id: &str, user_id: &str) -> Result<wire::Shipment, Status> {
        self.create_of(id, order_id, user_id, 2).await
    }

    async fn create_of(
        &self,
        id: &str,
        order_id: &str,
        user_id: &str,
        quantity: i32,
    ) -> Result<wire::Shipment, Status> {
        let address = wire::Address {
            name: "Ada Lovelace".into(),
            line1: "12 St James's Square".into(),
            city: "London".into(),
            postal_code: "SW1Y 4JH".into(),
            country_code: "GB".into(),
            ..Default::default()
        };
        let request = CreateShipmentRequest {
            shipment_id: id.into(),
            order_id: order_id.into(),
            user_id: user_id.into(),
            lines: vec![ShipmentLine { product_id: "prd_1".into(), quantity }],
            address: Some(address),
            step_key: "ord_1/ship/do".into(),
            epoch: self.epoch,
        };
        Ok(self.rpc.clone().create_shipment(request).await?.into_inner())
    }

    async fn cancel(&self, id: &str) -> Result<wire::Shipment, Status> {
        let (shipment_id, order_id, user_id) = (id.into(), own(id), "usr_1".into());
        let (step_key, epoch) = ("ord_1/ship/undo".into(), self.epoch);
        let request = CancelShipmentRequest { shipment_id, order_id, user_id, step_key, epoch };
        Ok(self.rpc.clone().cancel_shipment(request).await?.into_inner())
    }

    async fn get(&self, id: &str) -> Result<wire::Shipment, Status> {
        Ok(self.rpc.clone().get_shipment(GetShipmentRequest { shipment_id: id.into() }).await?.into_inner())
    }
}

#[track_caller]
fn refused(reply: Result<wire::Shipment, Status>) -> (Code, String) {
    let status = reply.unwrap_err();
    (status.code(), reason(&status))
}

#[tokio::test]
async fn staff_dispatch_and_deliver_a_shipment_and_repeats_change_nothing() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    for _ in 0..2 {
        assert_eq!(shipping.create(&id, &own(&id), "usr_1").await.unwrap().state(), WireState::Created);
    }
    let (dispatch, deliver) = (format!("/v1/shipments/{id}:dispatch"), format!("/v1/shipments/{id}:deliver"));
    let early = staff.post(&deliver, json!({})).await.expect(400);
    assert!(early.to_string().contains("SHIPMENT_NOT_DISPATCHED"), "{early}");
    for _ in 0..2 {
        assert_eq!(staff.post(&dispatch, json!({})).await.expect(200)["state"], "DISPATCHED");
    }
    assert_eq!(refused(shipping.cancel(&id).await), (Code::FailedPrecondition, "SHIPMENT_DISPATCHED".into()));
    for _ in 0..2 {
        assert_eq!(staff.post(&deliver, json!({})).await.expect(200)["state"], "DELIVERED");
    }
    let database = stack.connect().await.database("shipping");
    assert_eq!(event_names(&database, &id, 3).await, ["created", "dispatched", "delivered"]);
    for event in kit::log(&database, doc! { "aid": &id }).await.unwrap() {
        let bytes = event.to_vec().unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"Lovelace"), "an event carries the address");
    }
}

#[tokio::test]
async fn a_cancelled_shipment_cannot_be_created_late_nor_dispatched() {
    let stack = shared().await;
    let (shipping, staff) = (Shipping::connect(stack), Client::staff(stack).await);
    let cancelled = (Code::FailedPrecondition, "SHIPMENT_CANCELLED".to_owned());
    for is_planned in [false, true] {
        let id = Id::Shipment.new_id();
        if is_planned {
            shipping.create(&id, &own(&id), "usr_1").await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(shipping.cancel(&id).await.unwrap().state(), WireState::Cancelled);
        }
        assert_eq!(refused(shipping.create(&id, &own(&id), "usr_1").await), cancelled);
        staff.post(&format!("/v1/shipments/{id}:dispatch"), json!({})).await.expect(400);
        assert_eq!(shipping.get(&id).await.unwrap().state(), WireState::Cancelled);
    }
}

#[tokio::test]
async fn a_replaced_runner_stops_no_shipment_and_its_successors_repeat_writes_nothing() {
    let stack = shared().await;
    let (shipping, id) = (Shipping::connect(stack), Id::Shipment.new_id());
    let (zombie, successor) = (shipping.at(6), shipping.at(7));
    let shipments = stack.connect().await.database("shipping").collection::<Document>("shipments");
    let stored = async || shipments.find_one(doc! { "_id": &id }).await.unwrap();
    successor.create(&id, &own(&id), "usr_1").await.unwrap();
    let created = stored().await;
    shipping.at(8).create(&id, &own(&id), "usr_1").await.unwrap();
    for reply in [zombie.create(&id, &own(&id), "usr_1").await, zombie.cancel(&id).await] {
        assert_eq!(refused(reply), (Code::Aborted, "STALE_EPOCH".into()));
    }
    assert_eq!(stored().await, created);
    assert_eq!(shipping.at(8).cancel(&id).await.unwrap().state(), WireState::Cancelled);
    assert_eq!(refused(successor.create(&id, &own(&id), "usr_1").await), (Code::Aborted, "STALE_EPOCH".into()));
}

#[tokio::test]
async fn the_same_shipment_with_another_body_is_refused() {
    let (shipping, id) = (Shipping::connect(shared().await), Id::Shipment.new_id());
    shipping.create(&id, &own(&id), "usr_1").await.unwrap();
    let other = shipping.create_of(&id, &own(&id), "usr_1", 3).await;
    assert_eq!(refused(other), (Code::AlreadyExists, "SHIPMENT_MISMATCH".into()));
    assert_eq!(shipping.get(&id).await.unwrap().lines[0].quantity, 2);
}

#[tokio::test]
async fn forty_cancellations_and_creations_at_once_end_cancelled() {
    let (shipping, id) = (Shipping::connect(shared().await), Id::Shipment.new_id());
    let calls = (0..40).map(|n| {
        let (shipping, id) = (&shipping, &id);
        async move { if n % 2 == 0 { shipping.create(id, &own(id), "usr_1").await } else { shipping.cancel(id).await } }
    });
    for reply in futures::future::join_all(calls).await {
        if let Err(status) = reply {
            assert_eq!(reason(&status), "SHIPMENT_CANCELLED");
        }
    }
    assert_eq!(shipping.get(&id).await.unwrap().state(), WireState::Cancelled);
}

#[tokio::test]
async fn a_shipment_belongs_to_one_order_and_is_shown_to_its_owner_only() {
    let stack = shared().await;
    let (shipping, id) = (Shipping::connect(stack), Id::Shipment.new_id());
    let (owner, user) = Client::register(stack).await;
    let (stranger, _) = Client::register(stack).await;
    let user_id = user["userId"].as_str().unwrap();
    shipping.create(&id, &own(&id), user_id).await.unwrap();
    let mismatch = (Code::AlreadyExists, "SHIPMENT_MISMATCH".to_owned());
    assert_eq!(refused(shipping.create(&id, "ord_2", user_id).await), mismatch);
    assert_eq!(refused(shipping.cancel(&id).await), mismatch);
    let path = format!("/v1/shipments/{id}");
    assert_eq!(owner.get(&path).await.expect(200)["address"]["city"], "London");
    stranger.get(&path).await.expect(404);
    owner.post(&format!("{path}:dispatch"), json!({})).await.expect(403);
    assert_eq!(refused(shipping.get("shp_absent").await), (Code::NotFound, "NOT_FOUND".into()));
}
