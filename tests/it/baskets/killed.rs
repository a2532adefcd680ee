//! SIGKILL of baskets, of orders and of mongod at each step of a checkout: one order, and the basket is that order.

use super::{basket, checkout, checkout::orders, contents, path};
use crate::{audit, cli::verify::is_clean};
use anyhow::ensure;
use bson::{DateTime, Document, doc};
use kit::shop::{TIMEOUT, id, product, sagas_have_ended};
use kit::{Client, Process, Stack, StackOptions, eventually};
use serde_json::{Value, json};

/// A service in a process of its own, which a test kills at this label; it answers.
async fn start(stack: &Stack, service: &str, crash_at: &str) -> Process {
    let more = [("COMPTOIR_CRASH_AT", crash_at)];
    let process = stack.serve_with(service, if crash_at.is_empty() { &[] } else { &more });
    let staff = Client::staff(stack).await;
    let path = if service == "orders" { "/v1/orders/ord_absent" } else { "/v1/baskets/bsk_absent" };
    eventually(TIMEOUT, || async {
        let reply = staff.get(path).await;
        ensure!(reply.status == 404, "{reply:?}");
        Ok(())
    })
    .await;
    process
}

/// The basket once it is checked out, by reads of `reader` alone or by repeats of the checkout.
async fn finished(customer: &Client, basket: &Value, reader: Option<&Client>) -> Value {
    eventually(TIMEOUT, || async {
        if reader.is_none() {
            let reply = customer.post(&format!("{}:checkout", path(basket)), checkout("tok_visa")).await;
            ensure!(reply.status == 200, "{reply:?}");
        }
        let read = reader.unwrap_or(customer).get(&path(basket)).await;
        ensure!(read.status == 200 && read.body["state"] == "CHECKED_OUT", "{read:?}");
        Ok(read.body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_at_whatever_step_of_a_checkout_there_is_one_order() {
    let stack = Stack::start(StackOptions::without(&["baskets", "orders"])).await;
    let (mut baskets, mut orders_process) = (start(&stack, "baskets", "").await, start(&stack, "orders", "").await);
    let (staff, product) = (Client::staff(&stack).await, product(&stack, 1_000).await);
    for (label, has_order) in [
        ("baskets.checkout.begun", false),
        ("baskets.checkout.ordered", true),
        ("baskets.checkout.finished", true),
        ("orders.pricing", false),
        ("orders.accepting", false),
        ("orders.accepted", true),
    ] {
        for by_reads in [true, false] {
            let customer = Client::register(&stack).await.0;
            let own = basket(&customer, &[(&product, 2)]).await;
            let name = if label.starts_with("baskets") { "baskets" } else { "orders" };
            let victim = if name == "baskets" { &mut baskets } else { &mut orders_process };
            victim.stop(TIMEOUT).await.expect("it drains");
            *victim = start(&stack, name, label).await;
            let cut_off = customer.post(&format!("{}:checkout", path(&own)), checkout("tok_visa")).await;
            assert!(cut_off.status >= 500, "{label}: {cut_off:?}");
            victim.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
            *victim = start(&stack, name, "").await;
            // Without an order a read cannot finish the checkout: the payment was told to nobody but the dead.
            let reader = (by_reads && has_order).then_some(&staff);
            let ended = finished(&customer, &own, reader).await;
            assert_eq!(orders(&customer).await, 1, "{label}");
            if reader.is_some() && label != "baskets.checkout.finished" {
                let entries = audit::entries_of(&stack, "baskets", id(&own, "basketId"), 2).await;
                assert_eq!(audit::actor(&entries, "checked_out"), ("", ""), "{label}: no deed of who reads it");
            }
            let order = customer.get(&format!("/v1/orders/{}", id(&ended, "orderId"))).await.expect(200);
            assert_eq!((contents(&order), contents(&ended)), (contents(&own), contents(&own)), "{label}");
        }
    }
    sagas_have_ended(&stack, TIMEOUT).await;
    is_clean(&stack).await;
    for process in [baskets, orders_process] {
        process.stop(TIMEOUT).await.expect("it drains");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_step_of_a_checkout_leaves_one_order() {
    let mut stack = Stack::start(StackOptions::without(&["baskets"])).await;
    let product = product(&stack, 1_000).await;
    let customer = Client::register(&stack).await.0;
    for label in ["baskets.checkout.begun:1:stop", "baskets.checkout.ordered:1:stop"] {
        let process = start(&stack, "baskets", label).await;
        let customer = Client::at(stack.gateway()).with_token(customer.token());
        let before = orders(&customer).await;
        let own = basket(&customer, &[(&product, 1)]).await;
        let call = tokio::spawn({
            let (customer, path) = (customer.clone(), format!("{}:checkout", path(&own)));
            async move { customer.request(reqwest::Method::POST, &path).json(&checkout("tok_visa")).send().await }
        });
        process.paused(TIMEOUT).await.expect("it stands still at the step");
        stack.kill_all().await;
        process.kill().await;
        drop(call.await);
        stack.restart().await;
        let process = start(&stack, "baskets", "").await;
        let customer = Client::at(stack.gateway()).with_token(customer.token());
        finished(&customer, &own, None).await;
        assert_eq!(orders(&customer).await, before + 1, "{label}");
        process.stop(TIMEOUT).await.expect("it drains");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_that_came_to_nothing_opens_the_basket_once_no_call_is_under_way() {
    let stack = Stack::start(StackOptions::without(&["baskets"])).await;
    let product = product(&stack, 10).await;
    let customer = Client::register(&stack).await.0;
    let process = start(&stack, "baskets", "baskets.checkout.begun").await;
    let own = basket(&customer, &[(&product, 1)]).await;
    let cut_off = customer.post(&format!("{}:checkout", path(&own)), checkout("tok_visa")).await;
    assert!(cut_off.status >= 500, "{cut_off:?}");
    process.ended(TIMEOUT).await.expect("it is killed");
    let process = start(&stack, "baskets", "").await;
    let read = customer.get(&path(&own)).await.expect(200);
    assert_eq!((&read["state"], &read["expireTime"]), (&json!("CHECKING_OUT"), &Value::Null), "{read}");
    let change = customer.patch(&path(&own), json!({ "couponCode": "SUMMER" })).await;
    assert_eq!(kit::shop::reason(&change), "CHECKOUT_UNDER_WAY", "{change:?}");
    // As if more than a minute had passed. Nobody reads the basket: the service finds it.
    let stored = stack.db("baskets").collection::<Document>("baskets");
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 120_000);
    let filter = doc! { "_id": id(&own, "basketId") };
    stored.update_one(filter.clone(), doc! { "$set": { "checkout.at": long_ago } }).await.expect("root may");
    eventually(TIMEOUT, || async {
        let basket = stored.find_one(filter.clone()).await?.expect("it is there");
        ensure!(basket.get_str("state")? == "Open", "{basket}");
        Ok(())
    })
    .await;
    customer.patch(&path(&own), json!({ "couponCode": "SUMMER" })).await.expect(200);
    assert_eq!(orders(&customer).await, 0);
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
