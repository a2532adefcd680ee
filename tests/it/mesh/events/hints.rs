//! A relay in the process of its writers: it has hints of what they write, and hears of the rest like any other.

use super::{
    fixture::Fixture,
    writer::{Writer, event, fresh_name, product},
};
use bson::doc;
use contracts::id::Kind;
use kit::Stores;
use products::Product;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use store::{Change, Documents, Error, Transaction};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longer than a relay waits for notices that tell it something new.
const LONGER_THAN_ATTENTION: Duration = Duration::from_secs(11);

/// More than a listener may be behind.
const MORE_THAN_KEPT: usize = 4500;

/// The products' relay in this process.
struct Relay {
    running: JoinHandle<()>,
    shutdown: CancellationToken,
}

impl Relay {
    async fn of(fixture: &Fixture) -> Self {
        let nats = fixture.stores.broker().await.expect("nats-server answers");
        let source = events::Source {
            service: "products".to_owned(),
            aggregates: BTreeMap::from([("products".to_owned(), "product".to_owned())]),
            removes: BTreeSet::new(),
        };
        let relay = events::Relay { database: fixture.db.clone(), nats, source, replicas: 1, owner: "test".to_owned() };
        let (shutdown, epoch) = (CancellationToken::new(), fixture.epoch().await);
        let running = tokio::spawn(relay.run(shutdown.clone()));
        fixture.next_term(epoch).await;
        Self { running, shutdown }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.running.await.expect("it does not panic");
    }
}

/// Products that are written over another connection, as another process does it.
async fn of_another_process(stores: &Stores) -> Writer {
    Writer::new(&stores.db("products").await)
}

#[tokio::test]
async fn what_its_own_process_hints_at_is_published_without_a_read() {
    let fixture = Fixture::open().await;
    let relay = Relay::of(&fixture).await;
    fixture.writer.products(3, 2).await;
    fixture.settled().await; // it listens
    // Nobody could hear of this one but by the hint: the transaction that makes it empties its outbox too.
    let (id, name) = (Kind::Product.new_id(), fresh_name());
    let documents = Documents::<Product>::new(&fixture.db);
    let mut transaction = Transaction::new(&fixture.db);
    transaction.insert(&documents, &id, product(&id), vec![event(&name)]).expect("a product");
    let emptied = doc! { "$set": { "outbox": [] } };
    transaction.update_raw(documents.collection(), doc! { "_id": &id }, emptied).expect("an update");
    transaction.commit("test").await.expect("mongod takes it");
    fixture.writer.note(&id, 1, vec![name]);
    fixture.logged().await;
    fixture.settled().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_write_that_is_refused_sends_no_hint() {
    let fixture = Fixture::open().await;
    let relay = Relay::of(&fixture).await;
    let ids = fixture.writer.products(3, 2).await;
    fixture.settled().await; // it listens
    let (documents, other) = (Documents::<Product>::new(&fixture.db), of_another_process(&fixture.stores).await);
    for id in &ids {
        let old = documents.load(id).await.expect("mongod answers").expect("is there");
        other.update(id, 1).await;
        let late = Change { state: old.state.clone(), events: vec![event("never"), event("happened")] };
        let refused = documents.save(&old, late).await;
        assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    }
    fixture.also(&other);
    fixture.settled().await;
    relay.stop().await;
}

#[tokio::test]
async fn hints_that_a_relay_missed_come_by_the_change_stream() {
    let fixture = Fixture::open().await;
    let relay = Relay::of(&fixture).await;
    fixture.writer.products(3, 2).await;
    fixture.settled().await;
    let documents = Documents::<Product>::new(&fixture.db);
    let mut transaction = Transaction::new(&fixture.db);
    for _ in 0..MORE_THAN_KEPT {
        let (id, name) = (Kind::Product.new_id(), fresh_name());
        transaction.insert(&documents, &id, product(&id), vec![event(&name)]).expect("a product");
        fixture.writer.note(&id, 1, vec![name]);
    }
    // All hints are sent without a pause: nobody else runs on this thread.
    transaction.commit("test").await.expect("mongod takes them");
    fixture.settled().await;
    relay.stop().await;
}

#[tokio::test]
async fn a_relay_that_had_hints_of_everything_still_publishes_the_writes_of_others() {
    let fixture = Fixture::open().await;
    let relay = Relay::of(&fixture).await;
    let ids = fixture.writer.products(3, 2).await;
    tokio::time::sleep(LONGER_THAN_ATTENTION).await; // the condition under test: for so long nobody else has written
    fixture.writer.products(10, 1).await; // so many hints in a second that it polls
    tokio::time::sleep(Duration::from_secs(2)).await;
    let other = of_another_process(&fixture.stores).await;
    for round in 0..3 {
        for id in &ids {
            fixture.writer.update(id, 1).await;
            other.update(id, 1 + round).await;
        }
        other.insert().await;
    }
    fixture.also(&other);
    fixture.settled().await;
    relay.stop().await;
}

#[tokio::test]
async fn relays_that_take_the_lease_from_each_other_publish_their_own_writes_once() {
    let fixture = Fixture::open().await;
    let (relay, rival) = (Relay::of(&fixture).await, fixture.relay());
    let ids = fixture.writer.products(6, 2).await;
    for round in 0..40 {
        fixture.writer.update(&ids[round % ids.len()], 1 + round % 3).await;
        if round % 8 == 0 {
            fixture.expire_lease().await;
            tokio::time::sleep(Duration::from_millis(300)).await; // for a term of the other
        }
    }
    fixture.settled().await;
    assert!(fixture.epoch().await > 2, "the lease has not changed hands");
    rival.kill().await;
    relay.stop().await;
}
