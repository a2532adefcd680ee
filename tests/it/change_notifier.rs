//! The bell for those who wait for a document: whenever its change stream is opened, everyone is rung.

use anyhow::ensure;
use bson::{Document, doc};
use futures::StreamExt;
use kit::{Stores, eventually};
use std::time::Duration;
use store::Bell;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Below the 5 s after which those who wait look without a ring.
const SOON: Duration = Duration::from_secs(4);

async fn rung(rings: &mut watch::Receiver<u64>) {
    tokio::time::timeout(SOON, rings.changed()).await.expect("nobody rang").expect("the bell lives");
}

#[tokio::test]
async fn everyone_is_rung_when_the_stream_opens_and_when_it_opens_again() {
    let stores = Stores::start().await;
    let orders = stores.db("orders").await.collection::<Document>("orders");
    orders.insert_one(doc! { "_id": "ord_1" }).await.expect("mongod takes it");
    let shutdown = CancellationToken::new();
    let bell = Bell::start(orders.clone(), shutdown.clone());
    // Before the stream is open, which needs an answer of mongod: what was written until then is not told by it.
    let mut rings = bell.subscribe("ord_1");
    rung(&mut rings).await;
    orders.update_one(doc! { "_id": "ord_1" }, doc! { "$set": { "state": 1 } }).await.expect("mongod takes it");
    rung(&mut rings).await;
    // The end of a stream that cannot be resumed.
    orders.drop().await.expect("root may");
    rung(&mut rings).await;
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
async fn a_stream_is_open_only_while_somebody_waits() {
    let stores = Stores::start().await;
    let orders = stores.db("orders").await.collection::<Document>("orders");
    orders.insert_one(doc! { "_id": "ord_1" }).await.expect("mongod takes it");
    let shutdown = CancellationToken::new();
    let bell = Bell::start(orders.clone(), shutdown.clone());
    for _ in 0..2 {
        assert_eq!(streams(&stores).await, 0, "nobody waits");
        let mut rings = bell.subscribe("ord_1");
        rung(&mut rings).await;
        assert_eq!(streams(&stores).await, 1, "for all who wait");
        drop(rings);
        eventually(Duration::from_secs(60), || async {
            ensure!(streams(&stores).await == 0, "it is still open");
            Ok(())
        })
        .await;
    }
    shutdown.cancel();
}

#[tokio::test]
async fn a_bell_that_outlives_mongod_rings_for_what_was_written_meanwhile() {
    let stores = Stores::start().await;
    let orders = stores.db("orders").await.collection::<Document>("orders");
    orders.insert_one(doc! { "_id": "ord_1" }).await.expect("mongod takes it");
    let shutdown = CancellationToken::new();
    let bell = Bell::start(orders.clone(), shutdown.clone());
    let mut rings = bell.subscribe("ord_1");
    rung(&mut rings).await;
    stores.kill_mongod().await;
    stores.restart_mongod().await;
    orders.update_one(doc! { "_id": "ord_1" }, doc! { "$set": { "state": 1 } }).await.expect("mongod takes it");
    rung(&mut rings).await;
    shutdown.cancel();
}
