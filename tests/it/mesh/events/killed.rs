//! The relay is killed at each of its steps, and a fresh one takes over.

use super::{PATIENCE, shop::Shop, write::Written};
use anyhow::ensure;
use bson::{Document, doc};
use kit::eventually;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Kills a relay at each point while products are written; each time a fresh relay brings everything to the stream.
async fn killed_at(points: &[&str]) {
    let shop = Shop::open().await;
    let ids = shop.written.products(4, 3).await;
    for point in points {
        let doomed = shop.relay_until(point);
        let enough = CancellationToken::new();
        let writer = tokio::spawn(write_on(shop.written.clone(), ids.clone(), enough.clone()));
        doomed.ended(PATIENCE).await.unwrap_or_else(|error| panic!("{point} was not reached: {error:#}"));
        shop.expire_lease().await;
        let fresh = shop.relay();
        enough.cancel();
        writer.await.expect("the writer does not panic");
        shop.settled().await;
        fresh.kill().await;
        shop.expire_lease().await;
    }
}

/// One, two or three events per write, until told otherwise. In between products that are written once: a later write
/// is not told of them too.
async fn write_on(written: Written, ids: Vec<String>, enough: CancellationToken) {
    for (number, id) in ids.iter().cycle().enumerate() {
        written.insert().await;
        // A full outbox is refused: nobody empties it while the relay is dead.
        let _ = written.try_update(id, 1 + number % 3).await;
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
    let shop = Shop::open().await;
    let doomed = shop.relay();
    let ids = shop.written.products(2, 1).await;
    shop.settled().await;
    let mut blocking = shop.db.client().start_session().await.expect("mongod answers");
    blocking.start_transaction().await.expect("begins");
    let log = shop.db.collection::<Document>("events");
    log.insert_one(doc! { "_id": 3_i64, "eid": "evt_of_nobody" }).session(&mut blocking).await.expect("is free");
    for id in &ids {
        shop.written.update(id, 1).await;
    }
    for _ in 0..3 {
        let expiry = shop.expiry().await;
        eventually(PATIENCE, || async {
            ensure!(shop.expiry().await > expiry, "the lease is not kept");
            Ok(())
        })
        .await;
    }
    doomed.kill().await;
    // mongod would still do the append when the transaction ends; it does not outlive mongod.
    shop.stores.kill_mongod().await;
    shop.stores.restart_mongod().await;
    shop.expire_lease().await;
    let fresh = shop.relay();
    shop.settled().await;
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
    let shop = Shop::open().await;
    let first = shop.relay();
    let ids = shop.written.products(5, 10).await;
    first.kill().await;
    let second = shop.relay();
    for id in &ids {
        shop.written.update(id, 10).await;
    }
    shop.settled().await;
    second.stop(PATIENCE).await.expect("products drains");
}

#[tokio::test]
async fn a_relay_that_starts_after_1000_changes_publishes_all_of_them() {
    let shop = Shop::open().await;
    shop.written.products(25, 40).await;
    let relay = shop.relay();
    shop.settled().await;
    relay.stop(PATIENCE).await.expect("products drains");
}

/// Each product is written once, so that nothing but the scan or the change stream of that moment can find it.
#[tokio::test]
async fn a_relay_that_starts_among_writers_misses_none_of_them() {
    let shop = Shop::open().await;
    for _ in 0..12 {
        let epoch = shop.epoch().await;
        let relay = shop.relay();
        let writers = futures::future::join_all((0..16).map(|_| async {
            loop {
                shop.written.insert().await;
            }
        }));
        let leads_for_a_while = async {
            shop.next_term(epoch).await;
            tokio::time::sleep(Duration::from_millis(150)).await;
        };
        tokio::select! {
            _ = writers => {}
            () = leads_for_a_while => {}
        }
        shop.logged().await;
        relay.kill().await;
        shop.leases().update_one(doc! { "_id": "relay" }, doc! { "$unset": { "token": "" } }).await.expect("root may");
        shop.expire_lease().await;
    }
    let relay = shop.relay();
    shop.settled().await;
    relay.kill().await;
}
