//! The same event a second time on the stream, after the broker's window of duplicates: consumers apply it once.

use super::{
    TIMEOUT,
    fixture::{Fixture, STREAM},
    invariants,
};
use anyhow::ensure;
use async_nats::{HeaderMap, jetstream};
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::eventually;

async fn rows(fixture: &Fixture) -> Vec<Document> {
    let rows = fixture.stores.mongodb().database("order_history").collection::<Document>("products");
    rows.find(doc! {}).sort(doc! { "_id": 1 }).await.expect("mongod answers").try_collect().await.expect("is whole")
}

/// Waits until the consumer has nothing left to do.
async fn consumed(stream: &jetstream::stream::Stream) {
    eventually(TIMEOUT, || async {
        let mut consumer = stream
            .get_consumer::<jetstream::consumer::pull::Config>("order-history")
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?;
        let info = consumer.info().await?;
        let last = stream.get_info().await?.state.last_sequence;
        ensure!(info.ack_floor.stream_sequence == last, "acknowledged up to {:?} of {last}", info.ack_floor);
        Ok(())
    })
    .await;
}

/// Without those that made it part of a batch.
pub(super) fn event_headers(headers: &HeaderMap) -> HeaderMap {
    let is_own = |name: &str| name == "Nats-Msg-Id" || !name.starts_with("Nats-");
    let kept = headers.iter().filter(|(name, _)| is_own(name.as_ref()));
    kept.map(|(name, values)| (name.clone(), values[0].clone())).collect()
}

#[tokio::test]
async fn an_event_published_again_after_the_window_of_duplicates_is_applied_once() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let consumer = fixture.stores.serve("order-history", &[]);
    fixture.writer.products(3, 4).await;
    fixture.settled().await;
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let stream = nats.get_stream(STREAM).await.expect("is there");
    consumed(&stream).await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    let before = rows(&fixture).await;
    relay.kill().await; // it would see that the tail of the stream is not its own
    // The older half: the last word on a product is not repeated, so a repetition would show.
    for sequence in 1..=6 {
        let old = stream.get_raw_message(sequence).await.expect("is there");
        // The window is the broker's clock: until it has passed, the broker answers that it knows the event.
        eventually(TIMEOUT, || async {
            let (subject, headers) = (old.subject.clone(), event_headers(&old.headers));
            let answer = nats.publish_with_headers(subject, headers, old.payload.clone()).await?.await?;
            ensure!(!answer.duplicate && answer.sequence == 12 + sequence, "the broker refused it: {answer:?}");
            Ok(())
        })
        .await;
    }
    consumed(&stream).await;
    assert_eq!(rows(&fixture).await, before);
    consumer.kill().await;
}

/// The stream has expired and the saved position is older than what was published: the relay cannot know better.
#[tokio::test]
async fn events_that_a_relay_publishes_again_are_applied_once() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let consumer = fixture.stores.serve("order-history", &[]);
    let ids = fixture.writer.products(3, 4).await;
    fixture.settled().await;
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let stream = nats.get_stream(STREAM).await.expect("is there");
    consumed(&stream).await;
    let before = rows(&fixture).await;
    relay.kill().await;
    fixture.expire_lease().await;
    stream.purge().await.expect("the operator may");
    let position = doc! { "$set": { "gseq": 0_i64, "js_seq": 12_i64 } };
    fixture.leases().update_one(doc! { "_id": "relay" }, position).await.expect("root may");
    let second = fixture.relay();
    fixture.settled().await;
    consumed(&stream).await;
    assert_eq!(rows(&fixture).await, before);
    fixture.writer.update(&ids[0], 2).await;
    fixture.settled().await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    second.kill().await;
    consumer.kill().await;
}
