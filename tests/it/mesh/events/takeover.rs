//! Two relays that both believe they lead.

use super::{
    TIMEOUT,
    fixture::{Fixture, WINDOW},
};
use anyhow::ensure;
use bson::{DateTime, Document, doc};
use kit::eventually;
use std::time::Duration;

/// How often the lease is taken from its holder.
const TURN: Duration = Duration::from_millis(300);

#[tokio::test]
async fn two_relays_that_take_the_lease_from_each_other_publish_each_event_once() {
    let fixture = Fixture::open().await;
    let both = [fixture.relay(), fixture.relay()];
    let ids = fixture.writer.products(6, 2).await;
    fixture.next_term(0).await;
    let writer = async {
        for round in 0..80 {
            fixture.writer.update(&ids[round % ids.len()], 1 + round % 3).await;
            tokio::time::sleep(Duration::from_millis(20)).await; // spreads the writes over the terms
        }
    };
    let usurper = async {
        loop {
            tokio::time::sleep(TURN).await;
            fixture.expire_lease().await;
        }
    };
    tokio::select! {
        () = writer => {}
        () = usurper => {}
    }
    fixture.settled().await;
    assert!(fixture.epoch().await > 2, "the lease has not changed hands");
    for relay in both {
        let output = relay.output();
        assert!(relay.is_running() && output.contains("this relay leads"), "it never led:\n{output}");
        relay.kill().await;
    }
}

#[tokio::test]
async fn a_relay_that_sleeps_longer_than_its_lease_changes_nothing_when_it_wakes() {
    let fixture = Fixture::open().await;
    let sleeper = fixture.relay();
    let ids = fixture.writer.products(4, 5).await;
    fixture.settled().await;
    let epoch = fixture.epoch().await;
    sleeper.pause().await.expect("it stops");
    let other = fixture.relay();
    for id in &ids {
        fixture.writer.update(id, 3).await;
    }
    fixture.next_term(epoch).await; // by the clock of the primary
    sleeper.resume();
    for id in &ids {
        fixture.writer.update(id, 3).await;
    }
    fixture.settled().await;
    sleeper.kill().await;
    other.kill().await;
}

/// Nobody else relays: nothing but the epoch can stop the one that was away.
#[tokio::test]
async fn a_relay_of_an_older_epoch_saves_nothing_and_steps_down() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(3, 2).await;
    fixture.settled().await;
    relay.pause().await.expect("it stops");
    let tomorrow = DateTime::from_millis(DateTime::now().timestamp_millis() + 24 * 3_600_000);
    let usurped = doc! { "$inc": { "epoch": 1_i64 }, "$set": { "owner": "another", "expires_at": tomorrow } };
    fixture.leases().update_one(doc! { "_id": "relay" }, usurped).await.expect("mongod answers");
    let lease = || async { fixture.leases().find_one(doc! { "_id": "relay" }).await.expect("mongod answers") };
    let before = lease().await;
    relay.resume();
    for id in &ids {
        fixture.writer.update(id, 1).await;
    }
    eventually(TIMEOUT, || async {
        let steps_down = relay.output().contains("another relay has taken over");
        ensure!(steps_down, "it still believes that it leads:\n{}", relay.tail(20));
        Ok(())
    })
    .await;
    assert_eq!(lease().await, before, "it wrote to the lease of another");
    fixture.expire_lease().await;
    fixture.settled().await;
    relay.kill().await;
}

/// Where the last line of defence is: a relay that is fenced by nothing else cannot repeat an event or a place.
#[tokio::test]
async fn the_log_refuses_an_event_and_a_place_that_it_has() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    fixture.writer.products(1, 2).await;
    fixture.settled().await;
    let log = fixture.db.collection::<Document>("events");
    let last = log.find_one(doc! {}).sort(doc! { "_id": -1 }).await.expect("mongod answers").expect("is there");
    for fresh in [doc! { "_id": 3_i64 }, doc! { "entries": [{ "agg": "product", "aid": "prd_new", "seq": 1_i64 }] }] {
        let mut repeated = last.clone();
        repeated.extend(fresh);
        let refused = log.insert_one(&repeated).await.map_err(store::Error::from);
        assert!(matches!(refused, Err(store::Error::Duplicate)), "{refused:?} for {repeated}");
    }
    relay.kill().await;
}

