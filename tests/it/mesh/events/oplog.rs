//! An oplog of a few MB, and another database that fills it: what the relay had not read is gone from it.

use super::{TIMEOUT, fixture::Fixture};
use anyhow::{Context, ensure};
use bson::{Document, Timestamp, doc};
use kit::{Stores, eventually};

/// An oplog of 2 MB; what a checkpoint has made durable may be truncated, so there is one every second.
const OPLOG: &[&str] = &["--oplogSize", "2", "--syncdelay", "1"];

/// What the relay says when it reads all outboxes because the change stream cannot go on.
const SCAN: &str = "all outboxes are read";

async fn fixture() -> Fixture {
    Fixture::on(Stores::with_oplog(OPLOG).await).await
}

/// Up to when the saved token covers the oplog.
async fn saved_time(fixture: &Fixture) -> anyhow::Result<Timestamp> {
    let lease = fixture.leases().find_one(doc! { "_id": "relay" }).await?.context("no relay has led")?;
    let data = lease.get_document("token").context("no token has been saved")?.get_str("_data")?.to_owned();
    // 0x82 (a timestamp), then seconds and increment.
    let number = |range: std::ops::Range<usize>| anyhow::Ok(u32::from_str_radix(&data[range], 16)?);
    Ok(Timestamp { time: number(2..10)?, increment: number(10..18)? })
}

/// Where the oplog begins.
async fn beginning(fixture: &Fixture) -> anyhow::Result<Timestamp> {
    let oplog = fixture.stores.mongodb().database("local").collection::<Document>("oplog.rs");
    let first = oplog.find_one(doc! {}).sort(doc! { "$natural": 1 }).await?;
    Ok(first.context("an oplog is not empty")?.get_timestamp("ts")?)
}

/// The last entry of the oplog.
async fn end(fixture: &Fixture) -> Timestamp {
    let oplog = fixture.stores.mongodb().database("local").collection::<Document>("oplog.rs");
    let last = oplog.find_one(doc! {}).sort(doc! { "$natural": -1 }).await.expect("mongod answers");
    last.expect("an oplog is not empty").get_timestamp("ts").expect("an entry has a time")
}

/// Writes to another database until the oplog begins after `time`.
async fn pass_the_window(fixture: &Fixture, time: Timestamp) {
    let noise = fixture.stores.mongodb().database("noise").collection::<Document>("noise");
    let filler = "x".repeat(100_000);
    eventually(TIMEOUT, || async {
        for _ in 0..5 {
            noise.insert_one(doc! { "filler": &filler }).await?;
        }
        let first = beginning(fixture).await?;
        ensure!(first > time, "the oplog still begins at {first}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn every_event_arrives_after_the_oplog_rolled_over_while_the_relay_was_off() {
    let fixture = fixture().await;
    let first = fixture.relay();
    let ids = fixture.writer.products(10, 2).await;
    fixture.settled().await;
    eventually(TIMEOUT, || saved_time(&fixture)).await;
    first.stop(TIMEOUT).await.expect("products drains");
    for id in &ids {
        for _ in 0..20 {
            fixture.writer.update(id, 1).await;
        }
    }
    let newest = fixture.writer.products(3, 20).await;
    pass_the_window(&fixture, end(&fixture).await).await;
    let second = fixture.relay();
    fixture.settled().await;
    assert!(second.output().contains(SCAN), "the token was not lost:\n{}", second.output());
    for id in ids.iter().chain(&newest) {
        fixture.writer.update(id, 1).await;
    }
    fixture.settled().await;
    second.kill().await;
}

#[tokio::test]
async fn the_token_of_an_idle_database_keeps_up_with_a_busy_one() {
    let fixture = fixture().await;
    let idle = fixture.relay();
    let ids = fixture.writer.products(3, 2).await;
    fixture.settled().await;
    let saved = eventually(TIMEOUT, || saved_time(&fixture)).await;
    pass_the_window(&fixture, saved).await;
    eventually(TIMEOUT, || async {
        let (saved, first) = (saved_time(&fixture).await?, beginning(&fixture).await?);
        ensure!(saved > first, "the idle relay's token stays at {saved}, and the oplog begins at {first}");
        Ok(())
    })
    .await;
    idle.kill().await;
    fixture.expire_lease().await;
    for id in &ids {
        fixture.writer.update(id, 2).await;
    }
    let next = fixture.relay();
    fixture.settled().await;
    assert!(!next.output().contains(SCAN), "the token was lost:\n{}", next.output());
    assert!(!idle.output().contains(SCAN), "the idle relay fell behind:\n{}", idle.output());
    next.kill().await;
}
