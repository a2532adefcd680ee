//! An orchestrator that dies before it has written an answer.

use anyhow::ensure;
use kit::shop::{TIMEOUT, draft, id, product, stock};
use kit::{Client, Process, Stack, StackOptions, eventually};
use std::time::Duration;

/// Everything but orders.
pub async fn stack() -> Stack {
    Stack::start(StackOptions::without(&["orders"])).await
}

/// Orders in a process of its own, at the address that the gateway knows.
pub async fn orders(stack: &Stack, crash_at: &str) -> Process {
    let process = stack.serve_with("orders", &[("COMPTOIR_CRASH_AT", crash_at)]);
    answers(stack).await;
    process
}

pub async fn answers(stack: &Stack) {
    let customer = Client::customer(stack).await;
    eventually(TIMEOUT, || async {
        let reply = customer.get("/v1/orders").await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
}

/// Sends an order from a task of its own: the process that takes it may stop or die before it has replied.
pub fn send(customer: &Client, product: &str, token: &'static str) -> tokio::task::JoinHandle<()> {
    let request = customer.request(reqwest::Method::POST, "/v1/orders").json(&draft(&[(product, 1)], token));
    tokio::spawn(async move { drop(request.send().await) })
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
        dying.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{step}: {error:#}"));
        sent.await.expect("the request ends");
        let replacement = orders(&stack, "").await;
        let all = eventually(TIMEOUT, || async {
            let all = customer.get("/v1/orders").await.expect(200)["orders"].clone();
            let newest = &all[0];
            ensure!(newest["state"] == "CONFIRMED" && newest["shipmentState"] == "CREATED", "{step}: {newest}");
            ensure!(!placed.contains(&id(newest, "orderId").to_owned()), "{step}: the order is not there");
            Ok(all)
        })
        .await;
        placed.push(id(&all[0], "orderId").to_owned());
        // Shipping's own news of the shipment may be here before the step has been asked for again.
        let path = format!("/v1/orders/{}/saga", id(&all[0], "orderId"));
        eventually(TIMEOUT, || async {
            let saga = customer.get(&path).await.expect(200);
            ensure!(saga["state"] == "COMPLETED", "{step}: {saga}");
            Ok(())
        })
        .await;
        replacement.stop(Duration::from_secs(30)).await.expect("it drains");
    }
    assert_eq!(placed.len(), 4);
    assert_eq!(stock(&stack, &product).await, [5, 0, 4, 1]);
    stack.stop().await;
}
