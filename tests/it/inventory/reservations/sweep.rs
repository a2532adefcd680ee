//! The sweep of holds that ran out: what cannot be given back holds up nothing behind it.

use super::Inventory;
use anyhow::ensure;
use bson::{Document, doc};
use contracts::id::Kind as Id;
use kit::shop::{self, TIMEOUT};
use kit::{Stack, StackOptions, eventually};
use store::Time;

/// More than one look takes.
const CROWD: i64 = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_that_cannot_be_given_back_hold_up_no_other() {
    let stack = Stack::start(StackOptions { hold_seconds: Some(3), ..StackOptions::default() }).await;
    let (inventory, product) = (Inventory::of(&stack), shop::product(&stack, 10).await);
    let (stock, reservations) =
        (stack.db("inventory").collection("stock"), stack.db("inventory").collection("reservations"));
    // Of a product whose counters cannot be read; and some that cannot be read themselves.
    let model = Id::Order.new_id();
    inventory.hold(&model, &product, 1).await.expect("OK");
    let model: Document = reservations.find_one(doc! { "_id": model }).await.expect("mongod answers").expect("a hold");
    let mut unreadable: Document =
        stock.find_one(doc! { "_id": &product }).await.expect("mongod answers").expect("stock");
    unreadable.extend(doc! { "_id": "prd_unreadable", "on_hand": "many" });
    stock.insert_one(unreadable).await.expect("root may");
    let bad = (0..CROWD).map(|number| {
        let mut bad = model.clone();
        let expires_at = Time::from_millis(1_000_000 + number);
        bad.extend(doc! { "_id": Id::Order.new_id(), "state": "Held", "expires_at": expires_at });
        bad.insert("lines", vec![doc! { "product_id": "prd_unreadable", "quantity": 1 }]);
        if number % 10 == 0 {
            bad.insert("created_at", "yesterday");
        }
        bad
    });
    reservations.insert_many(bad).await.expect("root may");
    let good = Id::Order.new_id();
    inventory.hold(&good, &product, 4).await.expect("OK");
    assert_eq!(shop::stock(&stack, &product).await[3], 5);
    eventually(TIMEOUT, || async {
        let available = shop::stock(&stack, &product).await[3];
        ensure!(available == 10, "{available} are available");
        Ok(())
    })
    .await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_in_company_with_one_for_unreadable_stock_are_carried_out() {
    let stack = Stack::start(StackOptions::default()).await;
    let (inventory, product) = (Inventory::of(&stack), shop::product(&stack, 50).await);
    let stock = stack.db("inventory").collection::<Document>("stock");
    let mut unreadable = stock.find_one(doc! { "_id": &product }).await.expect("mongod answers").expect("stock");
    unreadable.extend(doc! { "_id": "prd_unreadable", "on_hand": "many" });
    stock.insert_one(unreadable).await.expect("root may");
    for _ in 0..10 {
        let holds = [product.as_str(), "prd_unreadable", &product, &product];
        let holds = holds.map(|product| (Id::Order.new_id(), product));
        let held = futures::future::join_all(holds.iter().map(|(id, product)| inventory.hold(id, product, 1))).await;
        let is_held: Vec<bool> = held.iter().map(Result::is_ok).collect();
        assert_eq!(is_held, [true, false, true, true], "{held:?}");
    }
    stack.stop().await;
}
