//! The broker's `max_payload` is below an event: who is stuck says so, and goes on by itself when it is raised.

use super::{
    TIMEOUT,
    fixture::{Fixture, STREAM},
    invariants,
    writer::{event, long_name, product},
};
use anyhow::ensure;
use bson::doc;
use contracts::id::Kind;
use kit::shop::{product as catalogue, reason};
use kit::{Client, Stack, StackOptions, eventually};
use products::Product;
use serde_json::json;
use store::{Change, ChangeError, Documents, Error};
use tonic::Code;

/// Below a large event, and above all others and what clients ask of the broker.
const LOW: usize = 4 * 1024;

/// Bytes of a large event.
const LARGE: usize = 16 * 1024;

/// nats-server's own limit.
const DEFAULT: usize = 1024 * 1024;

/// Why the relay publishes nothing, as everyone is told.
async fn problem(fixture: &Fixture) -> String {
    let lease = fixture.leases().find_one(doc! { "_id": "relay" }).await.expect("mongod answers").unwrap_or_default();
    lease.get_str("problem").unwrap_or_default().to_owned()
}

/// Id of the event of this place.
async fn event_id(fixture: &Fixture, id: &str, seq: i64) -> String {
    let log = invariants::log(&fixture.db).await.expect("mongod answers");
    let entry = log.iter().find(|entry| entry.aggregate.ends_with(id) && entry.seq == seq);
    entry.expect("it is in the log").eid.clone()
}

