//! Orders of a user whose account is deleted, as the service privacy has them erased. The accounts of these tests are open, so
//! that nobody else erases.

use crate::payments::as_service;
use anyhow::ensure;
use bson::{Document, doc};
use contracts::erasure::v1::EraseUserDataRequest;
use contracts::orders::v1::order_service_client::OrderServiceClient;
use futures::{TryStreamExt, future::join_all};
use kit::shop::{TIMEOUT, draft, id, order_with, place, product};
use kit::{Client, Stack, eventually, shared};
use serde_json::{Value, json};

/// What a call has erased, and what remains.
async fn erase(stack: &Stack, user: &Value) -> (i64, i64) {
    let mut orders = OrderServiceClient::new(as_service(stack, "privacy", "orders"));
    let request = EraseUserDataRequest { user_id: id(user, "userId").to_owned() };
    let receipt = orders.erase_user_data(request).await.expect("orders answers").into_inner();
    assert_eq!(receipt.service, "orders");
    (receipt.erased_count, receipt.remaining_count)
}

/// The user's orders as they are stored, by their ids.
async fn stored(stack: &Stack, user: &Value) -> Vec<Document> {
    let orders = stack.connect().await.database("orders").collection::<Document>("orders");
    let found = orders.find(doc! { "user_id": id(user, "userId") }).sort(doc! { "_id": 1 }).await;
    found.expect("mongod answers").try_collect().await.expect("mongod answers")
}

/// How many of the documents have this text.
fn count_with(documents: &[Document], text: &str) -> usize {
    let has = |document: &&Document| {
        let bytes = document.to_vec().expect("BSON");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    documents.iter().filter(has).count()
}

async fn arrive(staff: &Client, customer: &Client, order: &Value) {
    let shipment = format!("/v1/shipments/{}", id(order, "shipmentId"));
    staff.post(&format!("{shipment}:dispatch"), json!({})).await.expect(200);
    order_with(customer, order, "state", "SHIPPED").await;
    staff.post(&format!("{shipment}:deliver"), json!({})).await.expect(200);
    order_with(customer, order, "state", "DELIVERED").await;
}

#[tokio::test]
async fn orders_lose_their_user_at_once_and_their_address_when_they_have_ended() {
    let stack = shared().await;
    let ((customer, user), (other, another)) = (Client::register(stack).await, Client::register(stack).await);
    let (staff, product) = (Client::staff(stack).await, product(stack, 10).await);
    let lines = [(product.as_str(), 1)];
    place(&other, &lines, "tok_visa").await;
    let delivered = place(&customer, &lines, "tok_visa").await;
    arrive(&staff, &customer, &delivered).await;
    let cancelled = place(&customer, &lines, "tok_visa").await;
    let path = format!("/v1/orders/{}", id(&cancelled, "orderId"));
    customer
        .post_with_key(&format!("{path}:cancel"), json!({ "reason": "Test Customer has moved" }), "key")
        .await
        .expect(200);
    order_with(&customer, &cancelled, "state", "CANCELLED").await;
    let under_way = place(&customer, &lines, "tok_visa").await;
    let before = customer.get(&format!("/v1/orders/{}", id(&delivered, "orderId"))).await.expect(200);

    assert_eq!(erase(stack, &user).await, (3, 1));
    assert_eq!(erase(stack, &user).await, (0, 1), "a repeat finds nothing to do");
    let documents = stored(stack, &user).await;
    let counts =
        [id(&user, "email"), "Test Customer", "rue de la Paix", "75002"].map(|text| count_with(&documents, text));
    assert_eq!(counts, [0, 1, 1, 1], "one order is under way, and is sent to its address");

    arrive(&staff, &customer, &under_way).await;
    assert_eq!(erase(stack, &user).await, (1, 0));
    let documents = stored(stack, &user).await;
    for text in ["Test Customer", "rue de la Paix", "Paris", "75002"] {
        assert_eq!(count_with(&documents, text), 0, "{text}");
    }
    assert!(
        documents
            .iter()
            .all(|order| order.get_array("requests").is_ok_and(Vec::is_empty) || order.get("requests").is_none())
    );
    let erased = customer.get(&format!("/v1/orders/{}", id(&delivered, "orderId"))).await.expect(200);
    for kept in ["orderId", "userId", "items", "total", "tax", "includedTax", "state", "createTime", "shipments"] {
        assert_eq!(erased[kept], before[kept], "{kept}");
    }
    assert_eq!(erased["shippingAddress"]["countryCode"], "FR");
    assert_eq!(customer.get(&path).await.expect(200)["reason"], "CANCELLED");
    assert_eq!(count_with(&stored(stack, &another).await, "rue de la Paix"), 1, "others keep theirs");
}

#[tokio::test]
async fn an_order_that_is_erased_at_each_step_of_its_saga_is_sent_to_its_address() {
    let stack = shared().await;
    let (customer, user) = Client::register(stack).await;
    let product = product(stack, 100).await;
    let body = draft(&[(&product, 1)], "tok_visa");
    let placed = join_all((0..8).map(|_| customer.post("/v1/orders", body.clone()))).await;
    let orders: Vec<Value> = placed.into_iter().map(|reply| reply.expect(201)).collect();
    eventually(TIMEOUT, || async {
        join_all((0..4).map(|_| erase(stack, &user))).await;
        for order in &orders {
            let order = customer.get(&format!("/v1/orders/{}", id(order, "orderId"))).await.expect(200);
            ensure!(order["state"] == "CONFIRMED" && order["shipmentId"] != "", "{order}");
        }
        Ok(())
    })
    .await;
    assert_eq!(erase(stack, &user).await, (0, 8));
    let documents = stored(stack, &user).await;
    assert_eq!((count_with(&documents, id(&user, "email")), count_with(&documents, "rue de la Paix")), (0, 8));
    for order in &orders {
        let order = customer.get(&format!("/v1/orders/{}", id(order, "orderId"))).await.expect(200);
        let shipment = customer.get(&format!("/v1/shipments/{}", id(&order, "shipmentId"))).await.expect(200);
        assert_eq!(shipment["address"]["line1"], "1 rue de la Paix", "{shipment}");
    }
}

#[tokio::test]
async fn an_order_that_is_accepted_after_an_erasure_is_found_by_the_next() {
    let stack = shared().await;
    let (customer, user) = Client::register(stack).await;
    let product = product(stack, 10).await;
    assert_eq!(erase(stack, &user).await, (0, 0));
    place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(erase(stack, &user).await, (1, 1));
}
