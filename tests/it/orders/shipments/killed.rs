//! SIGKILL of shipping around a split, and of orders and payments around the captures of its shipments.

use super::{act, id, is_sound, mills, order_with, payment, place, priced, split};
use anyhow::ensure;
use async_nats::jetstream::{self, consumer::pull};
use futures::{StreamExt, TryStreamExt};
use kit::shop::TIMEOUT;
use kit::{Client, Process, Stack, StackOptions, eventually};
use serde_json::{Value, json};
use std::time::Duration;

/// A service in a process of its own; it answers.
async fn start(stack: &Stack, service: &str, crash_at: &str) -> Process {
    let more = [("COMPTOIR_CRASH_AT", crash_at)];
    let process = stack.serve_with(service, if crash_at.is_empty() { &[] } else { &more });
    let staff = Client::staff(stack).await;
    let path = match service {
        "shipping" => "/v1/shipments/shp_absent",
        "payments" => "/v1/payments/pay_absent",
        _ => "/v1/orders/ord_absent",
    };
    eventually(TIMEOUT, || async {
        let reply = staff.get(path).await;
        ensure!(reply.status == 404, "{reply:?}");
        Ok(())
    })
    .await;
    process
}

async fn shipped(customer: &Client, order: &Value) {
    order_with(customer, order, "state", "SHIPPED").await;
    let captured = mills(&payment(customer, order).await["capturedAmount"]);
    assert_eq!(captured, mills(&order["total"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_split_whose_process_is_killed_at_any_step_happens_once_or_not_at_all() {
    let options = StackOptions::without(&["shipping"]);
    let stack = Stack::start(options).await;
    let mut process = start(&stack, "shipping", "").await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let product = priced(&stack, "EUR", "3", 330_000_000).await;
    for moment in ["writing", "committing", "committed"] {
        let order = place(&customer, &[(&product, 3)], "tok_visa").await;
        let first = id(&order, "shipmentId").to_owned();
        process.stop(TIMEOUT).await.expect("it drains");
        process = start(&stack, "shipping", &format!("shipping.split.{moment}")).await;
        let path = format!("/v1/shipments/{first}:split");
        let body = json!({ "lines": [{ "productId": product, "quantity": 1 }], "requestId": moment });
        assert_ne!(staff.post(&path, body.clone()).await.status, 200, "it is killed");
        process.ended(TIMEOUT).await.expect("it is killed");
        process = start(&stack, "shipping", "").await;
        // mongod itself ends a transaction that was left open, after 60 s.
        let reply = eventually(Duration::from_secs(30), || async {
            let reply = staff.post(&path, body.clone()).await;
            ensure!(reply.status == 200, "{reply:?}");
            Ok(reply.body)
        })
        .await;
        let quantity = |name: &str| reply[name]["lines"][0]["quantity"].as_i64();
        assert_eq!((quantity("shipment"), quantity("splitOff")), (Some(2), Some(1)), "{moment}");
        for shipment in ["splitOff", "shipment"] {
            act(&staff, id(&reply[shipment], "shipmentId"), "dispatch").await;
        }
        shipped(&customer, &order).await;
    }
    is_sound(&stack).await;
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn captures_per_shipment_survive_a_kill_of_orders_and_of_payments_at_any_step() {
    let options = StackOptions::without(&["orders", "payments"]);
    let stack = Stack::start(options).await;
    let (mut orders, mut payments) = (start(&stack, "orders", "").await, start(&stack, "payments", "").await);
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let product = priced(&stack, "EUR", "3", 330_000_000).await;
    for label in [
        "saga.capture_payment.do.calling:2",
        "saga.capture_payment.do.called",
        "saga.capture_payment.do.recorded",
        "saga.release_payment.do.called",
        "saga.ship_stock.do.called",
        "saga.restock_stopped.do.called",
        "payments.capture.asking:2",
        "payments.capture.asked",
        "payments.capture.recorded:2",
    ] {
        let order = place(&customer, &[(&product, 5)], "tok_visa").await;
        let first = id(&order, "shipmentId").to_owned();
        let (off, stopped) =
            (split(&staff, &first, &[(&product, 2)]).await, split(&staff, &first, &[(&product, 1)]).await);
        let (victim, name) =
            if label.starts_with("saga") { (&mut orders, "orders") } else { (&mut payments, "payments") };
        victim.stop(TIMEOUT).await.expect("it drains");
        *victim = start(&stack, name, label).await;
        act(&staff, &off, "dispatch").await;
        act(&staff, &first, "dispatch").await;
        act(&staff, &stopped, "stop").await;
        victim.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
        *victim = start(&stack, name, "").await;
        order_with(&customer, &order, "state", "SHIPPED").await;
        let paid = payment(&customer, &order).await;
        assert_eq!((mills(&paid["capturedAmount"]), mills(&paid["voidedAmount"])), (13_320, 3_330), "{label}");
    }
    is_sound(&stack).await;
    for process in [orders, payments] {
        process.stop(TIMEOUT).await.expect("it drains");
    }
    stack.stop().await;
}

/// What a reader of the durable consumer of orders leaves behind that dies with events at hand: they come again after newer ones.
async fn takes_and_dies(stack: &Stack, events: usize) {
    let stream = jetstream::new(stack.nats().await).get_stream(topology::stream("shipping")).await.expect("is there");
    let consumer = stream.get_consumer::<pull::Config>("orders").await.expect("is there");
    let taken = consumer.fetch().max_messages(events).expires(TIMEOUT).messages().await.expect("it delivers");
    let taken: Vec<_> = taken.take(events).try_collect().await.expect("they come");
    assert_eq!(taken.len(), events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_units_are_not_paid_for_when_orders_hears_late_of_the_split() {
    let stack = Stack::start(StackOptions::without(&["orders"])).await;
    let mut orders = start(&stack, "orders", "").await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let product = priced(&stack, "EUR", "3", 330_000_000).await;
    let order = place(&customer, &[(&product, 5)], "tok_visa").await;
    let first = id(&order, "shipmentId").to_owned();
    let off = split(&staff, &first, &[(&product, 2)]).await;
    eventually(TIMEOUT, || async {
        let order = customer.get(&format!("/v1/orders/{}", id(&order, "orderId"))).await.expect(200);
        ensure!(order["shipments"].as_array().is_some_and(|shipments| shipments.len() == 2), "{order}");
        Ok(())
    })
    .await;
    orders.stop(TIMEOUT).await.expect("it drains");
    let stopped = split(&staff, &first, &[(&product, 1)]).await;
    takes_and_dies(&stack, 2).await; // the split, and the new shipment
    act(&staff, &off, "dispatch").await;
    act(&staff, &first, "dispatch").await;
    orders = start(&stack, "orders", "").await;
    super::paid(&customer, &order, 2).await;
    act(&staff, &stopped, "stop").await;
    order_with(&customer, &order, "state", "SHIPPED").await;
    let paid = payment(&customer, &order).await;
    assert_eq!((mills(&paid["capturedAmount"]), mills(&paid["voidedAmount"])), (13_320, 3_330));
    is_sound(&stack).await;
    orders.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