/// Waits until everyone is told that this event is too large; then the relay has said so once.
async fn is_named(fixture: &Fixture, relay: &kit::Process, id: &str, seq: i64) {
    fixture.logged().await;
    let eid = event_id(fixture, id, seq).await;
    eventually(TIMEOUT, || async {
        let (problem, output) = (problem(fixture).await, relay.output());
        ensure!(problem.contains(&eid) && problem.contains(&LOW.to_string()), "the problem is {problem:?}");
        ensure!(output.matches("event_too_large").count() == 1, "it is told once:\n{output}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_event_above_the_brokers_limit_is_named_and_published_once_that_is_raised() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 2).await;
    fixture.settled().await;
    fixture.stores.limit_nats(LOW).await;
    fixture.writer.try_rename(&ids[0], vec![long_name(LARGE)]).await.expect("mongod takes it");
    fixture.writer.update(&ids[1], 2).await;
    is_named(&fixture, &relay, &ids[0], 3).await;
    fixture.stores.limit_nats(DEFAULT).await;
    fixture.settled().await;
    eventually(TIMEOUT, || async {
        let problem = problem(&fixture).await;
        ensure!(problem.is_empty(), "{problem}");
        Ok(())
    })
    .await;
    relay.kill().await;
}

#[tokio::test]
async fn what_is_before_an_event_above_the_limit_does_not_wait_for_it() {
    let fixture = Fixture::open().await;
    let ids = fixture.writer.products(3, 20).await;
    fixture.writer.try_rename(&ids[0], vec![long_name(LARGE)]).await.expect("mongod takes it");
    fixture.writer.update(&ids[1], 1).await;
    fixture.stores.limit_nats(LOW).await;
    let relay = fixture.relay();
    is_named(&fixture, &relay, &ids[0], 21).await;
    let nats = async_nats::jetstream::new(fixture.stores.nats().await.expect("nats-server answers"));
    let before = invariants::log(&fixture.db).await.expect("mongod answers");
    let before = before.iter().position(|entry| entry.data.len() > LARGE).expect("it is in the log");
    invariants::stream(&nats, before as u64).await.expect("what is before it has been published");
    fixture.stores.limit_nats(DEFAULT).await;
    fixture.settled().await;
    relay.kill().await;
}

#[tokio::test]
async fn an_event_waits_through_restarts_and_a_limit_that_is_still_too_low() {
    let fixture = Fixture::open().await;
    fixture.stores.limit_nats(LOW).await;
    let relay = fixture.relay();
    let id = fixture.writer.insert().await;
    fixture.writer.try_rename(&id, vec![long_name(LARGE)]).await.expect("mongod takes it");
    is_named(&fixture, &relay, &id, 2).await;
    relay.stop(TIMEOUT).await.expect("products drains");
    fixture.stores.limit_nats(LOW * 2).await;
    let relay = fixture.relay();
    eventually(TIMEOUT, || async {
        let problem = problem(&fixture).await;
        ensure!(problem.contains(&(LOW * 2).to_string()), "{problem}");
        Ok(())
    })
    .await;
    fixture.stores.limit_nats(DEFAULT).await;
    fixture.settled().await;
    relay.kill().await;
}

#[tokio::test]
async fn a_change_with_an_event_above_the_limit_is_refused_and_changes_nothing() {
    let fixture = Fixture::open().await;
    let products = Documents::<Product>::new(&fixture.db);
    let id = fixture.writer.insert().await;
    fixture.writer.try_rename(&id, vec![long_name(LARGE)]).await.expect("without a word from the broker it is taken");
    fixture.db.event_limit().set(LOW);
    let large = || vec![event("small"), event(&long_name(LARGE))];
    let refused = products.insert(&Kind::Product.new_id(), product(&id), large()).await;
    let Err(error @ Error::TooLarge { events: 1, limit: LOW, .. }) = refused else { panic!("{refused:?}") };
    let status = service::store_status(error);
    assert_eq!((status.code(), rpc::status::reason(&status).as_str()), (Code::InvalidArgument, "CHANGE_TOO_LARGE"));
    assert!(status.message().contains("at most 4096 bytes"), "{status:?}");
    let before = products.load(&id).await.expect("mongod answers").expect("is there");
    let refused = products.change(&id, |old| {
        Ok::<_, std::convert::Infallible>(Some(Change { state: old.state.clone(), events: large() }))
    });
    assert!(matches!(refused.await, Err(ChangeError::Store(Error::TooLarge { .. }))));
    let after = products.load(&id).await.expect("mongod answers").expect("is there");
    assert_eq!((before.rev, before.seq), (after.rev, after.seq));
    fixture.writer.update(&id, 3).await; // others are taken
    fixture.db.event_limit().set(DEFAULT);
    fixture.writer.try_rename(&id, vec![long_name(LARGE)]).await.expect("now it fits");
}

/// A product with a description of `bytes` letters.
fn draft(bytes: usize) -> serde_json::Value {
    let price = json!({ "currencyCode": "EUR", "units": "12" });
    let sku = format!("LARGE-{:016x}", rand::random::<u64>());
    json!({ "name": "Test product", "sku": sku, "description": "x".repeat(bytes), "price": price })
}

async fn is_refused(staff: &Client) {
    eventually(TIMEOUT, || async {
        let refused = staff.post("/v1/products", draft(4_500)).await;
        ensure!(refused.status == 400 && reason(&refused) == "CHANGE_TOO_LARGE", "{:?}", refused.body);
        ensure!(refused.body["message"].as_str().is_some_and(|text| text.contains("at most 4096 bytes")));
        Ok(())
    })
    .await;
}

async fn is_taken(staff: &Client) {
    eventually(TIMEOUT, || async {
        let taken = staff.post("/v1/products", draft(4_500)).await;
        ensure!(taken.status == 201, "{:?}", taken.body);
        Ok(())
    })
    .await;
}

/// The limit of the stream of the products; -1 is none.
async fn limit_stream(stack: &Stack, bytes: i32) {
    let nats = async_nats::jetstream::new(stack.nats().await);
    let stream = nats.get_stream(STREAM).await.expect("is there");
    let config =
        async_nats::jetstream::stream::Config { max_message_size: bytes, ..stream.cached_info().config.clone() };
    nats.update_stream(config).await.expect("the operator may");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_refuses_what_the_broker_would_not_take_by_its_present_limit() {
    let stack = Stack::start(StackOptions::default()).await;
    let staff = Client::staff(&stack).await;
    let limit_nats = |bytes| kit::limit_nats(&stack.data(), stack.state().pids["nats-server"], bytes);
    is_taken(&staff).await;
    limit_nats(LOW);
    is_refused(&staff).await;
    catalogue(&stack, 5).await; // others are taken
    limit_nats(DEFAULT);
    is_taken(&staff).await;
    limit_stream(&stack, 4096).await;
    is_refused(&staff).await;
    catalogue(&stack, 5).await;
    limit_stream(&stack, -1).await;
    is_taken(&staff).await;
    stack.stop().await;
}
