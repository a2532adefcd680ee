//! The ledger: one document for the movements of a batch, whatever kept them before.

use super::{Inventory, shipped};
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::shop;
use kit::{Client, Stack, StackOptions};
use mongodb::IndexModel;
use serde_json::Value;

async fn movements(stack: &Stack, product: &str) -> Value {
    let staff = Client::staff(stack).await;
    staff.get(&format!("/v1/stock/{product}/movements")).await.expect(200)["movements"].clone()
}

/// Puts each movement into a document of its own, under the index that the ledger had then.
async fn as_earlier_releases_kept_them(stack: &Stack) {
    let ledger = stack.db("inventory").collection::<Document>("movements");
    let moves = ledger.aggregate(inventory::movements(doc! {})).await.expect("mongod answers");
    let moves: Vec<Document> = moves.try_collect().await.expect("mongod answers");
    ledger.delete_many(doc! {}).await.expect("root may");
    ledger
        .create_index(IndexModel::builder().keys(doc! { "product_id": 1, "seq": 1 }).build())
        .await
        .expect("root may");
    ledger.insert_many(moves).await.expect("root may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_movements_of_an_earlier_release_stay_in_the_ledger_and_it_goes_on() {
    let mut stack = Stack::start(StackOptions::default()).await;
    let product = shop::product(&stack, 5).await;
    shipped(&Inventory::of(&stack), &product, 3).await;
    let before = movements(&stack, &product).await;
    as_earlier_releases_kept_them(&stack).await;
    stack.stop().await;
    stack.restart().await;
    assert_eq!(movements(&stack, &product).await, before);
    shipped(&Inventory::of(&stack), &product, 1).await;
    let after = movements(&stack, &product).await;
    let (fresh, rest) = after.as_array().expect("a list").split_at(3);
    assert_eq!(fresh.iter().map(|each| each["kind"].clone()).collect::<Vec<_>>(), ["SHIP", "COMMIT", "HOLD"]);
    assert_eq!(Value::from(rest), before);
    stack.stop().await;
}
