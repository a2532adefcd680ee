//! The broker refuses one of the messages that are on their way: nothing behind it is stored in its place.

use super::{
    TIMEOUT,
    fixture::{Fixture, STREAM},
    invariants,
    writer::long_name,
};
use anyhow::ensure;
use async_nats::jetstream::{self, stream::Stream};
use bson::doc;
use kit::eventually;

/// A message with an event of this size is above [`LIMIT`], and others are not.
const LARGE: usize = 16 * 1024;

/// Bytes of the largest message that the stream takes, until an operator allows more.
const LIMIT: i32 = 4 * 1024;

/// Sets the stream's limit; -1 is none.
async fn limit_messages(fixture: &Fixture, bytes: i32) -> Stream {
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let stream = nats.get_stream(STREAM).await.expect("is there");
    let config = jetstream::stream::Config { max_message_size: bytes, ..stream.cached_info().config.clone() };
    nats.update_stream(config).await.expect("the operator may");
    stream
}

/// How the large event is named: `evt_… of N`.
async fn large_event(fixture: &Fixture) -> String {
    let log = invariants::log(&fixture.db).await.expect("mongod answers");
    let large = log.iter().find(|entry| entry.data.len() > LARGE).expect("it is in the log");
    format!("{} of {}", large.eid, large.data.len())
}

/// A product with a large second event, then `products` others with `changes` each; a relay that comes later has all of
/// them to publish. Ends well only if the stream then holds the one event before the large one.
async fn nothing_overtakes_a_refused_event(products: usize, changes: usize, stored: u64) {
    let fixture = Fixture::open().await;
    let stream = limit_messages(&fixture, LIMIT).await;
    let id = fixture.writer.insert().await;
    fixture.writer.try_rename(&id, vec![long_name(LARGE)]).await.expect("mongod takes it");
    fixture.writer.products(products, changes).await;
    // Each attempt is told at this level, the first of those that fail in the same way at a higher one.
    let relay = fixture.stores.serve("products", &[("COMPTOIR_LOG", "info,comptoir_events=debug")]);
    eventually(TIMEOUT, || async {
        // When it begins a third time, the broker has answered all that was sent before.
        let refusals = relay.output().matches("publishing broke off").count();
        ensure!(refusals >= 2, "{refusals} refusals:\n{}", relay.tail(20));
        Ok(())
    })
    .await;
    let large = format!("{} bytes", large_event(&fixture).await);
    eventually(TIMEOUT, || async {
        let lease = fixture.leases().find_one(doc! { "_id": "relay" }).await?.unwrap_or_default();
        let problem = lease.get_str("problem").unwrap_or_default();
        ensure!(problem.contains(&large), "the problem names {large}: {problem}");
        Ok(())
    })
    .await;
    let messages = stream.get_info().await.expect("nats-server answers").state.messages;
    assert_eq!(messages, stored, "what came behind the refused event was stored");
    limit_messages(&fixture, -1).await;
    fixture.settled().await;
    relay.kill().await;
}

#[tokio::test]
async fn when_a_batch_is_refused_so_is_the_one_that_was_sent_behind_it() {
    nothing_overtakes_a_refused_event(20, 40, 0).await;
}

#[tokio::test]
async fn when_one_of_a_few_single_messages_is_refused_so_are_those_behind_it() {
    nothing_overtakes_a_refused_event(2, 4, 1).await;
}
