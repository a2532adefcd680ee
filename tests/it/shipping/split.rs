//! Splitting and stopping shipments: both documents together.

use super::{Shipping, own, refused};
use crate::payments::event_names;
use contracts::{id::Kind as Id, shipping::v1::shipment::State as WireState};
use kit::shop::reason;
use kit::{Client, Reply, shared};
use serde_json::{Value, json};
use tonic::Code;

async fn split(staff: &Client, id: &str, quantity: i32, key: &str) -> Reply {
    let body = json!({ "lines": [{ "productId": "prd_1", "quantity": quantity }], "requestId": key });
    staff.post(&format!("/v1/shipments/{id}:split"), body).await
}

fn quantities(reply: &Value) -> (i64, i64) {
    let of = |name: &str| reply[name]["lines"][0]["quantity"].as_i64().unwrap();
    (of("shipment"), of("splitOff"))
}

#[tokio::test]
async fn staff_split_a_shipment_both_tell_of_it_and_a_repeat_answers_with_the_same() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    shipping.create_of(&id, &own(&id), "usr_1", 5).await.unwrap();
    let first = split(&staff, &id, 2, "a").await.expect(200);
    assert_eq!(quantities(&first), (3, 2));
    let off = first["splitOff"]["shipmentId"].as_str().unwrap().to_owned();
    assert_eq!((&first["splitOff"]["splitFrom"], &first["splitOff"]["state"]), (&json!(id), &json!("CREATED")));
    let again = split(&staff, &id, 2, "a").await.expect(200);
    assert_eq!((&again["splitOff"], &again["shipment"]), (&first["splitOff"], &first["shipment"]));
    assert_eq!(reason(&split(&staff, &id, 1, "a").await), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(reason(&split(&staff, &id, 4, "b").await), "SPLIT_EXCEEDS_SHIPMENT");
    assert_eq!(reason(&split(&staff, &id, 3, "b").await), "SPLIT_LEAVES_NOTHING");
    assert_eq!(shipping.create_of(&id, &own(&id), "usr_1", 5).await.unwrap().lines[0].quantity, 3);
    let database = stack.connect().await.database("shipping");
    assert_eq!(event_names(&database, &id, 2).await, ["created", "split"]);
    assert_eq!(event_names(&database, &off, 1).await, ["created"]);
    staff.post(&format!("/v1/shipments/{off}:dispatch"), json!({})).await.expect(200);
    assert_eq!(reason(&split(&staff, &off, 1, "c").await), "SHIPMENT_DISPATCHED");
    let late = refused(shipping.cancel(&id).await);
    assert_eq!(late, (Code::FailedPrecondition, "SHIPMENT_DISPATCHED".into()), "one of the order's shipments has left");
    assert_eq!(shipping.get(&id).await.unwrap().state(), WireState::Created, "nothing is stopped");
}

#[tokio::test]
async fn twenty_splits_at_once_take_each_unit_once() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    shipping.create_of(&id, &own(&id), "usr_1", 6).await.unwrap();
    let splits = (0..20).map(|n| {
        let (staff, id) = (&staff, &id);
        async move { split(staff, id, 1, &format!("split-{}", n % 10)).await }
    });
    let replies = futures::future::join_all(splits).await;
    for reply in &replies {
        let is_known = ["SPLIT_EXCEEDS_SHIPMENT", "SPLIT_LEAVES_NOTHING"].contains(&reason(reply).as_str());
        assert!(reply.status == 200 || is_known || reply.status == 503 || reply.status == 409, "{reply:?}");
    }
    let mut units = 0;
    for n in 0..10 {
        let _ = split(&staff, &id, 1, &format!("split-{n}")).await; // those that met too many others
    }
    let shipments = stack.connect().await.database("shipping").collection::<bson::Document>("shipments");
    let mut found = shipments.find(bson::doc! { "order_id": own(&id) }).await.unwrap();
    let mut count = 0;
    while found.advance().await.unwrap() {
        let shipment = found.deserialize_current().unwrap();
        let line = shipment.get_array("lines").unwrap()[0].as_document().unwrap().get_i32("quantity").unwrap();
        (units, count) = (units + line, count + 1);
    }
    assert_eq!((units, count), (6, 6));
}

#[tokio::test]
async fn a_cancelled_order_stops_all_its_shipments_and_staff_stop_one() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    shipping.create_of(&id, &own(&id), "usr_1", 5).await.unwrap();
    let mut offs = Vec::new();
    for key in ["a", "b"] {
        let reply = split(&staff, &id, 1, key).await.expect(200);
        offs.push(reply["splitOff"]["shipmentId"].as_str().unwrap().to_owned());
    }
    for _ in 0..2 {
        let stopped = staff.post(&format!("/v1/shipments/{}:stop", offs[0]), json!({})).await.expect(200);
        assert_eq!(stopped["state"], "CANCELLED");
    }
    assert_eq!(shipping.get(&id).await.unwrap().state(), WireState::Created);
    shipping.cancel(&id).await.unwrap();
    for id in offs.iter().chain([&id]) {
        assert_eq!(shipping.get(id).await.unwrap().state(), WireState::Cancelled);
    }
    let dispatched = staff.post(&format!("/v1/shipments/{}:dispatch", offs[1]), json!({})).await;
    assert_eq!(reason(&dispatched), "SHIPMENT_CANCELLED");
}

#[tokio::test]
async fn an_order_has_a_hundred_shipments_at_most() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    shipping.create_of(&id, &own(&id), "usr_1", 200).await.unwrap();
    for n in 1..100 {
        split(&staff, &id, 1, &format!("split-{n}")).await.expect(200);
    }
    assert_eq!(reason(&split(&staff, &id, 1, "one more").await), "TOO_MANY_SHIPMENTS");
    split(&staff, &id, 1, "split-99").await.expect(200);
    shipping.cancel(&id).await.unwrap();
    let shipments = stack.connect().await.database("shipping").collection::<bson::Document>("shipments");
    let stopped = bson::doc! { "order_id": own(&id), "state": "Cancelled" };
    assert_eq!(shipments.count_documents(stopped).await.unwrap(), 100);
}
