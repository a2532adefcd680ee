//! Shipments of a user whose account is deleted, as the service privacy has them erased.

use super::{Shipping, own};
use crate::payments::as_service;
use bson::{Document, doc};
use contracts::erasure::v1::EraseUserDataRequest;
use contracts::id::Kind as Id;
use contracts::shipping::v1::shipping_service_client::ShippingServiceClient;
use kit::{Client, Stack, shared};
use serde_json::json;

async fn erase(stack: &Stack, user_id: &str) -> (i64, i64) {
    let mut shipping = ShippingServiceClient::new(as_service(stack, "privacy", "shipping"));
    let request = EraseUserDataRequest { user_id: user_id.to_owned() };
    let receipt = shipping.erase_user_data(request).await.expect("shipping answers").into_inner();
    (receipt.erased_count, receipt.remaining_count)
}

#[tokio::test]
async fn a_shipment_keeps_its_address_until_it_has_arrived() {
    let (stack, user_id) = (shared().await, Id::User.new_id());
    let (shipping, staff) = (Shipping::connect(stack), Client::staff(stack).await);
    let [planned, sent, stopped] = [(); 3].map(|()| Id::Shipment.new_id());
    for id in [&planned, &sent, &stopped] {
        shipping.create(id, &own(id), &user_id).await.unwrap();
    }
    staff.post(&format!("/v1/shipments/{sent}:dispatch"), json!({})).await.expect(200);
    staff.post(&format!("/v1/shipments/{stopped}:stop"), json!({})).await.expect(200);
    assert_eq!(erase(stack, &user_id).await, (1, 2));
    assert_eq!(erase(stack, &user_id).await, (0, 2), "a repeat finds nothing to do");
    assert_eq!(shipping.get(&sent).await.unwrap().address.unwrap().city, "London");
    staff.post(&format!("/v1/shipments/{planned}:dispatch"), json!({})).await.expect(200);
    for id in [&planned, &sent] {
        staff.post(&format!("/v1/shipments/{id}:deliver"), json!({})).await.expect(200);
    }
    assert_eq!(erase(stack, &user_id).await, (2, 0));
    let shipments = stack.connect().await.database("shipping").collection::<Document>("shipments");
    for id in [&planned, &sent, &stopped] {
        let bytes = shipments.find_one(doc! { "_id": id }).await.unwrap().expect("it is there").to_vec().unwrap();
        for text in ["Lovelace", "St James", "London", "SW1Y"] {
            assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} is in {id}");
        }
        let shown = shipping.get(id).await.unwrap();
        assert_eq!((shown.address.unwrap().country_code.as_str(), shown.lines.len()), ("GB", 1));
    }
    shipping.create(&sent, &own(&sent), &user_id).await.expect("the saga that repeats its call finds the shipment");
}
