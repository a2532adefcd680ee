//! The relay is killed at each of its steps, and a fresh one takes over.

use super::{TIMEOUT, fixture::Fixture, writer::Writer};
use anyhow::ensure;
use bson::{Document, doc};
use kit::eventually;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Kills a relay at each point while products are written; each time a fresh relay brings everything to the stream.
async fn killed_at(points: &[&str]) {
    let fixture = Fixture::open().await;
    let ids = fixture.writer.products(4, 3).await;
    for point in points {
        let doomed = fixture.relay_until(point);
        let enough = CancellationToken::new();
        let writer = tokio::spawn(write_on(fixture.writer.clone(), ids.clone(), enough.clone()));
        doomed.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{point} was not reached: {error:#}"));
        fixture.expire_lease().await;
        let fresh = fixture.relay();
        enough.cancel();
        writer.await.expect("the writer does not panic");
        fixture.settled().await;
        fresh.kill().await;
        fixture.expire_lease().await;
    }
}

/// One, two or three events per write, until told otherwise. In between products that are written once: a later write
/// is not told of them too.
async fn write_on(writer: Writer, ids: Vec<String>, enough: CancellationToken) {
    for (number, id) in ids.iter().cycle().enumerate() {
        writer.insert().await;
        // A full outbox is refused: nobody empties it while the relay is dead.
        let _ = writer.try_update(id, 1 + number % 3).await;
        if enough.is_cancelled() {
            return;
        }
    }
}

#[tokio::test]
async fn a_relay_killed_before_or_after_the_append_loses_and_repeats_nothing() {
    killed_at(&["relay.appending:2", "relay.appended:1", "relay.appended:3"]).await;
}

#[tokio::test]
async fn a_relay_killed_at_the_save_of_its_token_or_position_loses_and_repeats_nothing() {
    killed_at(&["relay.token_saved:1", "relay.published_saved:1"]).await;
}

/// A transaction keeps the next place of the log, so that the append waits while the lease is kept and saved.
#[tokio::test]
async fn a_token_is_not_saved_before_what_it_covers_is_in_the_log() {
    let fixture = Fixture::open().await;
    let doomed = fixture.relay();
    let ids = fixture.writer.products(2, 1).await;
    fixture.settled().await;
    let mut blocking = fixture.db.client().start_session().await.expect("mongod answers");
    blocking.start_transaction().await.expect("begins");
    let log = fixture.db.collection::<Document>("events");
    log.insert_one(doc! { "_id": 3_i64, "entries": [] }).session(&mut blocking).await.expect("is free");
    for id in &ids {
        fixture.writer.update(id, 1).await;
    }
    for _ in 0..3 {
        let expiry = fixture.expiry().await;
        eventually(TIMEOUT, || async {
            ensure!(fixture.expiry().await > expiry, "the lease is not kept");
            Ok(())
        })
        .await;
    }
    doomed.kill().await;
    // mongod would still do the append when the transaction ends; it does not outlive mongod.
    fixture.stores.kill_mongod().await;
    fixture.stores.restart_mongod().await;
    fixture.expire_lease().await;
    let fresh = fixture.relay();
    fixture.settled().await;
    fresh.kill().await;
}

#[tokio::test]
async fn a_relay_killed_between_acknowledgement_and_checkpoint_repeats_nothing() {
    killed_at(&["relay.acknowledged:1", "relay.acknowledged:3"]).await;
}

#[tokio::test]
async fn a_relay_killed_in_the_middle_of_a_batch_loses_and_repeats_nothing() {
    killed_at(&["relay.batch:1", "relay.batch:4"]).await;
}

#[tokio::test]
async fn a_killed_relay_is_replaced_when_its_lease_has_run_out() {
    let fixture = Fixture::open().await;
    let first = fixture.relay();
    let ids = fixture.writer.products(5, 10).await;
    first.kill().await;
    let second = fixture.relay();
    for id in &ids {
        fixture.writer.update(id, 10).await;
    }
    fixture.settled().await;
    second.stop(TIMEOUT).await.expect("products drains");
}

#[tokio::test]
async fn a_relay_that_starts_after_1000_changes_publishes_all_of_them() {
    let fixture = Fixture::open().await;
    fixture.writer.products(25, 40).await;
    let relay = fixture.relay();
    fixture.settled().await;
    relay.stop(TIMEOUT).await.expect("products drains");
}

/// Each product is written once, so that nothing but the scan or the change stream of that moment can find it.
#[tokio::test]
async fn a_relay_that_starts_among_writers_misses_none_of_them() {
    let fixture = Fixture::open().await;
    for _ in 0..12 {
        let epoch = fixture.epoch().await;
        let relay = fixture.relay();
        let writers = futures::future::join_all((0..16).map(|_| async {
            loop {
                fixture.writer.insert().await;
            }
        }));
        let leads_for_a_while = async {
            fixture.next_term(epoch).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        };
        tokio::select! {
            _ = writers => {}
            () = leads_for_a_while => {}
        }
        fixture.logged().await;
        relay.kill().await;
        fixture
            .leases()
            .update_one(doc! { "_id": "relay" }, doc! { "$unset": { "token": "" } })
            .await
            .expect("root may");
        fixture.expire_lease().await;
    }
    let relay = fixture.relay();
    fixture.settled().await;
    relay.kill().await;
}
