//! What a carrier tells: twice, out of order, of nobody's shipment, and too much.

use super::{Shipping, own};
use crate::payments::event_names;
use contracts::id::Kind as Id;
use kit::shop::reason;
use kit::{Client, Reply, shared};
use serde_json::{Value, json};

async fn tell(staff: &Client, id: &str, event_id: &str, kind: &str) -> Reply {
    let event = json!({ "carrier": "sandbox", "eventId": event_id, "kind": kind, "occurTime": "2030-01-01T00:00:00Z" });
    staff.post(&format!("/v1/shipments/{id}:recordTrackingEvent"), json!({ "event": event })).await
}

fn ids(shipment: &Value) -> Vec<&str> {
    shipment["trackingEvents"].as_array().unwrap().iter().map(|event| event["eventId"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn tracking_events_in_any_order_are_kept_once_and_the_shipment_only_moves_on() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    shipping.create(&id, &own(&id), "usr_1").await.unwrap();
    assert_eq!(tell(&staff, &id, "b", "DELIVERED").await.expect(200)["state"], "DELIVERED");
    for _ in 0..2 {
        tell(&staff, &id, "a", "IN_TRANSIT").await.expect(200);
    }
    let shown = tell(&staff, &id, "b", "DELIVERED").await.expect(200);
    assert_eq!((ids(&shown), &shown["state"]), (vec!["b", "a"], &json!("DELIVERED")));
    let number = shown["trackingNumber"].as_str().unwrap().to_owned();
    assert!(number.starts_with("SBX-") && shown["carrier"] == "sandbox", "{shown}");
    assert_eq!(
        staff.post(&format!("/v1/shipments/{id}:dispatch"), json!({})).await.expect(200)["trackingNumber"],
        number
    );
    let other = tell(&staff, &id, "b", "LOST").await;
    assert_eq!((other.status, reason(&other).as_str()), (409, "TRACKING_EVENT_MISMATCH"));
    assert_eq!(tell(&staff, &id, "c", "RETURNED").await.expect(200)["state"], "RETURNED");
    let database = stack.connect().await.database("shipping");
    assert_eq!(event_names(&database, &id, 4).await, ["created", "dispatched", "delivered", "returned"]);
    let late = staff.post(&format!("/v1/shipments/{id}:deliver"), json!({})).await;
    assert_eq!(reason(&late), "SHIPMENT_RETURNED");
}

#[tokio::test]
async fn a_tracking_event_of_nobody_of_another_carrier_or_of_no_kind_changes_nothing() {
    let stack = shared().await;
    let (shipping, id, staff) = (Shipping::connect(stack), Id::Shipment.new_id(), Client::staff(stack).await);
    shipping.create(&id, &own(&id), "usr_1").await.unwrap();
    assert_eq!(tell(&staff, "shp_absent", "a", "DELIVERED").await.status, 404);
    assert_eq!(tell(&staff, &id, "a", "KIND_UNSPECIFIED").await.status, 400);
    let event = json!({ "carrier": "other", "eventId": "a", "kind": "LOST", "occurTime": "2030-01-01T00:00:00Z" });
    let strange = staff.post(&format!("/v1/shipments/{id}:recordTrackingEvent"), json!({ "event": event })).await;
    assert_eq!((strange.status, reason(&strange).as_str()), (400, "CARRIER_UNKNOWN"));
    assert_eq!(shipping.get(&id).await.unwrap().etag, "1");
}
