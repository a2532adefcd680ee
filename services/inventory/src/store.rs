//! Stock, reservations and movements in MongoDB: read what a batch touches, write what it changed in one transaction.

use crate::{
    domain::{self, Command, Effect, Entry, Movement, Reservation, Stock, WorkingSet},
    error::Error,
    events,
    memory::{Memory, WriteCache, Written},
};
use ::store::{
    Aggregate, Change, Database, Documents, Found, Index, NewEvent, Time, Transaction, Versioned, page, take_over,
    transaction,
};
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::Collection;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

impl Aggregate for Stock {
    const COLLECTION: &'static str = "stock";
    const NOUN: &'static str = "stock";
}

impl Aggregate for Reservation {
    const COLLECTION: &'static str = "reservations";
    const NOUN: &'static str = "reservation";
}

/// The ledger: one document for the movements of a batch.
const MOVEMENTS: &str = "movements";

/// Movements of a document: who looks for one of them has mongod read all.
const MOVEMENTS_A_DOCUMENT: usize = 500;

/// The index of a ledger that had a document for each movement.
const SINGLES: &str = "product_id_1_seq_1";

pub fn indexes() -> [Index; 3] {
    [
        Index::new(Reservation::COLLECTION, doc! { "state": 1, "expires_at": 1 }),
        Index::new(MOVEMENTS, doc! { "moves.product_id": 1, "moves.seq": 1 }),
        Index::unique(MOVEMENTS, doc! { "moves._id": 1 }).sparse(),
    ]
}

/// Earlier releases had a document for each movement: each becomes a batch.
pub async fn take_over_singles(database: &Database) -> Result<(), mongodb::error::Error> {
    let batch = vec![doc! { "$replaceWith": { "_id": "$_id", "moves": ["$$ROOT"] } }];
    take_over(&database.collection(MOVEMENTS), "moves", batch, &[SINGLES]).await
}

/// Stages that make a document of each movement that matches.
pub fn movements(filter: Document) -> Vec<Document> {
    vec![
        doc! { "$match": { "moves": { "$elemMatch": &filter } } },
        doc! { "$unwind": "$moves" },
        doc! { "$replaceWith": "$moves" },
        doc! { "$match": filter },
    ]
}

/// Movements that were made together.
#[derive(Serialize)]
struct MovementBatch<'a> {
    /// That of the first.
    #[serde(rename = "_id")]
    id: &'a str,
    moves: &'a [Movement],
}

#[derive(Clone)]
pub struct Store {
    database: Database,
    stock: Documents<Stock>,
    reservations: Documents<Reservation>,
    movements: Collection<Document>,
}

/// The state on which a batch is decided, and the documents in the versions that its writes expect.
pub struct Reading {
    pub set: WorkingSet,
    stock: BTreeMap<String, Versioned<Stock>>,
    reservations: BTreeMap<String, Versioned<Reservation>>,
}

impl Store {
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            stock: Documents::new(database),
            reservations: Documents::new(database),
            movements: database.collection(MOVEMENTS),
        }
    }

    pub async fn stock(&self, product_id: &str) -> Result<Versioned<Stock>, Error> {
        self.stock.load(product_id).await?.ok_or_else(|| Error::NotFound(product_id.to_owned()))
    }

    pub async fn reservation(&self, id: &str) -> Result<Versioned<Reservation>, Error> {
        self.reservations.load(id).await?.ok_or_else(|| domain::Error::NoReservation(id.to_owned()).into())
    }

    /// Movements of a product before place `before`, newest first.
    pub async fn movements(&self, product_id: &str, before: Option<i64>, limit: i64) -> Result<Found<Movement>, Error> {
        let before = match before {
            Some(before) => before,
            None => self.stock.load(product_id).await?.map_or(0, |stock| stock.state.moves) + 1,
        };
        // The ledger has no gaps, so the places of a page are known; without the first of them mongod would read all.
        let places = doc! { "$lt": before, "$gte": before.saturating_sub(limit).saturating_sub(1) };
        let mut stages = movements(doc! { "product_id": product_id, "seq": places });
        stages.push(doc! { "$sort": { "seq": -1 } });
        Ok(page::read(self.movements.aggregate(stages).with_type::<Movement>().await?, limit).await?)
    }

    /// Holds that ran out before `now`, oldest first.
    pub async fn expired(&self, from: Time, now: Time, limit: i64) -> Result<Vec<(String, Time)>, Error> {
        let filter = doc! { "state": "Held", "expires_at": { "$gt": from, "$lte": now } };
        let found = self.reservations.find_readable(filter, doc! { "state": 1, "expires_at": 1 }, limit).await?;
        Ok(found.into_iter().map(|reservation| (reservation.id, reservation.state.expires_at)).collect())
    }

    /// Every document that the commands touch; from `memory`, where it has the document.
    pub async fn read(&self, commands: &[&Command], memory: Option<&Memory>) -> Result<Reading, Error> {
        let Touched { mut products, ids, new, keys } = Touched::by(commands);
        // A hold is most often the first command of its reservation, so its document is not looked for. Where there is one
        // after all, the insert is refused and the batch is decided again on a full reading.
        let is_read =
            |id: &&String| memory.is_none_or(|memory| !new.contains(*id) || memory.reservations.get(id).is_some());
        let unread = ids.iter().filter(is_read).cloned().collect();
        let reservations = by_id(&self.reservations, &unread, memory.map(|memory| &memory.reservations)).await?;
        let lines = reservations.values().flat_map(|reservation| &reservation.state.lines);
        products.extend(lines.map(|line| line.product_id.clone()));
        let stock = by_id(&self.stock, &products, memory.map(|memory| &memory.stock)).await?;
        let before = if keys.is_empty() { Vec::new() } else { self.moved_by(keys).await? };
        let set = WorkingSet {
            stock: entries(&stock, products),
            reservations: entries(&reservations, ids),
            before,
            ..WorkingSet::default()
        };
        Ok(Reading { set, stock, reservations })
    }

    async fn moved_by(&self, keys: Vec<String>) -> Result<Vec<Movement>, Error> {
        let moved = self.movements.aggregate(movements(doc! { "_id": { "$in": keys } })).with_type::<Movement>();
        Ok(moved.await?.try_collect().await?)
    }

    /// Writes what changed since `reading`, all of it or nothing. `Conflict` when another replica was first.
    pub async fn write(&self, reading: &Reading, set: WorkingSet) -> Result<Written, Error> {
        let stock_events = |id: &str, rev: i64, changes: &[Effect<Stock>]| {
            // An event is of one actor.
            let runs = changes.chunk_by(|one, next| one.actor == next.actor);
            runs.filter_map(|run| events::stock_changed(id, rev, run)).collect()
        };
        let reservation_events = |id: &str, _: i64, changes: &[Effect<Reservation>]| {
            changes.iter().map(|change| events::reservation_changed(id, change)).collect()
        };
        // Stock before reservations: two replicas that touch the same documents then collide at the first of them.
        let mut transaction = Transaction::new(&self.database);
        let stock = add(&mut transaction, &self.stock, &reading.stock, set.stock, stock_events).await?;
        let reservations =
            add(&mut transaction, &self.reservations, &reading.reservations, set.reservations, reservation_events)
                .await?;
        for moves in set.movements.chunks(MOVEMENTS_A_DOCUMENT) {
            let Some(first) = moves.first() else { continue };
            transaction.insert_raw(&self.movements, &MovementBatch { id: &first.id, moves })?;
        }
        transaction.commit("inventory").await?;
        Ok(Written { stock, reservations })
    }

    /// Ends the transactions that a dead process of this service has left open, so that others can write.
    pub async fn end_abandoned(&self) {
        transaction::end_abandoned(self.database.client()).await;
    }
}

