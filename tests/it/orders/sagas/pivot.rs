//! The pivot on real stores: the hold is extended just before it, and the saga's deadline exactly at it.

use super::lost_replies::answers;
use crate::{cli::verify::is_clean, payments::as_orders};
use anyhow::ensure;
use bson::{DateTime, Document, doc};
use contracts::{
    id::Kind,
    inventory::v1::{HoldStockRequest, ReservationLine, inventory_service_client::InventoryServiceClient},
};
use kit::shop::{TIMEOUT, draft, id, order_with, product, stock};
use kit::{Client, Process, Stack, StackOptions, all_but, eventually};
use serde_json::{Value, json};

/// Life of a hold: much shorter than the minute that must be left when an order is confirmed.
const HOLD_SECONDS: u32 = 20;

/// How long before the end of its hold an order is paid: enough to be confirmed without an extension, too little to be sold.
const LATE_MS: i64 = 8_000;

/// Orders that are paid at their deadline.
const AT_THE_DEADLINE: i64 = 30;

async fn reservation(stack: &Stack, id: &str) -> anyhow::Result<Document> {
    let found = stack.db("inventory").collection::<Document>("reservations").find_one(doc! { "_id": id }).await?;
    found.ok_or_else(|| anyhow::anyhow!("no reservation {id}"))
}

async fn end_of_hold(stack: &Stack, id: &str) -> DateTime {
    let found = reservation(stack, id).await.expect("it is there");
    *found.get_datetime("expires_at").expect("a time")
}

async fn until(moment: DateTime) {
    eventually(TIMEOUT, || async {
        ensure!(store::now() >= moment, "it is not yet {moment}");
        Ok(())
    })
    .await;
}

fn plus(time: DateTime, ms: i64) -> DateTime {
    DateTime::from_millis(time.timestamp_millis() + ms)
}

async fn waiting_for_the_payer(customer: &Client, product: &str) -> Value {
    let order = customer.post("/v1/orders", draft(&[(product, 1)], "tok_action_required")).await.expect(201);
    order_with(customer, &order, "paymentState", "ACTION_REQUIRED").await
}

/// The payer approves. At a deadline the payment may be voided already, or just then.
async fn approve(customer: &Client, order: &Value) {
    let path = format!("/v1/payments/{}:completeAction", id(order, "paymentId"));
    let reply = customer.post(&path, json!({ "approve": true })).await;
    assert!([200, 400, 503].contains(&reply.status), "{reply:?}");
}

/// A hold of now, which nobody will extend.
async fn another_hold(stack: &Stack, product: &str) -> String {
    let id = Kind::Order.new_id();
    let lines = vec![ReservationLine { product_id: product.to_owned(), quantity: 1 }];
    let hold = HoldStockRequest { reservation_id: id.clone(), lines, step_key: "hold/do".into(), epoch: 1 };
    let mut inventory = InventoryServiceClient::new(as_orders(stack, "inventory"));
    inventory.hold_stock(hold).await.expect("it is there");
    id
}

async fn has_run_out(stack: &Stack, id: &str) {
    eventually(TIMEOUT, || async {
        let found = reservation(stack, id).await?;
        ensure!(found.get_str("state")? == "Expired", "it is {}", found.get_str("state")?);
        Ok(())
    })
    .await;
}

async fn orders_that_stop_before_the_sale(stack: &Stack) -> Process {
    let process = stack.serve_with("orders", &[("COMPTOIR_CRASH_AT", "saga.commit_stock.do.calling:1:stop")]);
    answers(stack).await;
    process
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_that_is_extended_just_before_the_pivot_outlives_its_first_end() {
    let (services, hold_seconds) = (Some(all_but(&["orders"])), Some(HOLD_SECONDS));
    let stack = Stack::start(StackOptions { services, hold_seconds, ..Default::default() }).await;
    let orders = orders_that_stop_before_the_sale(&stack).await;
    let product = product(&stack, 5).await;
    let (customer, _) = Client::register(&stack).await;
    let order = waiting_for_the_payer(&customer, &product).await;
    let order_id = id(&order, "orderId");
    let first_end = end_of_hold(&stack, order_id).await;
    let control = another_hold(&stack, &product).await;
    until(plus(first_end, -LATE_MS)).await;
    approve(&customer, &order).await;
    orders.paused(TIMEOUT).await.expect("it is confirmed and not yet sold");
    let extended = end_of_hold(&stack, order_id).await;
    assert!(extended > plus(first_end, 5_000), "{first_end} {extended}");
    has_run_out(&stack, &control).await;
    let held = reservation(&stack, order_id).await.expect("it is there");
    assert_eq!(held.get_str("state").expect("a state"), "Held", "a hold that was made later has been given back");

    orders.resume();
    let confirmed = order_with(&customer, &order, "shipmentState", "CREATED").await;
    assert_eq!((&confirmed["state"], &confirmed["paymentState"]), (&json!("CONFIRMED"), &json!("AUTHORIZED")));
    assert_eq!(stock(&stack, &product).await, [5, 0, 1, 4]);
    orders.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

/// Whole: sold and paid, or nothing of it.
fn is_whole(order: &Value) -> bool {
    let states = ["state", "paymentState", "shipmentState"].map(|field| order[field].as_str().unwrap_or_default());
    matches!(states, ["CONFIRMED", "AUTHORIZED", "CREATED"] | ["REJECTED", "VOIDED", _])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_paid_at_its_sagas_deadline_is_confirmed_whole_or_rejected_whole() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 100).await;
    let (customer, _) = Client::register(&stack).await;
    let waiting = (0..AT_THE_DEADLINE).map(|_| waiting_for_the_payer(&customer, &product));
    let waiting = futures::future::join_all(waiting).await;
    let deadline = plus(store::now(), 2_000);
    let at_once = doc! { "$set": { "saga.deadline_at": deadline, "saga.wake_at": deadline } };
    let orders = stack.db("orders").collection::<Document>("orders");
    orders.update_many(doc! {}, at_once).await.expect("mongod answers");
    let paying = waiting.iter().zip(0..).map(|(order, number)| {
        let customer = &customer;
        async move {
            until(plus(deadline, (number - AT_THE_DEADLINE / 2) * 20)).await; // 300 ms before it to 300 ms after it
            approve(customer, order).await;
        }
    });
    futures::future::join_all(paying).await;
    let ended = eventually(TIMEOUT, || async {
        let all = customer.get("/v1/orders").await.expect(200)["orders"].as_array().cloned().unwrap_or_default();
        let open = all.iter().find(|order| !is_whole(order));
        ensure!(open.is_none() && all.len() == waiting.len(), "{open:?}");
        Ok(all)
    })
    .await;
    let confirmed = ended.iter().filter(|order| order["state"] == "CONFIRMED").count();
    let rejected = ended.iter().filter(|order| order["reason"] == "DEADLINE_EXCEEDED").count();
    assert_eq!(confirmed + rejected, ended.len(), "{ended:?}");
    eprintln!("paid at their deadline: {confirmed} confirmed, {rejected} rejected");
    let sold = i64::try_from(confirmed).expect("small");
    assert_eq!(stock(&stack, &product).await, [100, 0, sold, 100 - sold]);
    is_clean(&stack).await;
    stack.stop().await;
}
