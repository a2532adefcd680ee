//! mongod is killed under a relay and its writers; a hand in the data is reported.

use super::{TIMEOUT, fixture::Fixture, invariants::log};
use anyhow::ensure;
use bson::{Document, doc};
use kit::eventually;
use mongodb::{Database, IndexModel, options::IndexOptions};

#[tokio::test]
async fn nothing_is_lost_when_mongod_is_killed_under_the_relay_and_its_writers() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(6, 2).await;
    let writing = |id: String| {
        let writer = fixture.writer.clone();
        tokio::spawn(async move {
            for _ in 0..40 {
                writer.update(&id, 1).await;
            }
        })
    };
    let writers: Vec<_> = ids.iter().cloned().map(writing).collect();
    for _ in 0..2 {
        tokio::time::sleep(std::time::Duration::from_millis(150)).await; // the moment under test
        fixture.stores.kill_mongod().await;
        fixture.stores.restart_mongod().await;
    }
    for writer in writers {
        writer.await.expect("a writer gets through");
    }
    fixture.settled().await;
    assert!(relay.is_running());
    relay.kill().await;
}

#[tokio::test]
async fn a_document_deleted_by_hand_is_reported_and_the_others_go_on() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 2).await;
    fixture.settled().await;
    fixture.writer.collection().delete_one(doc! { "_id": &ids[0] }).await.expect("root may");
    fixture.writer.update(&ids[1], 1).await;
    fixture.settled().await;
    eventually(TIMEOUT, || async {
        let told = relay.output().contains(&format!("delete of products {}", ids[0]));
        ensure!(told, "nobody was told:\n{}", relay.output());
        Ok(())
    })
    .await;
    relay.kill().await;
}

/// Puts each entry of the log into a document of its own, under the indexes that the log had then.
async fn as_earlier_releases_kept_it(db: &Database) {
    let log = db.collection::<Document>("events");
    let singles = kit::log(db, doc! {}).await.expect("mongod answers");
    log.drop().await.expect("root may");
    for keys in [doc! { "eid": 1 }, doc! { "agg": 1, "aid": 1, "seq": 1 }] {
        let unique = IndexOptions::builder().unique(true).build();
        log.create_index(IndexModel::builder().keys(keys).options(unique).build()).await.expect("root may");
    }
    log.insert_many(singles).await.expect("root may");
}

#[tokio::test]
async fn the_log_of_an_earlier_release_is_put_into_segments_and_goes_on() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 2).await;
    fixture.settled().await;
    relay.kill().await;
    let before = log(&fixture.db).await.expect("the log");
    as_earlier_releases_kept_it(&fixture.db).await;
    fixture.expire_lease().await;
    let relay = fixture.relay();
    for id in &ids {
        fixture.writer.update(id, 1).await;
    }
    fixture.settled().await;
    let after = log(&fixture.db).await.expect("the log");
    assert!(after.starts_with(&before) && after.len() == before.len() + 2, "{after:?} after {before:?}");
    let mut indexes = fixture.db.collection::<Document>("events").list_index_names().await.expect("mongod answers");
    indexes.sort();
    assert_eq!(indexes, ["_id_", "entries.agg_1_entries.aid_1_entries.seq_1"]);
    relay.kill().await;
}