/// Its lease holds when it goes on, so nothing but the place of the segment tells it that somebody else has appended.
#[tokio::test]
async fn a_relay_whose_place_in_the_log_is_taken_publishes_what_is_in_the_log() {
    let fixture = Fixture::open().await;
    let first = fixture.relay();
    let ids = fixture.writer.products(2, 1).await;
    fixture.settled().await;
    first.stop(TIMEOUT).await.expect("products drains");
    fixture.writer.update(&ids[1], 1).await;
    let relay = fixture.relay_until("relay.appending:1:stop");
    relay.paused(TIMEOUT).await.expect("it has an event to append");
    fixture.writer.update(&ids[0], 1).await;
    // Another event than the one that this relay is about to append.
    let written = fixture.writer.collection().find_one(doc! { "_id": &ids[0] }).await.expect("mongod answers");
    let outbox = written.expect("is there").get_array("outbox").expect("an outbox").clone();
    let mut entry = outbox.last().and_then(bson::Bson::as_document).expect("an event waits").clone();
    let id = entry.remove("id");
    entry.extend(doc! { "eid": id, "agg": "product", "aid": &ids[0] });
    let log = fixture.db.collection::<Document>("events");
    log.insert_one(doc! { "_id": 3_i64, "entries": [entry] }).await.expect("root may");
    relay.resume();
    fixture.settled().await;
    relay.kill().await;
}

/// At each point a relay stops in the middle of a step, another one does that step and more, and then the first goes on.
#[tokio::test]
async fn a_relay_that_sleeps_in_the_middle_of_a_step_is_refused_when_it_goes_on() {
    let fixture = Fixture::open().await;
    let ids = fixture.writer.products(4, 2).await;
    for point in
        ["relay.appending:2", "relay.appended:2", "relay.publishing:2", "relay.batch:3", "relay.acknowledged:2"]
    {
        let sleeper = fixture.relay_until(&format!("{point}:stop"));
        let epoch = fixture.epoch().await;
        fixture.next_term(epoch).await;
        let asleep = async {
            let limit = Duration::from_secs(30);
            sleeper.paused(limit).await.unwrap_or_else(|error| panic!("{point} was not reached: {error:#}"));
        };
        let writing = async {
            for round in 0.. {
                // A full outbox is refused: nobody empties it while the relay sleeps.
                let _ = fixture.writer.try_update(&ids[round % ids.len()], 3).await;
            }
        };
        tokio::select! {
            () = asleep => {}
            () = writing => {}
        }
        let epoch = fixture.epoch().await;
        fixture.expire_lease().await;
        let other = fixture.relay();
        fixture.next_term(epoch).await;
        fixture.settled().await;
        sleeper.resume();
        for id in &ids {
            fixture.writer.update(id, 3).await;
        }
        fixture.settled().await;
        sleeper.kill().await;
        other.kill().await;
        fixture.expire_lease().await;
    }
}

/// The batch was complete when the relay fell asleep: nothing but the stream's own sequence can refuse it.
#[tokio::test]
async fn a_batch_of_a_relay_that_slept_is_refused_where_another_has_published() {
    let fixture = Fixture::open().await;
    let ids = fixture.writer.products(4, 10).await;
    let sleeper = fixture.relay_until("relay.publishing:1:stop");
    sleeper.paused(TIMEOUT).await.expect("it has a batch to publish");
    let epoch = fixture.epoch().await;
    fixture.expire_lease().await;
    let other = fixture.relay();
    fixture.next_term(epoch).await;
    fixture.settled().await;
    tokio::time::sleep(10 * WINDOW).await; // the broker forgets what it could take for a duplicate
    sleeper.resume();
    eventually(TIMEOUT, || async {
        let steps_down = sleeper.output().contains("another relay has taken over");
        ensure!(steps_down, "it still believes that it leads:\n{}", sleeper.tail(20));
        Ok(())
    })
    .await;
    for id in &ids {
        fixture.writer.update(id, 1).await;
    }
    fixture.settled().await;
    sleeper.kill().await;
    other.kill().await;
}
