//! Data that somebody removed by hand: an alarm when events are lost with it, and none when there were none.

use super::{TIMEOUT, fixture::Fixture};
use anyhow::ensure;
use bson::doc;
use futures::TryStreamExt;
use kit::{Process, eventually};
use products::Product;
use store::Documents;

/// What an alarm says.
const LOST: &str = "events that were pending in it are lost";

/// What is said when nothing is.
const NOTHING: &str = "no event was pending in it";

/// Waits until the relay has logged `verdict` of what was done to the products.
async fn has_logged(relay: &Process, what: &str, verdict: &str) {
    eventually(TIMEOUT, || async {
        let output = relay.output();
        let line = output.lines().find(|line| line.contains(what));
        ensure!(line.is_some_and(|line| line.contains(verdict)), "nobody said {verdict:?} of {what}:\n{output}");
        Ok(())
    })
    .await;
}

/// Waits until the service has built its last index: meanwhile mongod renames no collection, and a collection that is
/// dropped would end the service.
async fn indexed(fixture: &Fixture) {
    let built = doc! { "$match": { "name": "sku_key_1", "building": { "$ne": true } } };
    let look = [doc! { "$indexStats": {} }, built];
    eventually(TIMEOUT, || async {
        let found: Vec<_> = fixture.writer.collection().aggregate(look.clone()).await?.try_collect().await?;
        ensure!(!found.is_empty(), "the index has not been built");
        Ok(())
    })
    .await;
}

async fn rename(fixture: &Fixture, to: &str) {
    let namespace = |collection: &str| format!("{}.{collection}", fixture.db.name());
    let command = doc! { "renameCollection": namespace("products"), "to": namespace(to), "dropTarget": true };
    fixture.stores.mongodb().database("admin").run_command(command).await.expect("root may");
}

#[tokio::test]
async fn what_is_renamed_dropped_or_deleted_with_nothing_pending_is_no_alarm() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(3, 2).await;
    fixture.settled().await;
    indexed(&fixture).await;
    fixture.writer.collection().delete_one(doc! { "_id": &ids[0] }).await.expect("root may");
    has_logged(&relay, &format!("delete of products {}", ids[0]), NOTHING).await;
    rename(&fixture, "products_old").await;
    has_logged(&relay, "rename of products", NOTHING).await;
    fixture.writer.products(2, 2).await;
    fixture.settled().await;
    fixture
        .stores
        .mongodb()
        .database(fixture.db.name())
        .collection::<bson::Document>("products")
        .drop()
        .await
        .expect("root may");
    has_logged(&relay, "drop of products", NOTHING).await;
    assert!(!relay.output().contains("raw_removal"), "{}", relay.output());
    relay.kill().await;
}

/// Nothing of a document that never had an event can be lost.
#[tokio::test]
async fn a_document_without_events_that_is_deleted_is_no_alarm() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    fixture.writer.products(1, 1).await;
    fixture.settled().await;
    fixture.writer.collection().insert_one(doc! { "_id": "prd_by_hand" }).await.expect("root may");
    fixture.writer.collection().delete_one(doc! { "_id": "prd_by_hand" }).await.expect("root may");
    has_logged(&relay, "delete of products prd_by_hand", NOTHING).await;
    relay.kill().await;
}

/// While the relay is away, so that events are pending when it is done.
async fn with_events_pending(remove: impl AsyncFn(&Fixture, &str), what: &str) {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(3, 2).await;
    fixture.settled().await;
    indexed(&fixture).await;
    relay.stop(TIMEOUT).await.expect("products drains");
    fixture.writer.update(&ids[1], 2).await;
    remove(&fixture, &ids[1]).await;
    let relay = fixture.relay();
    has_logged(&relay, what, LOST).await;
    let output = relay.output();
    let alarm = output.lines().find(|line| line.contains(LOST)).expect("it was told");
    assert!(alarm.contains("ERROR") && alarm.contains("raw_removal") && alarm.contains(&ids[1]), "{alarm}");
    assert!(!alarm.contains(&ids[0]) && !alarm.contains(&ids[2]), "nothing of these was pending: {alarm}");
    relay.kill().await;
}

#[tokio::test]
async fn a_collection_renamed_with_events_pending_is_an_alarm_that_names_the_document() {
    with_events_pending(async |fixture, _| rename(fixture, "products_old").await, "rename of products").await;
}

#[tokio::test]
async fn a_collection_dropped_with_events_pending_is_an_alarm_that_names_the_document() {
    let drop = async |fixture: &Fixture, _: &str| fixture.writer.collection().drop().await.expect("root may");
    with_events_pending(drop, "drop of products").await;
}

#[tokio::test]
async fn a_document_that_is_deleted_with_events_pending_is_an_alarm() {
    let delete = async |fixture: &Fixture, id: &str| {
        fixture.writer.collection().delete_one(doc! { "_id": id }).await.expect("root may");
    };
    with_events_pending(delete, "delete of products").await;
}

#[tokio::test]
async fn a_service_removes_a_document_once_the_log_has_its_events_unless_it_has_changed() {
    let fixture = Fixture::open().await;
    let id = fixture.writer.products(1, 2).await.remove(0);
    let products = Documents::<Product>::new(&fixture.db);
    let read = async || products.load(&id).await.expect("mongod answers").expect("it is there");
    assert!(!products.remove(&read().await).await.expect("mongod answers"), "its events are in no log");
    let relay = fixture.relay();
    fixture.logged().await;
    let stale = read().await;
    fixture.writer.update(&id, 1).await;
    fixture.logged().await;
    assert!(!products.remove(&stale).await.expect("mongod answers"), "somebody has changed it");
    assert!(products.remove(&read().await).await.expect("mongod answers"));
    assert!(products.load(&id).await.expect("mongod answers").is_none());
    relay.kill().await;
}
