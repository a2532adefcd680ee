//! Payments in MongoDB.

use crate::{convert, domain::Payment, error::Error, inbox};
use ::store::{Aggregate, Change, ChangeError, Database, Documents, Time, Versioned};
use bson::{Document, doc};

impl Aggregate for Payment {
    const COLLECTION: &'static str = "payments";
    const NOUN: &'static str = "payment";
}

/// Indexes of the service.
pub fn indexes() -> [(&'static str, Document, bool); 4] {
    [
        (Payment::COLLECTION, doc! { "provider_reference": 1 }, false),
        (Payment::COLLECTION, doc! { "intent.ask_at": 1 }, false),
        (Payment::COLLECTION, doc! { "check_at": 1 }, false),
        (inbox::COLLECTION, doc! { "fate": 1, "received_at": 1 }, false),
    ]
}

/// The payments.
#[derive(Clone)]
pub struct Payments(Documents<Payment>);

impl Payments {
    /// Payments of this database.
    pub fn new(database: &Database) -> Self {
        Self(Documents::new(database))
    }

    /// One payment.
    pub async fn get(&self, id: &str) -> Result<Versioned<Payment>, Error> {
        self.0.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
    }

    /// Stores a new payment with its event. `Duplicate` when there is one of this id.
    pub async fn insert(&self, id: &str, payment: Payment) -> Result<Versioned<Payment>, Error> {
        let events = convert::changed(id, None, &payment)?;
        Ok(self.0.insert(id, payment, events).await?)
    }

    /// Writes what `decide` makes of `seen`, or of what is stored when somebody else wrote in between.
    pub async fn change(
        &self,
        seen: Versioned<Payment>,
        mut decide: impl FnMut(&Payment) -> Result<Option<Payment>, Error>,
    ) -> Result<Versioned<Payment>, Error> {
        let id = seen.id.clone();
        let mut decide = |old: &Versioned<Payment>| -> Result<Option<Change<Payment>>, Error> {
            let Some(state) = decide(&old.state)? else { return Ok(None) };
            let events = convert::changed(&id, Some(&old.state), &state)?;
            Ok(Some(Change { state, events }))
        };
        let Some(change) = decide(&seen)? else { return Ok(seen) };
        match self.0.save(&seen, change).await {
            Err(::store::Error::Conflict) => {}
            saved => return Ok(saved?),
        }
        self.0.change(&seen.id, decide).await.map_err(|error| match error {
            ChangeError::NotFound => Error::NotFound(seen.id.clone()),
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Store(cause) => cause.into(),
        })
    }

    /// Payments without an intent that may have ended by themselves, the longest due first.
    pub async fn to_check(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        let filter = doc! { "check_at": { "$lte": now }, "intent": null };
        Ok(self.0.find(filter, doc! { "check_at": 1 }, limit).await?)
    }

    /// Payments with entries in their ledger that have changed since, in the order of their ids, after `after`.
    pub async fn moved(&self, since: Time, after: &str, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        let filter = doc! { "_id": { "$gt": after }, "updated_at": { "$gte": since }, "ledger.0": { "$exists": true } };
        Ok(self.0.find(filter, doc! { "_id": 1 }, limit).await?)
    }

    /// The payment of a charge that the provider names so.
    pub async fn by_reference(&self, reference: &str) -> Result<Option<Versioned<Payment>>, Error> {
        Ok(self.0.find_one(doc! { "provider_reference": reference }).await?)
    }

    /// Payments whose intent is due for another question, the longest due first.
    pub async fn due(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        Ok(self.0.find(doc! { "intent.ask_at": { "$lte": now } }, doc! { "intent.ask_at": 1 }, limit).await?)
    }
}
