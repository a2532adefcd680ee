//! The broker is killed, loses what it had, or has its stream deleted: what is missing is published again from the log.

use super::{
    TIMEOUT,
    fixture::{Fixture, STREAM},
    invariants,
};
use anyhow::ensure;
use async_nats::jetstream;
use kit::{eventually, within};
use std::time::Duration;

/// What the relay says when it finds that the stream lost events.
const LOSS: &str = "the broker lost events";

#[tokio::test]
async fn events_written_while_the_broker_is_dead_are_published_when_it_is_back() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(5, 3).await;
    fixture.settled().await;
    fixture.stores.kill_nats().await;
    for id in &ids {
        fixture.writer.update(id, 3).await;
    }
    fixture.stores.restart_nats().await;
    for id in &ids {
        fixture.writer.update(id, 3).await;
    }
    fixture.settled().await;
    assert!(relay.is_running());
    relay.kill().await;
}

#[tokio::test]
async fn a_broker_rolled_back_to_an_older_copy_gets_the_rest_again_and_consumers_converge() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let consumer = fixture.stores.serve("order-history", &[]);
    let ids = fixture.writer.products(5, 3).await;
    fixture.settled().await;
    fixture.stores.kill_nats().await;
    fixture.stores.copy_nats_files();
    fixture.stores.restart_nats().await;
    for id in &ids {
        fixture.writer.update(id, 3).await;
    }
    fixture.settled().await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    fixture.acknowledged().await;
    fixture.stores.kill_nats().await;
    fixture.stores.roll_nats_files_back();
    fixture.stores.restart_nats().await;
    // Nobody writes: the relay notices by itself.
    fixture.settled().await;
    fixture.writer.update(&ids[0], 1).await;
    fixture.settled().await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    assert!(relay.output().contains(LOSS), "nobody was told of the loss:\n{}", relay.output());
    relay.kill().await;
    consumer.kill().await;
}

#[tokio::test]
async fn a_stream_deleted_under_a_live_relay_is_published_again_and_consumers_converge() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let consumer = fixture.stores.serve("order-history", &[]);
    let ids = fixture.writer.products(4, 10).await;
    fixture.settled().await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    nats.delete_stream(STREAM).await.expect("the operator may");
    for id in &ids {
        fixture.writer.update(id, 2).await;
    }
    fixture.settled().await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    nats.delete_stream(STREAM).await.expect("the operator may");
    // Nobody writes: the relay notices by itself.
    fixture.settled().await;
    relay.kill().await;
    consumer.kill().await;
}

/// A relay compares an idle stream with the log only every 30 s, and at once when its connection is another.
#[tokio::test]
async fn a_relay_looks_at_the_stream_as_soon_as_it_has_connected_again() {
    let fixture = Fixture::open().await;
    let first = fixture.relay();
    let ids = fixture.writer.products(2, 2).await;
    fixture.settled().await;
    first.stop(TIMEOUT).await.expect("products drains");
    fixture.stores.kill_nats().await;
    fixture.stores.copy_nats_files();
    fixture.stores.restart_nats().await;
    let second = fixture.relay();
    fixture.writer.update(&ids[0], 3).await;
    fixture.settled().await;
    fixture.acknowledged().await;
    fixture.stores.kill_nats().await;
    fixture.stores.roll_nats_files_back();
    fixture.stores.restart_nats().await;
    within(Duration::from_secs(15), || invariants::everything(&fixture)).await.expect("it notices without a write");
    assert!(second.output().contains(LOSS), "nobody was told of the loss:\n{}", second.output());
    second.kill().await;
}

/// What a month does, a purge does at once: the stream is empty and counts on.
#[tokio::test]
async fn a_broker_rolled_back_to_when_everything_had_expired_gets_the_rest_again() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(3, 3).await;
    fixture.settled().await;
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    nats.get_stream(STREAM).await.expect("is there").purge().await.expect("the operator may");
    fixture.stores.kill_nats().await;
    fixture.stores.copy_nats_files();
    fixture.stores.restart_nats().await;
    for id in &ids {
        fixture.writer.update(id, 3).await;
    }
    let since_then = || async {
        let nats = jetstream::new(fixture.stores.nats().await?);
        let (log, stream) = (invariants::log(&fixture.db).await?, invariants::stream(&nats, 9).await?);
        ensure!(log.get(9..).is_some_and(|log| log == stream), "the log has {log:?}, the stream {stream:?}");
        Ok(())
    };
    eventually(TIMEOUT, since_then).await;
    fixture.stores.kill_nats().await;
    fixture.stores.roll_nats_files_back();
    fixture.stores.restart_nats().await;
    eventually(TIMEOUT, since_then).await;
    relay.kill().await;
}
