//! Messages on the stream that no relay has published: relays and consumers go on, and everybody is told.

use super::{
    TIMEOUT,
    duplicates::event_headers,
    fixture::{Fixture, STREAM},
    invariants,
};
use anyhow::ensure;
use async_nats::{
    HeaderMap,
    jetstream::{self, stream::Stream},
};
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::eventually;
use std::time::Duration;

/// A subject of the products' stream.
const SUBJECT: &str = "evt.products.product.updated.prd_foreign";

/// What the relay says when somebody else has published on its stream.
const ALARM: &str = "somebody else published on this stream";

async fn stream(fixture: &Fixture) -> Stream {
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    nats.get_stream(STREAM).await.expect("is there")
}

/// Publishes a message as somebody else would; its place in the stream.
async fn publish(fixture: &Fixture, headers: &[(&str, &str)], payload: &[u8]) -> u64 {
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, *value);
    }
    let sent = nats.publish_with_headers(SUBJECT, map, payload.to_vec().into()).await.expect("the operator may");
    sent.await.expect("it is stored").sequence
}

async fn hello(fixture: &Fixture, count: usize) -> Vec<u64> {
    let mut places = Vec::new();
    for _ in 0..count {
        places.push(publish(fixture, &[], b"hello").await);
    }
    places
}

/// The headers of an event, but for one that has another value, or none.
fn headers(name: &str, value: Option<&'static str>) -> Vec<(&'static str, &'static str)> {
    let whole = [
        ("ce-specversion", "1.0"),
        ("ce-id", "evt_foreign"),
        ("ce-source", "/comptoir/products"),
        ("ce-type", "comptoir.products.v1.ProductUpdated"),
        ("ce-subject", "product/prd_foreign"),
        ("ce-time", "2026-01-31T09:00:00Z"),
        ("ce-sequence", "1"),
        ("ce-logsequence", "999999"),
    ];
    whole
        .into_iter()
        .filter_map(|(each, good)| if each == name { Some((each, value?)) } else { Some((each, good)) })
        .collect()
}

async fn letters(fixture: &Fixture) -> Vec<Document> {
    let letters = fixture.stores.mongodb().database("order_history").collection::<Document>("dead_letters");
    letters.find(doc! {}).sort(doc! { "seq": 1 }).await.expect("mongod answers").try_collect().await.expect("is whole")
}

/// Headers, payload, and why it is none of our events.
type Kind = (Vec<(&'static str, &'static str)>, &'static [u8], &'static str);

fn kinds() -> [Kind; 14] {
    [
        (Vec::new(), b"hello", "it has no ce-subject"),
        (Vec::new(), b"", "it has no ce-subject"),
        (vec![("ce-id", "evt_x"), ("ce-subject", "product/prd_foreign")], b"", "it has no ce-source"),
        (headers("ce-id", None), b"", "it has no ce-id"),
        (headers("ce-id", Some("")), b"", "it has no ce-id"),
        (headers("ce-type", None), b"", "it has no ce-type"),
        (headers("ce-sequence", Some("-1")), b"", "its ce-sequence is no number from 1"),
        (headers("ce-sequence", Some("0")), b"", "its ce-sequence is no number from 1"),
        (headers("ce-logsequence", Some("many")), b"", "its ce-logsequence is no number from 1"),
        (headers("ce-logsequence", Some("99999999999999999999")), b"", "its ce-logsequence is no number from 1"),
        (headers("ce-source", Some("/comptoir/orders")), b"", "its ce-source is not /comptoir/products"),
        (headers("ce-subject", Some("product")), b"", "its ce-subject has no identifier"),
        (headers("ce-subject", Some("product/prd_other")), b"", "its ce-subject is not that of the subject"),
        (Vec::new(), &[0xff; 100_000], "it has no ce-subject"),
    ]
}

#[tokio::test]
async fn foreign_messages_of_every_kind_are_set_aside_and_hold_up_nobody() {
    let fixture = Fixture::open().await;
    let (relay, consumer) = (fixture.relay(), fixture.stores.serve("order-history", &[]));
    let ids = fixture.writer.products(2, 2).await;
    fixture.settled().await;
    let kinds = kinds();
    let mut places = Vec::new();
    for (number, (headers, payload, _)) in kinds.iter().enumerate() {
        places.push(publish(&fixture, headers, payload).await);
        fixture.writer.update(&ids[number % 2], 1).await; // so that it is in between, and not only behind
        fixture.settled().await;
    }
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    let letters = eventually(TIMEOUT, || async {
        let letters = letters(&fixture).await;
        ensure!(letters.len() == kinds.len(), "{letters:?}");
        Ok(letters)
    })
    .await;
    for ((letter, place), (_, payload, why)) in letters.iter().zip(&places).zip(&kinds) {
        let reason = letter.get_str("reason").expect("a reason");
        let named = format!("message {place} of EVT_PRODUCTS, {} bytes on {SUBJECT}", payload.len());
        assert!(reason.starts_with(&named) && reason.contains(why), "{reason}");
        let kept = letter.get_binary_generic("data").expect("data");
        assert_eq!(kept[..], payload[..payload.len().min(4096)]);
        assert!(consumer.output().contains(&named), "the consumer alarms: {}", consumer.tail(10));
        let alarmed = format!("\"sequences\":\"[{place}]\"");
        assert!(relay.output().contains(&alarmed), "no {alarmed} in {}", relay.output());
    }
    relay.kill().await;
    consumer.kill().await;
}

