//! Reports of a running system: what they sum, as tables, and after kills and replays.

mod killed;
mod reports;
mod tables;

use anyhow::ensure;
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, id, place, product};
use kit::{Client, Stack, eventually};
use serde_json::{Value, json};

/// Cents of an amount on the wire.
fn cents(money: &Value) -> i64 {
    let units: i64 = money["units"].as_str().expect("an amount").parse().expect("a number");
    units * 100 + money["nanos"].as_i64().expect("a number") / 10_000_000
}

/// The facts in use, in the order of their ids, without what depends on how they came about.
pub async fn facts(stack: &Stack) -> anyhow::Result<Vec<Document>> {
    let database = stack.db("analytics");
    let state = database.collection::<Document>("projection").find_one(doc! {}).await?;
    let is_second = state.as_ref().and_then(|state| state.get_str("slot").ok()) == Some("b");
    let facts = database.collection::<Document>(if is_second { "facts_b" } else { "facts" });
    let stages = [doc! { "$unset": ["rev", "mark"] }, doc! { "$sort": { "_id": 1 } }];
    Ok(facts.aggregate(stages).await?.try_collect().await?)
}

/// Waits until each order has a fact with all of its events.
async fn facts_have_caught_up(stack: &Stack) -> Vec<Document> {
    let orders = stack.db("orders").collection::<Document>("orders");
    eventually(TIMEOUT, || async {
        let facts = facts(stack).await?;
        let orders: Vec<Document> = orders.find(doc! {}).sort(doc! { "_id": 1 }).await?.try_collect().await?;
        let seqs = |all: &[Document]| -> Vec<(String, i64)> {
            all.iter().map(|one| (one.get_str("_id").unwrap().to_owned(), one.get_i64("seq").unwrap())).collect()
        };
        ensure!(seqs(&facts) == seqs(&orders), "{facts:?}, and the orders are {orders:?}");
        Ok(facts)
    })
    .await
}

/// An order that has left, of 12.50 EUR for each unit.
async fn shipped(customer: &Client, staff: &Client, product: &str, units: i32) -> Value {
    let order = place(customer, &[(product, units)], "tok_visa").await;
    staff.post(&format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId")), json!({})).await.expect(200);
    kit::shop::order_with(customer, &order, "state", "SHIPPED").await
}

/// Orders of every end: one that is confirmed, one rejected, one cancelled, one with a refund, one of which a part was stopped.
/// The product, and what must be in the report of the day.
async fn sell(stack: &Stack) -> (String, Value) {
    let product = product(stack, 100).await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    place(&customer, &[(&product, 1)], "tok_visa").await;
    place(&customer, &[(&product, 1)], "tok_declined").await;
    let cancelled = place(&customer, &[(&product, 2)], "tok_visa").await;
    let cancel = format!("/v1/orders/{}:cancel", id(&cancelled, "orderId"));
    customer.post(&cancel, json!({ "reason": "changed my mind" })).await.expect(200);
    kit::shop::order_with(&customer, &cancelled, "state", "CANCELLED").await;
    let refunded = shipped(&customer, &staff, &product, 3).await;
    let amount = json!({ "amount": { "currencyCode": "EUR", "units": "5", "nanos": 10_000_000 } });
    staff.post(&format!("/v1/orders/{}:refund", id(&refunded, "orderId")), amount).await.expect(200);
    crate::orders::refunds::settled(&customer, &refunded).await;
    let parted = place(&customer, &[(&product, 4)], "tok_visa").await;
    let first = id(&parted, "shipmentId").to_owned();
    let off = crate::orders::shipments::split(&staff, &first, &[(&product, 1)]).await;
    crate::orders::shipments::act(&staff, &off, "stop").await;
    crate::orders::shipments::act(&staff, &first, "dispatch").await;
    kit::shop::order_with(&customer, &parted, "state", "SHIPPED").await;
    let row = json!({
        "orders": "4", "units": "10", "gross": 12_500, "cancelled": 2_500 + 1_250, "cancellations": "2",
        "refunded": 501, "refunds": "1", "net": 12_500 - 3_750 - 501, "averageBasket": 3_125,
    });
    (product, row)
}
