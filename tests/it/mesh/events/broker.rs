//! The broker is killed, loses what it had, or has its stream deleted: what is missing is published again from the log.

use super::{
    PATIENCE, check,
    shop::{STREAM, Shop},
};
use anyhow::ensure;
use async_nats::jetstream;
use kit::{eventually, within};
use std::time::Duration;

/// What the relay says when it finds that the stream lost events.
const LOSS: &str = "the broker lost events";

#[tokio::test]
async fn events_written_while_the_broker_is_dead_are_published_when_it_is_back() {
    let shop = Shop::open().await;
    let relay = shop.relay();
    let ids = shop.written.products(5, 3).await;
    shop.settled().await;
    shop.stores.kill_nats().await;
    for id in &ids {
        shop.written.update(id, 3).await;
    }
    shop.stores.restart_nats().await;
    for id in &ids {
        shop.written.update(id, 3).await;
    }
    shop.settled().await;
    assert!(relay.is_running());
    relay.kill().await;
}

#[tokio::test]
async fn a_broker_rolled_back_to_an_older_copy_gets_the_rest_again_and_consumers_converge() {
    let shop = Shop::open().await;
    let relay = shop.relay();
    let consumer = shop.stores.serve("order-history", &[]);
    let ids = shop.written.products(5, 3).await;
    shop.settled().await;
    shop.stores.kill_nats().await;
    shop.stores.copy_nats_files();
    shop.stores.restart_nats().await;
    for id in &ids {
        shop.written.update(id, 3).await;
    }
    shop.settled().await;
    eventually(PATIENCE, || check::read_model(&shop)).await;
    shop.stores.kill_nats().await;
    shop.stores.roll_nats_files_back();
    shop.stores.restart_nats().await;
    // Nobody writes: the relay notices by itself.
    shop.settled().await;
    shop.written.update(&ids[0], 1).await;
    shop.settled().await;
    eventually(PATIENCE, || check::read_model(&shop)).await;
    assert!(relay.output().contains(LOSS), "nobody was told of the loss:\n{}", relay.output());
    relay.kill().await;
    consumer.kill().await;
}

#[tokio::test]
async fn a_stream_deleted_under_a_live_relay_is_published_again_and_consumers_converge() {
    let shop = Shop::open().await;
    let relay = shop.relay();
    let consumer = shop.stores.serve("order-history", &[]);
    let ids = shop.written.products(4, 10).await;
    shop.settled().await;
    eventually(PATIENCE, || check::read_model(&shop)).await;
    let nats = jetstream::new(shop.stores.nats().await.expect("nats-server answers"));
    nats.delete_stream(STREAM).await.expect("the operator may");
    for id in &ids {
        shop.written.update(id, 2).await;
    }
    shop.settled().await;
    eventually(PATIENCE, || check::read_model(&shop)).await;
    nats.delete_stream(STREAM).await.expect("the operator may");
    // Nobody writes: the relay notices by itself.
    shop.settled().await;
    relay.kill().await;
    consumer.kill().await;
}

/// A relay compares an idle stream with the log only every 30 s, and at once when its connection is another.
#[tokio::test]
async fn a_relay_looks_at_the_stream_as_soon_as_it_has_connected_again() {
    let shop = Shop::open().await;
    let first = shop.relay();
    let ids = shop.written.products(2, 2).await;
    shop.settled().await;
    first.stop(PATIENCE).await.expect("products drains");
    shop.stores.kill_nats().await;
    shop.stores.copy_nats_files();
    shop.stores.restart_nats().await;
    let second = shop.relay();
    shop.written.update(&ids[0], 3).await;
    shop.settled().await;
    shop.stores.kill_nats().await;
    shop.stores.roll_nats_files_back();
    shop.stores.restart_nats().await;
    within(Duration::from_secs(15), || check::everything(&shop)).await.expect("it notices without a write");
    assert!(second.output().contains(LOSS), "nobody was told of the loss:\n{}", second.output());
    second.kill().await;
}

/// What a month does, a purge does at once: the stream is empty and counts on.
#[tokio::test]
async fn a_broker_rolled_back_to_when_everything_had_expired_gets_the_rest_again() {
    let shop = Shop::open().await;
    let relay = shop.relay();
    let ids = shop.written.products(3, 3).await;
    shop.settled().await;
    let nats = jetstream::new(shop.stores.nats().await.expect("nats-server answers"));
    nats.get_stream(STREAM).await.expect("is there").purge().await.expect("the operator may");
    shop.stores.kill_nats().await;
    shop.stores.copy_nats_files();
    shop.stores.restart_nats().await;
    for id in &ids {
        shop.written.update(id, 3).await;
    }
    let since_then = || async {
        let nats = jetstream::new(shop.stores.nats().await?);
        let (log, stream) = (check::log(&shop.db).await?, check::stream(&nats, 9).await?);
        ensure!(log.get(9..).is_some_and(|log| log == stream), "the log has {log:?}, the stream {stream:?}");
        Ok(())
    };
    eventually(PATIENCE, since_then).await;
    shop.stores.kill_nats().await;
    shop.stores.roll_nats_files_back();
    shop.stores.restart_nats().await;
    eventually(PATIENCE, since_then).await;
    relay.kill().await;
}
