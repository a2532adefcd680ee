//! Payments in MongoDB.

use crate::{
    domain::{self, Operation, Payment},
    error::Error,
    events,
};
use ::store::{Aggregate, Change, Database, Documents, Index, Time, Versioned};
use bson::doc;
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

/// Payments that are known to have changed since the last look at the webhooks. The rest is forgotten: webhooks that wait
/// for those are found when they are due.
const CHANGED: usize = 16_384;

impl Aggregate for Payment {
    const COLLECTION: &'static str = "payments";
    const NOUN: &'static str = "payment";
}

pub fn indexes() -> [Index; 3] {
    ["provider_reference", "intent.ask_at", "check_at"].map(|key| Index::new(Payment::COLLECTION, doc! { key: 1 }))
}

#[derive(Clone)]
pub struct Payments {
    documents: Documents<Payment>,
    /// Keys of the authorizations of those that were written here.
    changed: Arc<Mutex<HashSet<String>>>,
}

impl Payments {
    pub fn new(database: &Database) -> Self {
        Self { documents: Documents::new(database), changed: Arc::default() }
    }

    pub async fn get(&self, id: &str) -> Result<Versioned<Payment>, Error> {
        self.documents.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
    }

    /// Stores a new payment with its event. `Duplicate` when there is one of this id.
    pub async fn insert(&self, id: &str, payment: Payment) -> Result<Versioned<Payment>, Error> {
        let events = events::changed(id, None, &payment)?;
        let written = self.documents.insert(id, payment, events).await?;
        self.note(id);
        Ok(written)
    }

    /// Writes what `decide` makes of `seen`, or of what is stored when somebody else wrote in between.
    pub async fn change(
        &self,
        seen: Versioned<Payment>,
        mut decide: impl FnMut(&Payment) -> Result<Option<Payment>, domain::Error>,
    ) -> Result<Versioned<Payment>, Error> {
        let id = seen.id.clone();
        let mut decide = |old: &Versioned<Payment>| -> Result<Option<Change<Payment>>, domain::Error> {
            let Some(state) = decide(&old.state)? else { return Ok(None) };
            let events = events::changed(&id, Some(&old.state), &state)?;
            Ok(Some(Change { state, events }))
        };
        // On what the caller has seen: most changes need no second read.
        let Some(change) = decide(&seen)? else { return Ok(seen) };
        let saved = match self.documents.save(&seen, change).await {
            Err(::store::Error::Conflict) => self
                .documents
                .change(&seen.id, decide)
                .await
                .map_err(|error| error.or(|| Error::NotFound(seen.id.clone())))?,
            saved => saved?,
        };
        self.note(&seen.id);
        Ok(saved)
    }

    fn note(&self, id: &str) {
        let mut changed = self.changed.lock().expect("no holder panics");
        if changed.len() < CHANGED {
            changed.insert(Operation::Authorize.key(id));
        }
    }

    /// The keys of the authorizations of payments that this process has changed since the last call.
    pub fn take_changed(&self) -> Vec<String> {
        std::mem::take(&mut *self.changed.lock().expect("no holder panics")).into_iter().collect()
    }

    /// Payments without an intent that may have ended by themselves, the longest due first.
    pub async fn to_check(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        let filter = doc! { "check_at": { "$lte": now }, "intent": null };
        Ok(self.documents.find_readable(filter, doc! { "check_at": 1 }, limit).await?)
    }

    /// Payments with entries in their ledger that have changed since, in the order of their ids, after `after`.
    pub async fn moved(&self, since: Time, after: &str, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        let filter = doc! { "_id": { "$gt": after }, "updated_at": { "$gte": since }, "ledger.0": { "$exists": true } };
        Ok(self.documents.find_readable(filter, doc! { "_id": 1 }, limit).await?)
    }

    /// The payment of a charge that the provider names so.
    pub async fn by_reference(&self, reference: &str) -> Result<Option<Versioned<Payment>>, Error> {
        Ok(self.documents.find_one(doc! { "provider_reference": reference }).await?)
    }

    /// Payments whose intent is due for another question, the longest due first.
    pub async fn due(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        let due = doc! { "intent.ask_at": { "$lte": now } };
        Ok(self.documents.find_readable(due, doc! { "intent.ask_at": 1 }, limit).await?)
    }
}
