//! Which slot is in use, and who rebuilds the other: one document, `{_id: "projection", slot, generation, from, rebuild}`.
//!
//! `rebuild: {owner, handover, expires_at}` is a lease by the clock of the primary. During the handover, the last second
//! before a switch, nobody fills the slot in use. When the lease runs out, all of it counts as not there.

use crate::{Error, Slot};
use bson::{Document, doc};
use mongodb::{Collection, Database, options::ReturnDocument};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use store::Time;

/// How long a lease outlives its last renewal.
pub(crate) const LEASE_MS: i64 = 10_000;

/// For so long a process may believe that a slot is still in use.
pub(crate) const FRESH: Duration = Duration::from_millis(500);

const COLLECTION: &str = "projection";
const ID: &str = "projection";

#[derive(Clone)]
pub(crate) struct State(Collection<Document>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The slot in use.
    pub slot: Slot,
    pub generation: i64,
    /// Where the consumers of the slot in use began in the streams; at the beginning when none.
    pub from: Option<Time>,
    pub is_rebuilding: bool,
    /// Whether nobody may fill the slot in use.
    pub is_handover: bool,
}

/// The right to rebuild, and to switch.
#[derive(Clone)]
pub(crate) struct Lease {
    collection: Collection<Document>,
    owner: String,
    /// The state when the lease was taken; the slot in use changes only through the lease.
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

    /// Takes the lease unless somebody has it.
    pub async fn lease(&self, owner: &str) -> Result<Option<Lease>, Error> {
        let first = doc! { "$setOnInsert": { "slot": Slot::A, "generation": 0_i64 } };
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

    /// Asks everyone to stop filling the slot in use.
    pub async fn hand_over(&self) -> Result<(), Error> {
        self.update(doc! { "rebuild.handover": true, "rebuild.expires_at": expiry() }).await
    }

    /// Puts the other slot into use; its consumers began at `from`.
    pub async fn switch(&self, from: Time) -> Result<(), Error> {
        let generation = self.seen.generation + 1;
        let slot = self.seen.slot.other();
        let next = doc! { "slot": slot, "generation": generation, "from": from, "rebuild.handover": false };
        self.update(next).await
    }

    /// Lets the next one rebuild.
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

/// The slot in use, for readers. Cheap to clone.
#[derive(Clone)]
pub struct InUse {
    state: State,
    known: Arc<Mutex<Option<(Slot, Instant)>>>,
}

impl InUse {
    pub fn new(database: &Database) -> Self {
        Self { state: State::new(database), known: Arc::default() }
    }

    /// The slot to read from now; a switch shows after half a second at most.
    pub async fn slot(&self) -> Result<Slot, Error> {
        let asked = Instant::now();
        let known = *self.known.lock().expect("no holder panics");
        if let Some((slot, at)) = known
            && asked.duration_since(at) < FRESH
        {
            return Ok(slot);
        }
        let slot = self.state.read().await?.slot;
        *self.known.lock().expect("no holder panics") = Some((slot, asked));
        Ok(slot)
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
        slot: Slot::parse(document.get_str("slot").unwrap_or_default()),
        generation: document.get_i64("generation").unwrap_or(0),
        from: document.get_datetime("from").ok().copied(),
        is_rebuilding,
        is_handover: is_rebuilding && is_handover,
    }
}