#[tokio::test]
async fn a_copy_of_an_event_is_neither_the_end_of_the_log_nor_applied_again() {
    let fixture = Fixture::open().await;
    let (relay, consumer) = (fixture.relay(), fixture.stores.serve("order-history", &[]));
    let ids = fixture.writer.products(2, 4).await;
    fixture.settled().await;
    let old = stream(&fixture).await.get_raw_message(1).await.expect("is there");
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let mut headers = event_headers(&old.headers);
    for _ in 0..2 {
        headers.insert("Nats-Msg-Id", format!("{:016x}", rand::random::<u64>())); // else the broker knows it
        let copied = nats.publish_with_headers(old.subject.clone(), headers.clone(), old.payload.clone());
        copied.await.expect("the operator may").await.expect("it is stored");
    }
    fixture.writer.update(&ids[0], 2).await;
    fixture.settled().await;
    eventually(TIMEOUT, || invariants::read_model(&fixture)).await;
    assert!(relay.output().contains(ALARM), "{}", relay.output());
    assert!(!relay.output().contains("the broker lost events"), "{}", relay.output());
    assert_eq!(letters(&fixture).await, Vec::<Document>::new());
    relay.kill().await;
    consumer.kill().await;
}

#[tokio::test]
async fn a_relay_that_was_away_goes_on_behind_many_foreign_messages_and_logs_them_once() {
    let fixture = Fixture::open().await;
    let first = fixture.relay();
    let ids = fixture.writer.products(2, 3).await;
    fixture.settled().await;
    first.stop(TIMEOUT).await.expect("products drains");
    hello(&fixture, 150).await;
    let second = fixture.relay();
    // It looks at the end of the stream when its connection is another, and finds them again, with nothing to publish.
    eventually(TIMEOUT, || async {
        ensure!(second.output().contains(r#""count":150"#), "{}", second.tail(10));
        Ok(())
    })
    .await;
    fixture.writer.update(&ids[0], 3).await;
    fixture.settled().await;
    hello(&fixture, 3).await;
    fixture.stores.kill_nats().await;
    fixture.stores.restart_nats().await;
    fixture.writer.update(&ids[1], 1).await;
    fixture.settled().await;
    assert_eq!(second.output().matches(r#""count":150"#).count(), 1, "{}", second.output());
    assert!(!second.output().contains("the broker lost events"), "{}", second.output());
    second.kill().await;
}

#[tokio::test]
async fn a_stream_that_begins_with_foreign_messages_gets_the_whole_log_behind_them() {
    let fixture = Fixture::open().await;
    assert_eq!(hello(&fixture, 3).await, [1, 2, 3]);
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 3).await;
    fixture.settled().await;
    relay.kill().await;
    fixture.expire_lease().await;
    // The stream is made anew, and somebody else is faster: what the relay saved is of another stream.
    let nats = jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let config = stream(&fixture).await.cached_info().config.clone();
    nats.delete_stream(STREAM).await.expect("the operator may");
    nats.create_stream(config).await.expect("the operator may");
    hello(&fixture, 8).await;
    let relay = fixture.relay();
    fixture.writer.update(&ids[0], 1).await;
    fixture.settled().await;
    relay.kill().await;
}

#[tokio::test]
async fn nothing_is_published_again_when_only_foreign_messages_are_left_on_the_stream() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(3, 3).await;
    fixture.settled().await;
    relay.stop(TIMEOUT).await.expect("products drains");
    stream(&fixture).await.purge().await.expect("the operator may");
    hello(&fixture, 2).await;
    let relay = fixture.relay();
    fixture.writer.update(&ids[0], 2).await;
    eventually(TIMEOUT, || async {
        let nats = jetstream::new(fixture.stores.nats().await?);
        let (log, stream) = (invariants::log(&fixture.db).await?, invariants::stream(&nats, 2).await?);
        ensure!(log.get(9..).is_some_and(|log| log == stream), "the log has {log:?}, the stream {stream:?}");
        Ok(())
    })
    .await;
    relay.kill().await;
}

/// The first of three messages is refused, because another has its place. The second expects just that place.
#[tokio::test]
async fn a_foreign_message_in_the_place_of_the_first_of_three_does_not_let_the_others_in() {
    for foreign in [1, 2] {
        let fixture = Fixture::open().await;
        let relay = fixture.relay_until("relay.publishing:2:stop");
        let id = fixture.writer.insert().await;
        fixture.settled().await;
        fixture.writer.update(&id, 3).await;
        relay.paused(Duration::from_secs(30)).await.expect("it publishes the three");
        hello(&fixture, foreign).await;
        relay.resume();
        fixture.settled().await;
        fixture.writer.update(&id, 1).await;
        fixture.settled().await;
        relay.kill().await;
    }
}

/// A batch is sent, and behind it what the log has since got.
#[tokio::test]
async fn foreign_messages_in_the_place_of_a_batch_do_not_let_the_next_one_in() {
    let fixture = Fixture::open().await;
    let ids = fixture.writer.products(1, 40).await;
    fixture.writer.products(30, 20).await;
    let relay = fixture.relay_until("relay.publishing:1:stop");
    relay.paused(Duration::from_secs(30)).await.expect("it publishes the first batch");
    // As many as the batch has, so that the stream would end where the next one expects.
    hello(&fixture, 500).await;
    relay.resume();
    fixture.settled().await;
    fixture.writer.update(&ids[0], 1).await;
    fixture.settled().await;
    relay.kill().await;
}
