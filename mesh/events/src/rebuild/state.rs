//! Which copy is in use, and who rebuilds the other: one document, `{_id: "projection", slot, generation, from, rebuild}`.
//!
//! `rebuild: {owner, handover, expires_at}` is a lease by the clock of the primary. During the handover, the last second
//! before a switch, nobody fills the copy in use. When the lease runs out, all of it counts as not there.

use crate::{Color, Error};
use bson::{Document, doc};
use mongodb::{Collection, Database, options::ReturnDocument};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use store::Time;

/// How long a lease outlives its last renewal.
pub(crate) const LEASE_MS: i64 = 10_000;

/// Longest time for which a process may read a copy after the switch: one read of the state then serves many requests.
pub(crate) const FRESH: Duration = Duration::from_millis(500);

const COLLECTION: &str = "projection";
const ID: &str = "projection";

#[derive(Clone)]
pub(crate) struct State(Collection<Document>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub color: Color,
    pub generation: i64,
    /// Where the consumers of the copy in use began in the streams; at the beginning when none.
    pub from: Option<Time>,
    pub is_rebuilding: bool,
    /// Whether nobody may fill the copy in use.
    pub is_handover: bool,
}

#[derive(Clone)]
pub(crate) struct Lease {
    collection: Collection<Document>,
    owner: String,
    /// The state when the lease was taken; the copy in use changes only through the lease.
    pub seen: Seen,
}

impl State {
    pub fn new(database: &Database) -> Self {
        Self(database.collection(COLLECTION))
    }

    pub async fn read(&self) -> Result<Seen, Error> {
        let pipeline = [doc! { "$match": { "_id": ID } }, doc! { "$set": { "live": live() } }];
        let mut found = self.0.aggregate(pipeline).await?;
        let document = if found.advance().await? { found.deserialize_current()? } else { Document::new() };
        Ok(parse(&document))
    }

    pub async fn lease(&self, owner: &str) -> Result<Option<Lease>, Error> {
        let first = doc! { "$setOnInsert": { "slot": Color::Blue, "generation": 0_i64 } };
        match self.0.update_one(doc! { "_id": ID }, first).upsert(true).await.map_err(store::Error::from) {
            Ok(_) | Err(store::Error::Duplicate) => {}
            Err(error) => return Err(error.into()),
        }
        let free = doc! { "_id": ID, "$expr": { "$not": [live()] } };
        let owned = doc! { "owner": { "$literal": owner }, "handover": false, "expires_at": expiry() };
        let take = vec![doc! { "$set": { "rebuild": owned } }];
        let taken = self.0.find_one_and_update(free, take).return_document(ReturnDocument::After).await?;
        let lease =
            |document: Document| Lease { collection: self.0.clone(), owner: owner.to_owned(), seen: parse(&document) };
        Ok(taken.map(lease))
    }
}

impl Lease {
    pub async fn renew(&self) -> Result<(), Error> {
        self.update(doc! { "rebuild.expires_at": expiry() }).await
    }

    pub async fn keep(&self) -> Error {
        loop {
            if let Err(error) = self.renew().await {
                return error;
            }
            tokio::time::sleep(Duration::from_millis(LEASE_MS.unsigned_abs() / 4)).await;
        }
    }

    /// Asks everyone to stop filling the copy in use.
    pub async fn hand_over(&self) -> Result<(), Error> {
        self.update(doc! { "rebuild.handover": true, "rebuild.expires_at": expiry() }).await
    }

    /// Puts the other copy into use; its consumers began at `from`.
    pub async fn switch(&self, from: Time) -> Result<(), Error> {
        let generation = self.seen.generation + 1;
        let color = self.seen.color.other();
        let next = doc! { "slot": color, "generation": generation, "from": from, "rebuild.handover": false };
        self.update(next).await
    }

    pub async fn release(&self) -> Result<(), Error> {
        let ours = doc! { "_id": ID, "rebuild.owner": &self.owner };
        self.collection.update_one(ours, doc! { "$unset": { "rebuild": "" } }).await?;
        Ok(())
    }

    async fn update(&self, set: Document) -> Result<(), Error> {
        let ours = doc! { "_id": ID, "rebuild.owner": &self.owner, "$expr": live() };
        let updated = self.collection.update_one(ours, vec![doc! { "$set": set }]).await?;
        if updated.matched_count == 0 { Err(Error::Superseded) } else { Ok(()) }
    }
}

/// The copy in use, for readers. Cheap to clone.
#[derive(Clone)]
pub struct InUse {
    state: State,
    known: Arc<Mutex<Option<(Color, Instant)>>>,
}

impl InUse {
    pub fn new(database: &Database) -> Self {
        Self { state: State::new(database), known: Arc::default() }
    }

    /// The copy to read from now; a switch shows after half a second at most.
    pub async fn color(&self) -> Result<Color, Error> {
        let asked = Instant::now();
        let known = *self.known.lock().expect("no holder panics");
        if let Some((color, at)) = known
            && asked.duration_since(at) < FRESH
        {
            return Ok(color);
        }
        let color = self.state.read().await?.color;
        *self.known.lock().expect("no holder panics") = Some((color, asked));
        Ok(color)
    }
}

fn live() -> Document {
    doc! { "$gt": ["$rebuild.expires_at", "$$NOW"] }
}

fn expiry() -> Document {
    doc! { "$add": ["$$NOW", LEASE_MS] }
}

fn parse(document: &Document) -> Seen {
    let rebuild = document.get_document("rebuild");
    let is_rebuilding = document.get_bool("live").unwrap_or(false);
    let is_handover = rebuild.and_then(|rebuild| rebuild.get_bool("handover")).unwrap_or(false);
    Seen {
        color: Color::parse(document.get_str("slot").unwrap_or_default()),
        generation: document.get_i64("generation").unwrap_or(0),
        from: document.get_datetime("from").ok().copied(),
        is_rebuilding,
        is_handover: is_rebuilding && is_handover,
    }
}
