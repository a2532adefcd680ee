//! Orders of several shipments: each pays its share as it leaves, and the order follows all of them.

mod killed;

use crate::{cli::verify::verify, payments::event_names};
use anyhow::ensure;
use kit::shop::{TIMEOUT, id, order_with, place, product_with, reason, stock};
use kit::{Client, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};

/// A new product at so much, with units in stock.
pub(crate) async fn priced(stack: &Stack, currency: &str, units: &str, nanos: i32) -> String {
    let price = json!({ "currencyCode": currency, "units": units, "nanos": nanos });
    product_with(stack, 100, json!({ "price": price })).await
}

/// Thousandths of an amount on the wire.
fn mills(money: &Value) -> i64 {
    let units: i64 = money["units"].as_str().unwrap_or("0").parse().expect("a number");
    units * 1000 + money["nanos"].as_i64().unwrap_or(0) / 1_000_000
}

/// Splits units off a shipment; the new one.
pub(crate) async fn split(staff: &Client, shipment: &str, lines: &[(&str, i32)]) -> String {
    let line = |(id, quantity): &(&str, i32)| json!({ "productId": id, "quantity": quantity });
    let lines: Vec<Value> = lines.iter().map(line).collect();
    let body = json!({ "lines": lines, "requestId": format!("{:016x}", rand::random::<u64>()) });
    let reply = staff.post(&format!("/v1/shipments/{shipment}:split"), body).await.expect(200);
    id(&reply["splitOff"], "shipmentId").to_owned()
}

pub(crate) async fn act(staff: &Client, shipment: &str, verb: &str) -> Value {
    staff.post(&format!("/v1/shipments/{shipment}:{verb}"), json!({})).await.expect(200)
}

/// The order once that number of its shipments has been captured.
async fn paid(customer: &Client, order: &Value, shipments: usize) -> Value {
    let path = format!("/v1/orders/{}", id(order, "orderId"));
    eventually(TIMEOUT, || async {
        let order = customer.get(&path).await.expect(200);
        let captures = order["shipments"].as_array().cloned().unwrap_or_default();
        let done = captures.iter().filter(|shipment| shipment["capturedAmount"].is_object()).count();
        ensure!(done == shipments, "{order}");
        Ok(order)
    })
    .await
}

/// Waits until the order has heard that one of its shipments was stopped.
async fn knows_of_a_stop(customer: &Client, order: &Value) {
    let path = format!("/v1/orders/{}", id(order, "orderId"));
    eventually(TIMEOUT, || async {
        let order = customer.get(&path).await.expect(200);
        let mut shipments = order["shipments"].as_array().into_iter().flatten();
        ensure!(shipments.any(|shipment| shipment["state"] == "CANCELLED"), "{order}");
        Ok(())
    })
    .await;
}

async fn payment(customer: &Client, order: &Value) -> Value {
    customer.get(&format!("/v1/payments/{}", id(order, "paymentId"))).await.expect(200)
}

