//! The notifier of changes: whenever its change stream is opened, all subscribers are notified.

use anyhow::ensure;
use bson::{Document, doc};
use futures::StreamExt;
use kit::{Stores, eventually};
use mongodb::Collection;
use std::time::Duration;
use store::ChangeNotifier;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Below the 5 s after which those who wait read without a notification.
const SOON: Duration = Duration::from_secs(4);

async fn notified(changes: &mut watch::Receiver<u64>) {
    tokio::time::timeout(SOON, changes.changed()).await.expect("no notification").expect("the notifier lives");
}

/// Stores with one order, and a notifier of its changes until the token is cancelled.
async fn started() -> (Stores, Collection<Document>, ChangeNotifier, CancellationToken) {
    let stores = Stores::start().await;
    let orders = stores.db("orders").await.collection::<Document>("orders");
    orders.insert_one(doc! { "_id": "ord_1" }).await.expect("mongod takes it");
    let shutdown = CancellationToken::new();
    let notifier = ChangeNotifier::start(orders.clone(), shutdown.clone());
    (stores, orders, notifier, shutdown)
}

#[tokio::test]
async fn all_are_notified_when_the_stream_opens_and_when_it_opens_again() {
    let (_stores, orders, notifier, shutdown) = started().await;
    // Before the stream is open, which needs an answer of mongod: what was written until then is not told by it.
    let mut changes = notifier.subscribe("ord_1");
    notified(&mut changes).await;
    orders.update_one(doc! { "_id": "ord_1" }, doc! { "$set": { "state": 1 } }).await.expect("mongod takes it");
    notified(&mut changes).await;
    // The end of a stream that cannot be resumed.
    orders.drop().await.expect("root may");
    notified(&mut changes).await;
    shutdown.cancel();
}

/// Change streams that somebody waits at.
async fn streams(stores: &Stores) -> usize {
    let operations = [
        doc! { "$currentOp": { "allUsers": true, "idleCursors": true } },
        doc! { "$match": { "ns": "orders.orders", "cursor.tailable": true } },
    ];
    let found = stores.mongodb().database("admin").aggregate(operations).await.expect("root may");
    found.count().await
}

#[tokio::test]
async fn a_stream_is_open_only_while_there_are_subscribers() {
    let (stores, _orders, notifier, shutdown) = started().await;
    for _ in 0..2 {
        assert_eq!(streams(&stores).await, 0, "nobody waits");
        let mut changes = notifier.subscribe("ord_1");
        notified(&mut changes).await;
        // Between two of its questions mongod lists a cursor neither as an operation nor as idle.
        eventually(SOON, || async {
            ensure!(streams(&stores).await == 1, "there is one for all who wait");
            Ok(())
        })
        .await;
        drop(changes);
        eventually(Duration::from_secs(60), || async {
            ensure!(streams(&stores).await == 0, "it is still open");
            Ok(())
        })
        .await;
    }
    shutdown.cancel();
}

#[tokio::test]
async fn a_notifier_that_outlives_mongod_tells_of_what_was_written_meanwhile() {
    let (stores, orders, notifier, shutdown) = started().await;
    let mut changes = notifier.subscribe("ord_1");
    notified(&mut changes).await;
    stores.kill_mongod().await;
    stores.restart_mongod().await;
    orders.update_one(doc! { "_id": "ord_1" }, doc! { "$set": { "state": 1 } }).await.expect("mongod takes it");
    notified(&mut changes).await;
    shutdown.cancel();
}
