//! An oplog of a few MB, and another database that fills it: what the relay had not read is gone from it.

use super::{PATIENCE, shop::Shop};
use anyhow::{Context, ensure};
use bson::{Document, Timestamp, doc};
use kit::{Stores, eventually};

/// An oplog of 2 MB; what a checkpoint has made durable may be truncated, so there is one every second.
const OPLOG: &[&str] = &["--oplogSize", "2", "--syncdelay", "1"];

/// What the relay says when it reads all outboxes because the change stream cannot go on.
const SCAN: &str = "all outboxes are read";

async fn shop() -> Shop {
    Shop::on(Stores::with_oplog(OPLOG).await).await
}

/// Up to when the saved token covers the oplog.
async fn saved_time(shop: &Shop) -> anyhow::Result<Timestamp> {
    let lease = shop.leases().find_one(doc! { "_id": "relay" }).await?.context("no relay has led")?;
    let data = lease.get_document("token").context("no token has been saved")?.get_str("_data")?.to_owned();
    // 0x82 (a timestamp), then seconds and increment.
    let number = |range: std::ops::Range<usize>| anyhow::Ok(u32::from_str_radix(&data[range], 16)?);
    Ok(Timestamp { time: number(2..10)?, increment: number(10..18)? })
}

/// Where the oplog begins.
async fn beginning(shop: &Shop) -> anyhow::Result<Timestamp> {
    let oplog = shop.stores.mongodb().database("local").collection::<Document>("oplog.rs");
    let first = oplog.find_one(doc! {}).sort(doc! { "$natural": 1 }).await?;
    Ok(first.context("an oplog is not empty")?.get_timestamp("ts")?)
}

/// The last entry of the oplog.
async fn end(shop: &Shop) -> Timestamp {
    let oplog = shop.stores.mongodb().database("local").collection::<Document>("oplog.rs");
    let last = oplog.find_one(doc! {}).sort(doc! { "$natural": -1 }).await.expect("mongod answers");
    last.expect("an oplog is not empty").get_timestamp("ts").expect("an entry has a time")
}

/// Writes to another database until the oplog begins after `time`.
async fn pass_the_window(shop: &Shop, time: Timestamp) {
    let noise = shop.stores.mongodb().database("noise").collection::<Document>("noise");
    let filler = "x".repeat(100_000);
    eventually(PATIENCE, || async {
        for _ in 0..5 {
            noise.insert_one(doc! { "filler": &filler }).await?;
        }
        let first = beginning(shop).await?;
        ensure!(first > time, "the oplog still begins at {first}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_intermediate_event_arrives_after_the_oplog_rolled_over_while_the_relay_was_off() {
    let shop = shop().await;
    let first = shop.relay();
    let ids = shop.written.products(10, 2).await;
    shop.settled().await;
    eventually(PATIENCE, || saved_time(&shop)).await;
    first.stop(PATIENCE).await.expect("products drains");
    for id in &ids {
        for _ in 0..20 {
            shop.written.update(id, 1).await;
        }
    }
    let newest = shop.written.products(3, 20).await;
    pass_the_window(&shop, end(&shop).await).await;
    let second = shop.relay();
    shop.settled().await;
    assert!(second.output().contains(SCAN), "the token was not lost:\n{}", second.output());
    for id in ids.iter().chain(&newest) {
        shop.written.update(id, 1).await;
    }
    shop.settled().await;
    second.kill().await;
}

#[tokio::test]
async fn the_token_of_an_idle_database_keeps_up_with_a_busy_one() {
    let shop = shop().await;
    let idle = shop.relay();
    let ids = shop.written.products(3, 2).await;
    shop.settled().await;
    let saved = eventually(PATIENCE, || saved_time(&shop)).await;
    pass_the_window(&shop, saved).await;
    eventually(PATIENCE, || async {
        let (saved, first) = (saved_time(&shop).await?, beginning(&shop).await?);
        ensure!(saved > first, "the idle relay's token stays at {saved}, and the oplog begins at {first}");
        Ok(())
    })
    .await;
    idle.kill().await;
    shop.expire_lease().await;
    for id in &ids {
        shop.written.update(id, 2).await;
    }
    let next = shop.relay();
    shop.settled().await;
    assert!(!next.output().contains(SCAN), "the token was lost:\n{}", next.output());
    assert!(!idle.output().contains(SCAN), "the idle relay fell behind:\n{}", idle.output());
    next.kill().await;
}
