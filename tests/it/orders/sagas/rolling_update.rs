//! A rolling change of a saga's definition under live orders: processes of the old build beside those of the next one.

use super::lost_replies::{orders, stack};
use crate::cli::verify::is_clean;
use anyhow::ensure;
use bson::{Document, doc};
use futures::{StreamExt, TryStreamExt, stream};
use kit::shop::{TIMEOUT, draft, id, product, stock};
use kit::{Client, Process, Stack, eventually};
use serde_json::json;
use std::{path::Path, time::Duration};

/// Orders that wait for their payers when the change begins, and those that are placed in its middle.
const OLD: usize = 400;
const NEW: usize = 100;

/// The version of place_order that this build starts, and that of the next build.
const THIS: i32 = orders::PLACE_ORDER.version;
const NEXT: i32 = THIS + 1;

const ELSEWHERE: [(&str, &str); 1] = [("COMPTOIR_LISTEN", "127.0.0.1:0")];

/// A process whose place_order has a next version.
fn next_build(stack: &Stack, more: &[(&str, &str)]) -> Process {
    stack.serve_of(Path::new(env!("CARGO_BIN_EXE_comptoir-next")), "orders", more)
}

async fn place(customer: &Client, product: &str, count: usize) {
    let body = draft(&[(product, 1)], "tok_action_required");
    let place = |_| async { id(&customer.post("/v1/orders", body.clone()).await.expect(201), "orderId").to_owned() };
    let placed: Vec<String> = stream::iter(0..count).map(place).buffer_unordered(16).collect().await;
    assert_eq!(placed.len(), count);
}

async fn found(stack: &Stack, filter: Document) -> Vec<Document> {
    let orders = stack.db("orders").collection::<Document>("orders");
    orders.find(filter).await.expect("mongod answers").try_collect().await.expect("mongod answers")
}

async fn until(stack: &Stack, filter: Document, count: usize) {
    eventually(TIMEOUT * 2, || async {
        let orders = found(stack, filter.clone()).await;
        ensure!(orders.len() == count, "{} of {count} are {filter}", orders.len());
        Ok(())
    })
    .await;
}

/// Pays those orders.
async fn approve(customer: &Client, orders: &[Document]) {
    let approve = |order: &Document| {
        let path = format!("/v1/payments/{}:completeAction", order.get_str("payment_id").expect("an id"));
        async move { customer.post(&path, json!({ "approve": true })).await.expect(200) }
    };
    stream::iter(orders).map(approve).buffer_unordered(16).collect::<Vec<_>>().await;
}

fn waiting(version: i32) -> Document {
    doc! { "saga.version": version, "payment_state": "ActionRequired", "saga.status": "Running" }
}

fn completed(version: i32) -> Document {
    doc! { "saga.version": version, "state": "Confirmed", "saga.status": "Completed" }
}

/// Each step of the order's saga, in the order of its version, was done.
fn was_followed(order: &Document) {
    let saga = order.get_document("saga").expect("a saga");
    let steps = saga.get_array("steps").expect("steps").iter().filter_map(|step| step.as_document());
    let (mut names, mut ends) = (Vec::new(), Vec::new());
    for step in steps {
        assert_eq!(step.get_str("progress").expect("progress"), "Done", "{order}");
        names.push(step.get_str("name").expect("a name"));
        ends.push(step.get_datetime("started_at").expect("a time"));
    }
    let after_the_pivot = match saga.get_i32("version").expect("a version") {
        THIS => ["commit_stock", "create_shipment"],
        _ => ["create_shipment", "commit_stock"],
    };
    assert_eq!(names, [&["hold_stock", "authorize_payment"], &after_the_pivot[..]].concat());
    assert!(ends.is_sorted(), "{order}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_live_orders_keep_their_version_through_a_rolling_change() {
    let stack = stack().await;
    let product = product(&stack, 1_000).await;
    let (customer, _) = Client::register(&stack).await;
    let first = orders(&stack, "").await;
    let last_of_the_old = stack.serve_with("orders", &ELSEWHERE);
    place(&customer, &product, OLD).await;
    until(&stack, waiting(THIS), OLD).await;

    first.stop(Duration::from_secs(30)).await.expect("it drains");
    let new = next_build(&stack, &[]);
    super::lost_replies::answers(&stack).await;
    place(&customer, &product, NEW).await;
    until(&stack, waiting(NEXT), NEW).await;
    // Old and new hear of the payments, and look for what is due.
    let (old_orders, new_orders) = (found(&stack, waiting(THIS)).await, found(&stack, waiting(NEXT)).await);
    assert_eq!((old_orders.len(), new_orders.len()), (OLD, NEW), "all of them live");
    approve(&customer, &old_orders[..OLD / 2]).await;
    approve(&customer, &new_orders[..NEW / 2]).await;
    until(&stack, completed(NEXT), NEW / 2).await;
    until(&stack, completed(THIS), OLD / 2).await;

    last_of_the_old.stop(Duration::from_secs(30)).await.expect("it drains");
    let another_new = next_build(&stack, &ELSEWHERE);
    approve(&customer, &old_orders[OLD / 2..]).await;
    approve(&customer, &new_orders[NEW / 2..]).await;
    until(&stack, completed(NEXT), NEW).await;
    until(&stack, completed(THIS), OLD).await;
    found(&stack, doc! {}).await.iter().for_each(was_followed);
    assert_eq!(stock(&stack, &product).await, [1_000, 0, 500, 500]);
    is_clean(&stack).await;
    for process in [new, another_new] {
        process.stop(Duration::from_secs(30)).await.expect("it drains");
    }
    stack.stop().await;
}
