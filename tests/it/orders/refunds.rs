//! Refunds of orders that have left: the money to the cent, the units where they go, and what a charge-back stops.

use crate::{cli::verify::is_clean, payments::event_names};
use kit::shop::{TIMEOUT, fields, id, order_with, place, product, reason, stock};
use kit::{Client, Reply, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};

/// An order that has left; with the caller who placed it and staff.
async fn shipped(stack: &Stack, lines: &[(&str, i32)], token: &str) -> (Client, Client, Value) {
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let order = place(&customer, lines, token).await;
    staff.post(&format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId")), json!({})).await.expect(200);
    let order = order_with(&customer, &order, "state", "SHIPPED").await;
    (customer, staff, order)
}

async fn refund(staff: &Client, order: &Value, body: Value) -> Reply {
    staff.post(&format!("/v1/orders/{}:refund", id(order, "orderId")), body).await
}

/// The order once none of its refunds is under way.
pub async fn settled(customer: &Client, order: &Value) -> Value {
    let path = format!("/v1/orders/{}", id(order, "orderId"));
    eventually(TIMEOUT, || async {
        let order = customer.get(&path).await.expect(200);
        let refunds = order["refunds"].as_array().cloned().unwrap_or_default();
        anyhow::ensure!(refunds.iter().all(|refund| refund["state"] != "REQUESTED"), "{order}");
        Ok(order)
    })
    .await
}

/// `12.50` of an amount on the wire.
fn cents(money: &Value) -> i64 {
    let units: i64 = money["units"].as_str().unwrap_or("0").parse().expect("a number");
    units * 100 + money["nanos"].as_i64().unwrap_or(0) / 10_000_000
}

fn euros(units: &str, nanos: i64) -> Value {
    json!({ "currencyCode": "EUR", "units": units, "nanos": nanos })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_per_line_of_an_amount_and_of_the_rest_sum_to_the_total() {
    let stack = Stack::start(StackOptions::default()).await;
    let (kept, broken) = (product(&stack, 10).await, product(&stack, 10).await);
    let (customer, staff, order) = shipped(&stack, &[(&kept, 3), (&broken, 2)], "tok_visa").await;
    let line = |product: &str, quantity: i32, disposition: &str| json!({ "productId": product, "quantity": quantity, "disposition": disposition });
    let lines = json!({ "items": [line(&kept, 2, "RESTOCK"), line(&broken, 1, "SCRAP")], "requestId": "parcel-1" });
    for _ in 0..2 {
        refund(&staff, &order, lines.clone()).await.expect(200); // the second is a repeat
    }
    refund(&staff, &order, json!({ "amount": euros("5", 10_000_000), "reason": "it came late" })).await.expect(200);
    let after = settled(&customer, &order).await;
    let amounts: Vec<i64> =
        after["refunds"].as_array().unwrap().iter().map(|refund| cents(&refund["amount"])).collect();
    assert_eq!((amounts, &after["paymentState"]), (vec![3750, 501], &json!("REFUNDED")), "{after}");
    assert_eq!(stock(&stack, &kept).await, [9, 0, 0, 9]);
    assert_eq!(stock(&stack, &broken).await, [8, 0, 0, 8]);
    is_clean(&stack).await;

    staff.post(&format!("/v1/shipments/{}:deliver", id(&order, "shipmentId")), json!({})).await.expect(200);
    order_with(&customer, &order, "state", "DELIVERED").await;
    refund(&staff, &order, json!({})).await.expect(200);
    let after = settled(&customer, &order).await;
    let given: i64 = after["refunds"].as_array().unwrap().iter().map(|refund| cents(&refund["amount"])).sum();
    assert_eq!((given, &after["state"]), (6250, &json!("DELIVERED")), "{after}");
    let payment = customer.get(&format!("/v1/payments/{}", id(&order, "paymentId"))).await.expect(200);
    assert_eq!((cents(&payment["capturedAmount"]), cents(&payment["refundedAmount"])), (6250, 6250));
    let refused = refund(&staff, &order, json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "REFUND_EXCEEDS_CAPTURE"));
    is_clean(&stack).await;
    stack.stop().await;
}

#[tokio::test]
async fn a_refund_that_cannot_be_gets_a_typed_error_and_changes_nothing() {
    let stack = shared().await;
    let product = product(stack, 10).await;
    let (customer, staff, order) = shipped(stack, &[(&product, 2)], "tok_visa").await;
    let returned = |quantity: i32| json!([{ "productId": product, "quantity": quantity, "disposition": "RESTOCK" }]);
    let stranger = json!([{ "productId": "prd_other", "quantity": 1, "disposition": "SCRAP" }]);
    let foreign = json!({ "currencyCode": "USD", "units": "1", "nanos": 0 });
    for (body, code) in [
        (json!({ "amount": euros("25", 10_000_000) }), "REFUND_EXCEEDS_CAPTURE"),
        (json!({ "items": returned(3) }), "RETURN_EXCEEDS_ORDER"),
        (json!({ "items": stranger }), "RETURN_EXCEEDS_ORDER"),
    ] {
        let refused = refund(&staff, &order, body).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, code), "{refused:?}");
    }
    for amount in [euros("0", 0), euros("-1", 0), foreign] {
        let refused = refund(&staff, &order, json!({ "amount": amount })).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["amount".to_owned()]), "{refused:?}");
    }
    let both = refund(&staff, &order, json!({ "amount": euros("1", 0), "items": returned(1) })).await;
    assert_eq!(fields(&both), ["amount"]);
    assert_eq!(refund(&customer, &order, json!({})).await.status, 403);
    let unshipped = place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(reason(&refund(&staff, &unshipped, json!({})).await), "ORDER_NOT_REFUNDABLE");
    let after = settled(&customer, &order).await;
    assert_eq!((&after["etag"], &after["paymentState"]), (&order["etag"], &json!("CAPTURED")));
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_and_refunds_go_one_after_the_other() {
    let stack = shared().await;
    let product = product(stack, 10).await;
    let (customer, staff, order) = shipped(stack, &[(&product, 4)], "tok_visa").await;
    let one = |key: String| json!({ "items": [{ "productId": product, "quantity": 1, "disposition": "RESTOCK" }], "requestId": key });
    let refunds = (0..4).map(|number| refund(&staff, &order, one(format!("unit-{number}"))));
    for reply in futures::future::join_all(refunds).await {
        reply.expect(200);
    }
    let other = refund(&staff, &order, json!({ "requestId": "unit-1" })).await;
    assert_eq!((other.status, reason(&other).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
    let after = settled(&customer, &order).await;
    let refunds = after["refunds"].as_array().unwrap();
    assert!(refunds.len() == 4 && refunds.iter().all(|refund| refund["state"] == "DONE"), "{after}");
    assert_eq!(stock(stack, &product).await, [10, 0, 0, 10]);
    let orders = stack.connect().await.database("orders");
    let names = event_names(&orders, id(&order, "orderId"), 8).await;
    assert_eq!(names.iter().filter(|name| *name == "refunded").count(), 4, "{names:?}");
}

#[tokio::test]
async fn a_charge_back_freezes_the_order_tells_of_it_and_refunds_are_refused() {
    let stack = shared().await;
    let product = product(stack, 10).await;
    let (customer, staff, order) = shipped(stack, &[(&product, 1)], "tok_dispute").await;
    order_with(&customer, &order, "frozenReason", "CHARGED_BACK").await;
    let refused = refund(&staff, &order, json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "ORDER_FROZEN"));
    let orders = stack.connect().await.database("orders");
    eventually(TIMEOUT, || async {
        let names = event_names(&orders, id(&order, "orderId"), 1).await;
        anyhow::ensure!(names.iter().any(|name| name == "frozen"), "{names:?}");
        Ok(())
    })
    .await;
}
