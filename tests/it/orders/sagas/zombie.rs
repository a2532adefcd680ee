//! An orchestrator that stands still while another one takes its saga over, and then goes on.

use super::lost_replies::{orders, send, stack};
use crate::cli::verify::is_clean;
use bson::{Document, doc};
use kit::shop::{TIMEOUT, product, stock};
use kit::{Client, Process, Stack, eventually};
use serde_json::{Value, json};
use std::time::Duration;

/// A document of the only order, once it is as wanted.
async fn stored(stack: &Stack, place: (&str, &str), what: &str, is_so: impl Fn(&Document) -> bool) -> Document {
    eventually(TIMEOUT, || async {
        let found = stack.db(place.0).collection::<Document>(place.1).find_one(doc! {}).await?;
        found.filter(|found| is_so(found)).ok_or_else(|| anyhow::anyhow!("{place:?} is not {what}"))
    })
    .await
}

const ORDER: (&str, &str) = ("orders", "orders");

fn saga(order: &Document) -> &Document {
    order.get_document("saga").expect("a saga")
}

fn epoch(order: &Document) -> i64 {
    saga(order).get_i64("epoch").expect("an epoch")
}

fn has_completed(order: &Document) -> bool {
    saga(order).get_str("status").is_ok_and(|status| status == "Completed")
}

fn has_payment_state(order: &Document, state: &str) -> bool {
    order.get_str("payment_state").is_ok_and(|found| found == state)
}

/// Another replica, which is not where the gateway looks for orders.
fn another(stack: &Stack) -> Process {
    stack.serve_with("orders", &[("COMPTOIR_LISTEN", "127.0.0.1:0")])
}

/// Waits until the process tells that it could not write the answer that it had, or got.
async fn is_refused(zombie: &Process, order: &Document) -> String {
    let id = order.get_str("_id").expect("an id").to_owned();
    // Its connections were cut while it slept. A write that is sent twice and finds the order changed is of unknown
    // outcome to it (ADR 4), and it leaves the saga alone as well.
    let tells = |line: &&str| line.contains("came too late") || line.contains("was not written");
    eventually(TIMEOUT, || async {
        let output = zombie.output();
        let line = output.lines().filter(|line| line.contains(&id)).find(tells);
        line.map(str::to_owned).ok_or_else(|| anyhow::anyhow!("nothing was refused: {}", zombie.tail(40)))
    })
    .await
}

async fn ledger(customer: &Client, order: &Document) -> Vec<Value> {
    let payment = customer.get(&format!("/v1/payments/{}", order.get_str("payment_id").expect("an id"))).await;
    payment.expect(200)["ledger"].as_array().expect("a ledger").clone()
}

async fn end(stack: Stack, processes: [Process; 2]) {
    is_clean(&stack).await;
    for process in processes {
        process.stop(Duration::from_secs(30)).await.expect("it drains");
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orchestrator_that_was_stopped_and_replaced_writes_nothing_when_it_goes_on() {
    let stack = stack().await;
    let zombie = orders(&stack, "saga.authorize_payment.do.called:1:stop").await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let sent = send(&customer, &product, "tok_action_required");
    zombie.paused(TIMEOUT).await.expect("it reaches the point");
    let before = stored(&stack, ORDER, "there", |_| true).await;
    assert!(has_payment_state(&before, "Unspecified"), "it has the answer in its hands and has written nothing");
    let other = another(&stack);
    let is_taken = |order: &Document| epoch(order) > epoch(&before) && has_payment_state(order, "ActionRequired");
    let taken = stored(&stack, ORDER, "taken over", is_taken).await;
    let action = format!("/v1/payments/{}:completeAction", taken.get_str("payment_id").expect("an id"));
    customer.post(&action, json!({ "approve": true })).await.expect(200);
    let done = stored(&stack, ORDER, "done", has_completed).await;
    assert_eq!(done.get_str("state").expect("a state"), "Confirmed");

    zombie.resume();
    is_refused(&zombie, &done).await;
    sent.await.expect("the request ends");
    assert_eq!(stored(&stack, ORDER, "there", |_| true).await, done, "the answer of then is not what is true now");
    assert_eq!(ledger(&customer, &done).await.len(), 1, "one authorization and nothing else");
    assert_eq!(stock(&stack, &product).await, [5, 0, 1, 4]);
    end(stack, [zombie, other]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_participant_refuses_the_late_call_of_an_orchestrator_that_was_replaced() {
    let stack = stack().await;
    let zombie = orders(&stack, "saga.commit_stock.do.calling:1:stop").await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let sent = send(&customer, &product, "tok_visa");
    zombie.paused(TIMEOUT).await.expect("it reaches the point");
    let other = another(&stack);
    let done = stored(&stack, ORDER, "done", has_completed).await;
    let reservation = ("inventory", "reservations");
    let sold = stored(&stack, reservation, "there", |_| true).await;
    assert_eq!(sold.get_str("state").expect("a state"), "Committed");

    zombie.resume();
    let line = is_refused(&zombie, &done).await;
    assert!(line.contains("STALE_EPOCH"), "{line}");
    sent.await.expect("the request ends");
    assert_eq!(stored(&stack, reservation, "there", |_| true).await, sold);
    assert_eq!(stored(&stack, ORDER, "there", |_| true).await, done);
    assert_eq!(stock(&stack, &product).await, [5, 0, 1, 4]);
    end(stack, [zombie, other]).await;
}
