//! An orchestrator that stands still while another one takes over, and one that dies before it has written an answer.

use crate::shop::{PATIENCE, draft, id, product, stock};
use anyhow::ensure;
use bson::{Document, doc};
use kit::{Client, Process, Stack, StackOptions, eventually};
use serde_json::{Value, json};
use std::time::Duration;

const WITHOUT_ORDERS: [&str; 6] = ["users", "products", "inventory", "payments", "shipping", "gateway"];

async fn stack() -> Stack {
    let services = WITHOUT_ORDERS.map(str::to_owned).to_vec();
    Stack::start(StackOptions { services: Some(services), ..Default::default() }).await
}

/// Orders in a process of its own, at the address that the gateway knows.
async fn orders(stack: &Stack, crash_at: &str) -> Process {
    let process = stack.serve_with("orders", &[("COMPTOIR_CRASH_AT", crash_at)]);
    answers(stack).await;
    process
}

async fn answers(stack: &Stack) {
    let customer = Client::customer(stack).await;
    eventually(PATIENCE, || async {
        let reply = customer.get("/v1/orders").await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
}

/// The only order, as it is stored, once it is as wanted.
async fn stored(stack: &Stack, what: &str, is_so: impl Fn(&Document) -> bool) -> Document {
    eventually(PATIENCE, || async {
        let order = stack.db("orders").collection::<Document>("orders").find_one(doc! {}).await?;
        let order = order.filter(|order| is_so(order));
        order.ok_or_else(|| anyhow::anyhow!("the order is not {what}"))
    })
    .await
}

fn epoch(order: &Document) -> i64 {
    order.get_document("saga").expect("a saga").get_i64("epoch").expect("an epoch")
}

/// Sends an order from a task of its own: the process that takes it may stop or die before it has replied.
fn send(customer: &Client, product: &str, token: &'static str) -> tokio::task::JoinHandle<()> {
    let request = customer.request(reqwest::Method::POST, "/v1/orders").json(&draft(&[(product, 1)], token));
    tokio::spawn(async move { drop(request.send().await) })
}

async fn ledger(customer: &Client, order: &Document) -> Vec<Value> {
    let payment = customer.get(&format!("/v1/payments/{}", order.get_str("payment_id").expect("an id"))).await;
    payment.expect(200)["ledger"].as_array().expect("a ledger").clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orchestrator_that_was_stopped_and_replaced_writes_nothing_when_it_goes_on() {
    let stack = stack().await;
    // It stops with the answer in its hands and nothing written.
    let zombie = orders(&stack, "saga.authorize_payment.do.called:1:stop").await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let sent = send(&customer, &product, "tok_action_required");
    zombie.paused(PATIENCE).await.expect("it reaches the point");
    let before = stored(&stack, "there", |_| true).await;
    let other = stack.serve_with("orders", &[("COMPTOIR_LISTEN", "127.0.0.1:0")]);
    let taken = stored(&stack, "taken over", |order| epoch(order) > epoch(&before)).await;
    let waiting = |order: &Document| order.get_str("payment_state").is_ok_and(|state| state == "ActionRequired");
    stored(&stack, "waiting for the payer", waiting).await;
    zombie.resume();
    eventually(PATIENCE, || async {
        ensure!(zombie.output().contains("came too late"), "{}", zombie.tail(5));
        Ok(())
    })
    .await;
    sent.await.expect("the request ends");
    let action = format!("/v1/payments/{}:completeAction", taken.get_str("payment_id").expect("an id"));
    eventually(PATIENCE, || async {
        let reply = customer.post(&action, json!({ "approve": true })).await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
    let done =
        stored(&stack, "confirmed", |order| order.get_str("state").is_ok_and(|state| state == "Confirmed")).await;
    assert_eq!(ledger(&customer, &done).await.len(), 1, "one authorization and nothing else");
    assert_eq!(stock(&stack, &product).await[3], 4);
    for process in [&zombie, &other] {
        process.stop(Duration::from_secs(30)).await.expect("it drains");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_lost_after_the_participant_has_committed_is_asked_for_again() {
    let stack = stack().await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let mut placed = Vec::new();
    for step in ["hold_stock", "authorize_payment", "commit_stock", "create_shipment"] {
        let dying = orders(&stack, &format!("saga.{step}.do.called")).await;
        let sent = send(&customer, &product, "tok_visa");
        dying.ended(PATIENCE).await.unwrap_or_else(|error| panic!("{step}: {error:#}"));
        sent.await.expect("the request ends");
        let replacement = orders(&stack, "").await;
        let all = eventually(PATIENCE, || async {
            let all = customer.get("/v1/orders").await.expect(200)["orders"].clone();
            let newest = &all[0];
            ensure!(newest["state"] == "CONFIRMED" && newest["shipmentState"] == "CREATED", "{step}: {newest}");
            ensure!(!placed.contains(&id(newest, "orderId").to_owned()), "{step}: the order is not there");
            Ok(all)
        })
        .await;
        placed.push(id(&all[0], "orderId").to_owned());
        let saga = customer.get(&format!("/v1/orders/{}/saga", id(&all[0], "orderId"))).await.expect(200);
        assert_eq!(saga["state"], "COMPLETED", "{step}: {saga}");
        replacement.stop(Duration::from_secs(30)).await.expect("it drains");
    }
    assert_eq!(placed.len(), 4);
    assert_eq!(stock(&stack, &product).await, [5, 0, 4, 1]);
    stack.stop().await;
}