pub(crate) async fn is_sound(stack: &Stack) {
    let output = verify(stack, &[]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipments_dispatched_in_any_order_capture_the_total_to_the_minor_unit() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    for (currency, units, nanos) in [("JPY", "333", 0), ("EUR", "3", 330_000_000), ("KWD", "0", 777_000_000)] {
        let (one, two) = (priced(&stack, currency, units, nanos).await, priced(&stack, currency, "7", 0).await);
        for turns in [&[0, 1][..], &[1, 0], &[2, 0, 1], &[1, 2, 0]] {
            let order = place(&customer, &[(&one, 3), (&two, 2)], "tok_visa").await;
            let first = id(&order, "shipmentId").to_owned();
            let mut shipments = vec![first.clone(), split(&staff, &first, &[(&one, 1), (&two, 1)]).await];
            if turns.len() == 3 {
                shipments.push(split(&staff, &first, &[(&one, 1)]).await);
            }
            for (sent, turn) in turns.iter().enumerate() {
                act(&staff, &shipments[*turn], "dispatch").await;
                let part = paid(&customer, &order, sent + 1).await;
                if sent + 1 < turns.len() {
                    assert_eq!((&part["state"], &part["shipmentState"]), (&json!("CONFIRMED"), &json!("DISPATCHED")));
                }
            }
            let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
            let shares = shipped["shipments"].as_array().unwrap().iter().map(|one| mills(&one["capturedAmount"]));
            let captured = mills(&payment(&customer, &order).await["capturedAmount"]);
            assert_eq!((shares.sum::<i64>(), captured), (mills(&order["total"]), mills(&order["total"])), "{shipped}");
            for shipment in &shipments {
                act(&staff, shipment, "deliver").await;
            }
            order_with(&customer, &order, "state", "DELIVERED").await;
        }
    }
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipments_dispatched_at_once_are_all_captured_and_the_order_cannot_be_cancelled() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let product = priced(stack, "EUR", "3", 330_000_000).await;
    let order = place(&customer, &[(&product, 4)], "tok_visa").await;
    let first = id(&order, "shipmentId").to_owned();
    let mut shipments = vec![first.clone()];
    for _ in 0..3 {
        shipments.push(split(&staff, &first, &[(&product, 1)]).await);
    }
    let last = shipments.pop().expect("four");
    futures::future::join_all(shipments.iter().map(|shipment| act(&staff, shipment, "dispatch"))).await;
    paid(&customer, &order, 3).await;
    let refused = customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "ORDER_NOT_CANCELLABLE"));
    act(&staff, &last, "dispatch").await;
    order_with(&customer, &order, "state", "SHIPPED").await;
    assert_eq!(mills(&payment(&customer, &order).await["capturedAmount"]), 13_320);
    assert_eq!(stock(stack, &product).await, [96, 0, 0, 96]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stopped_is_not_paid_goes_back_on_the_shelf_and_cannot_be_refunded() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let product = priced(&stack, "EUR", "3", 330_000_000).await;
    for is_stopped_first in [true, false] {
        let order = place(&customer, &[(&product, 5)], "tok_visa").await;
        let first = id(&order, "shipmentId").to_owned();
        let off = split(&staff, &first, &[(&product, 2)]).await;
        let steps = if is_stopped_first {
            [(&off, "stop"), (&first, "dispatch")]
        } else {
            [(&first, "dispatch"), (&off, "stop")]
        };
        for (shipment, verb) in steps {
            act(&staff, shipment, verb).await;
            if verb == "stop" {
                knows_of_a_stop(&customer, &order).await; // else the dispatch may be heard of first
            }
        }
        let shipped = order_with(&customer, &order, "state", "SHIPPED").await;
        let paid = payment(&customer, &order).await;
        assert_eq!((mills(&paid["capturedAmount"]), mills(&paid["voidedAmount"])), (9_990, 6_660), "{shipped}");
        let returned = |quantity: i32| json!({ "items": [{ "productId": product, "quantity": quantity, "disposition": "SCRAP" }] });
        let path = format!("/v1/orders/{}:refund", id(&order, "orderId"));
        assert_eq!(reason(&staff.post(&path, returned(4)).await), "RETURN_EXCEEDS_ORDER");
        staff.post(&path, json!({})).await.expect(200);
        order_with(&customer, &order, "paymentState", "REFUNDED").await;
        assert_eq!(mills(&payment(&customer, &order).await["refundedAmount"]), 9_990);
    }
    assert_eq!(stock(&stack, &product).await, [94, 0, 0, 94]);
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_cancelled_with_its_last_shipment_and_its_shipments_with_the_order() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let product = priced(&stack, "EUR", "3", 330_000_000).await;
    for is_cancelled in [false, true] {
        let order = place(&customer, &[(&product, 3)], "tok_visa").await;
        let first = id(&order, "shipmentId").to_owned();
        let off = split(&staff, &first, &[(&product, 1)]).await;
        if is_cancelled {
            customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await.expect(200);
        } else {
            act(&staff, &off, "stop").await;
            act(&staff, &first, "stop").await;
        }
        let over = order_with(&customer, &order, "state", "CANCELLED").await;
        assert_eq!(over["reason"], if is_cancelled { "CANCELLED" } else { "SHIPMENTS_STOPPED" });
        assert_eq!(payment(&customer, &order).await["state"], "VOIDED");
        for shipment in [&first, &off] {
            assert_eq!(staff.get(&format!("/v1/shipments/{shipment}")).await.expect(200)["state"], "CANCELLED");
        }
    }
    assert_eq!(stock(&stack, &product).await, [100, 0, 0, 100]);
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_and_a_returned_shipment_keep_the_order_shipped_and_staff_refund_them() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let product = priced(&stack, "EUR", "3", 330_000_000).await;
    let order = place(&customer, &[(&product, 3)], "tok_visa").await;
    let first = id(&order, "shipmentId").to_owned();
    let off = split(&staff, &first, &[(&product, 1)]).await;
    for (shipment, kind, shown) in [(&first, "LOST", "DISPATCHED"), (&off, "RETURNED", "LOST")] {
        let event = json!({ "carrier": "sandbox", "eventId": kind, "kind": kind, "occurTime": "2030-01-01T00:00:00Z" });
        staff
            .post(&format!("/v1/shipments/{shipment}:recordTrackingEvent"), json!({ "event": event }))
            .await
            .expect(200);
        order_with(&customer, &order, "shipmentState", shown).await;
    }
    order_with(&customer, &order, "state", "SHIPPED").await;
    let line = |quantity: i32, to: &str| json!({ "productId": product, "quantity": quantity, "disposition": to });
    let body = json!({ "items": [line(2, "SCRAP"), line(1, "RESTOCK")], "reason": "lost, and came back" });
    staff.post(&format!("/v1/orders/{}:refund", id(&order, "orderId")), body).await.expect(200);
    order_with(&customer, &order, "paymentState", "REFUNDED").await;
    eventually(TIMEOUT, || async {
        let counters = stock(&stack, &product).await;
        ensure!(counters == [98, 0, 0, 98], "{counters:?}");
        Ok(())
    })
    .await;
    is_sound(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_back_of_a_part_freezes_the_order_and_later_shipments_wait_for_a_person() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let product = priced(stack, "EUR", "3", 330_000_000).await;
    let order = place(&customer, &[(&product, 3)], "tok_dispute").await;
    let first = id(&order, "shipmentId").to_owned();
    let off = split(&staff, &first, &[(&product, 1)]).await;
    act(&staff, &first, "dispatch").await;
    let frozen = order_with(&customer, &order, "frozenReason", "CHARGED_BACK").await;
    assert_eq!(frozen["state"], "CONFIRMED");
    act(&staff, &off, "dispatch").await;
    let path = format!("/v1/orders/{}/saga", id(&order, "orderId"));
    eventually(TIMEOUT, || async {
        let saga = staff.get(&path).await.expect(200);
        ensure!(saga["state"] == "PARKED" && saga.to_string().contains("PAYMENT_FROZEN"), "{saga}");
        Ok(())
    })
    .await;
    let paid = payment(&customer, &order).await;
    assert_eq!((mills(&paid["capturedAmount"]), mills(&paid["chargedBackAmount"])), (6_660, 6_660));
    let orders = stack.connect().await.database("orders");
    eventually(TIMEOUT, || async {
        let names = event_names(&orders, id(&order, "orderId"), 1).await;
        ensure!(["frozen", "parked"].iter().all(|told| names.iter().any(|name| name == told)), "{names:?}");
        Ok(())
    })
    .await;
}