/// The documents and keys that a batch of commands names.
#[derive(Default)]
struct Touched {
    products: BTreeSet<String>,
    ids: BTreeSet<String>,
    new: BTreeSet<String>,
    keys: Vec<String>,
}

impl Touched {
    fn by(commands: &[&Command]) -> Self {
        let mut touched = Self::default();
        for command in commands {
            match command {
                Command::Adjust { product_id, key, .. } | Command::SetBackorder { product_id, key, .. } => {
                    touched.products.insert(product_id.clone());
                    touched.keys.push(key.clone());
                }
                Command::Restock { id, key, .. } => {
                    touched.ids.insert(id.clone());
                    touched.keys.push(key.clone());
                }
                Command::Hold { id, lines, .. } => {
                    touched.new.insert(id.clone());
                    touched.ids.insert(id.clone());
                    touched.products.extend(lines.iter().map(|line| line.product_id.clone()));
                }
                Command::Extend { id, .. }
                | Command::Commit(id, _)
                | Command::Release(id, _)
                | Command::Ship(id, _)
                | Command::Expire(id) => {
                    touched.ids.insert(id.clone());
                }
            }
        }
        touched
    }
}

/// Adds the changes of `entries` to the transaction: one write a document, however many commands changed it.
async fn add<T: Aggregate>(
    transaction: &mut Transaction,
    documents: &Documents<T>,
    read: &BTreeMap<String, Versioned<T>>,
    entries: BTreeMap<String, Entry<T>>,
    events: impl Fn(&str, i64, &[Effect<T>]) -> Vec<NewEvent>,
) -> Result<Vec<Versioned<T>>, Error> {
    let mut written = Vec::new();
    for (id, entry) in entries {
        let Some(state) = entry.changes.last().map(|change| change.state.clone()) else { continue };
        let old = read.get(&id);
        let events = events(&id, old.map_or(1, |old| old.rev + 1), &entry.changes);
        written.push(match old {
            Some(old) => transaction.update(documents, old, Change { state, events }).await?,
            None => transaction.insert(documents, &id, state, events)?,
        });
    }
    Ok(written)
}

async fn by_id<T: Aggregate>(
    documents: &Documents<T>,
    ids: &BTreeSet<String>,
    remembered: Option<&WriteCache<T>>,
) -> Result<BTreeMap<String, Versioned<T>>, Error> {
    // Only what is not remembered is read: with a warm memory a batch reads nothing.
    let known = |id: &String| Some((id.clone(), remembered?.get(id)?.clone()));
    let mut found: BTreeMap<String, Versioned<T>> = ids.iter().filter_map(known).collect();
    let unknown: Vec<&String> = ids.iter().filter(|id| !found.contains_key(*id)).collect();
    if !unknown.is_empty() {
        let read = documents.find(doc! { "_id": { "$in": unknown } }, doc! {}, 0).await?;
        found.extend(read.into_iter().map(|document| (document.id.clone(), document)));
    }
    Ok(found)
}

fn entries<T: Clone>(read: &BTreeMap<String, Versioned<T>>, ids: BTreeSet<String>) -> BTreeMap<String, Entry<T>> {
    let entry = |id: String| {
        let state = read.get(&id).map(|document| document.state.clone());
        (id, Entry { state, changes: Vec::new() })
    };
    ids.into_iter().map(entry).collect()
}
