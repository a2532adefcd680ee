//! Facts that come together share a read and a write of their row, on a real mongod.

use super::entries::{ORDER, PAYMENT, created, moved};
use ::order_history::{Entry, Fact, Folding, fact};
use contracts::{orders::v1::order, payments::v1::payment, shipping::v1::shipment};
use futures::future::join_all;
use kit::Stores;
use store::{Batcher, Database};

const ROWS: &str = "rows";

async fn row(database: &Database) -> Entry {
    database.collection(ROWS).find_one(bson::doc! { "_id": ORDER }).await.expect("mongod answers").expect("a row")
}

fn facts() -> [Fact; 4] {
    let confirmed = moved(2, order::State::Pending, order::State::Confirmed, "");
    let events = [
        created(),
        super::entries::payment(1, payment::State::Authorizing),
        super::entries::shipment(1, shipment::State::Created),
        confirmed,
    ];
    events.map(|event| fact(&event).expect("a fact"))
}

#[tokio::test]
async fn facts_that_come_together_are_in_their_row_with_one_write() {
    let stores = Stores::start().await;
    let database = stores.db("order-history").await;
    let folding = Batcher::new(Folding::new(&database, ROWS));
    let [created, paid, ships, confirmed] = facts();
    let together = [&created, &paid, &created, &ships, &confirmed];
    for outcome in join_all(together.map(|fact| folding.submit(fact.clone(), 1))).await {
        assert!(outcome.expect("an answer").expect("it is folded"));
    }
    let row = row(&database).await;
    assert_eq!(row.rev, 1, "one write");
    let applied = [&confirmed, &paid, &ships].map(|fact| row.applied(&fact.source));
    assert_eq!(applied, [2, 1, 1], "each once, and in order");
    assert_eq!(row.order.map(|order| order.state), Some(order::State::Confirmed.into()));
}

#[tokio::test]
async fn a_gap_is_told_to_the_fact_behind_it_and_to_no_other_in_its_company() {
    let stores = Stores::start().await;
    let database = stores.db("order-history").await;
    let folding = Batcher::new(Folding::new(&database, ROWS));
    let [created, ..] = facts();
    let early = fact(&super::entries::payment(2, payment::State::Authorized)).expect("a fact");
    let (ahead, behind) = tokio::join!(folding.submit(created, 1), folding.submit(early, 1));
    assert!(ahead.expect("an answer").expect("it is folded"));
    let refused = behind.expect("an answer").expect_err("nothing came before it").to_string();
    assert_eq!(refused, "event 2 came before event 1");
    assert_eq!(row(&database).await.applied, [(ORDER.to_owned(), 1)].into());
}

#[tokio::test]
async fn of_two_processes_that_write_a_row_at_once_one_is_refused_with_its_whole_batch() {
    let stores = Stores::start().await;
    let database = stores.db("order-history").await;
    for _ in 0..10 {
        database.collection::<Entry>(ROWS).drop().await.expect("root may");
        let [one, other] = [(); 2].map(|()| Batcher::new(Folding::new(&database, ROWS)));
        let [created, paid, ..] = facts();
        // Each in one batch with its repetition, which is in the row only if the first is.
        let placed = [created.clone(), created].map(|fact| one.submit(fact, 1));
        let charged = [paid.clone(), paid].map(|fact| other.submit(fact, 1));
        let (placed, charged) = tokio::join!(join_all(placed), join_all(charged));
        let outcomes = placed.into_iter().chain(charged);
        let is_folded: Vec<bool> = outcomes.map(|outcome| outcome.expect("an answer").expect("no error")).collect();
        let row = row(&database).await;
        let found = [ORDER, ORDER, PAYMENT, PAYMENT].map(|source| row.applied(source) > 0);
        assert_eq!(is_folded[..], found, "what is said to be folded is in the row, and nothing else");
    }
}

#[tokio::test]
async fn facts_in_company_with_one_for_an_unreadable_row_are_folded() {
    let stores = Stores::start().await;
    let database = stores.db("order-history").await;
    let folding = Batcher::new(Folding::new(&database, ROWS));
    let bad = bson::doc! { "_id": "ord_bad", "rev": "many" };
    database.collection(ROWS).insert_one(bad).await.expect("root may");
    let [created, paid, ..] = facts();
    let bad = Fact { order_id: "ord_bad".to_owned(), source: "ord_bad".to_owned(), ..created.clone() };
    let together = [&created, &bad, &paid, &bad].map(|fact| folding.submit(fact.clone(), 1));
    let outcomes: Vec<bool> = join_all(together).await.into_iter().map(|got| got.expect("an answer").is_ok()).collect();
    assert_eq!(outcomes, [true, false, true, false]);
    let row = row(&database).await;
    assert_eq!([&created, &paid].map(|fact| row.applied(&fact.source)), [1, 1], "each is in the row");
}
