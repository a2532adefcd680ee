//! Data that somebody removed by hand: an alarm when events are lost with it, and none when there were none.

use super::{PATIENCE, shop::Shop};
use anyhow::ensure;
use bson::doc;
use futures::TryStreamExt;
use kit::{Process, eventually};

/// What an alarm says.
const LOST: &str = "events that were pending in it are lost";

/// What is said when nothing is.
const NOTHING: &str = "no event was pending in it";

/// Waits until the relay has said of what was done to the products that `verdict`.
async fn told(relay: &Process, what: &str, verdict: &str) {
    eventually(PATIENCE, || async {
        let output = relay.output();
        let line = output.lines().find(|line| line.contains(what));
        ensure!(line.is_some_and(|line| line.contains(verdict)), "nobody said {verdict:?} of {what}:\n{output}");
        Ok(())
    })
    .await;
}

/// Waits until the service has built its last index: meanwhile mongod renames no collection, and a collection that is
/// dropped would end the service.
async fn indexed(shop: &Shop) {
    let built = doc! { "$match": { "name": "sku_key_1", "building": { "$ne": true } } };
    let look = [doc! { "$indexStats": {} }, built];
    eventually(PATIENCE, || async {
        let found: Vec<_> = shop.written.collection().aggregate(look.clone()).await?.try_collect().await?;
        ensure!(!found.is_empty(), "the index has not been built");
        Ok(())
    })
    .await;
}

async fn rename(shop: &Shop, to: &str) {
    let namespace = |collection: &str| format!("{}.{collection}", shop.db.name());
    let command = doc! { "renameCollection": namespace("products"), "to": namespace(to), "dropTarget": true };
    shop.stores.mongodb().database("admin").run_command(command).await.expect("root may");
}

#[tokio::test]
async fn what_is_renamed_dropped_or_deleted_with_nothing_pending_is_no_alarm() {
    let shop = Shop::open().await;
    let relay = shop.relay();
    let ids = shop.written.products(3, 2).await;
    shop.settled().await;
    indexed(&shop).await;
    shop.written.collection().delete_one(doc! { "_id": &ids[0] }).await.expect("root may");
    told(&relay, &format!("delete of products {}", ids[0]), NOTHING).await;
    rename(&shop, "products_old").await;
    told(&relay, "rename of products", NOTHING).await;
    shop.written.products(2, 2).await;
    shop.settled().await;
    shop.stores
        .mongodb()
        .database(shop.db.name())
        .collection::<bson::Document>("products")
        .drop()
        .await
        .expect("root may");
    told(&relay, "drop of products", NOTHING).await;
    assert!(!relay.output().contains("raw_removal"), "{}", relay.output());
    relay.kill().await;
}

/// Nothing of a document that never had an event can be lost.
#[tokio::test]
async fn a_document_without_events_that_is_deleted_is_no_alarm() {
    let shop = Shop::open().await;
    let relay = shop.relay();
    shop.written.products(1, 1).await;
    shop.settled().await;
    shop.written.collection().insert_one(doc! { "_id": "prd_by_hand" }).await.expect("root may");
    shop.written.collection().delete_one(doc! { "_id": "prd_by_hand" }).await.expect("root may");
    told(&relay, "delete of products prd_by_hand", NOTHING).await;
    relay.kill().await;
}

/// While the relay is away, so that events are pending when it is done.
async fn with_events_pending(remove: impl AsyncFn(&Shop, &str), what: &str) {
    let shop = Shop::open().await;
    let relay = shop.relay();
    let ids = shop.written.products(3, 2).await;
    shop.settled().await;
    indexed(&shop).await;
    relay.stop(PATIENCE).await.expect("products drains");
    shop.written.update(&ids[1], 2).await;
    remove(&shop, &ids[1]).await;
    let relay = shop.relay();
    told(&relay, what, LOST).await;
    let output = relay.output();
    let alarm = output.lines().find(|line| line.contains(LOST)).expect("it was told");
    assert!(alarm.contains("ERROR") && alarm.contains("raw_removal") && alarm.contains(&ids[1]), "{alarm}");
    assert!(!alarm.contains(&ids[0]) && !alarm.contains(&ids[2]), "nothing of these was pending: {alarm}");
    relay.kill().await;
}

#[tokio::test]
async fn a_collection_that_is_renamed_with_events_pending_is_an_alarm_that_names_the_document() {
    with_events_pending(async |shop, _| rename(shop, "products_old").await, "rename of products").await;
}

#[tokio::test]
async fn a_collection_that_is_dropped_with_events_pending_is_an_alarm_that_names_the_document() {
    let drop = async |shop: &Shop, _: &str| shop.written.collection().drop().await.expect("root may");
    with_events_pending(drop, "drop of products").await;
}

#[tokio::test]
async fn a_document_that_is_deleted_with_events_pending_is_an_alarm() {
    let delete = async |shop: &Shop, id: &str| {
        shop.written.collection().delete_one(doc! { "_id": id }).await.expect("root may");
    };
    with_events_pending(delete, "delete of products").await;
}
