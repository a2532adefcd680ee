//! Payments in MongoDB.

use crate::{convert, domain::Payment, error::Error, sandbox};
use ::store::{Aggregate, Change, ChangeError, Database, Documents, Time, Versioned};
use bson::{Document, doc};

impl Aggregate for Payment {
    const COLLECTION: &'static str = "payments";
    const NOUN: &'static str = "payment";
}

/// Indexes of the service.
pub fn indexes() -> [(&'static str, Document, bool); 2] {
    [(Payment::COLLECTION, doc! { "intent.ask_at": 1 }, false), (sandbox::COLLECTION, doc! { "reference": 1 }, true)]
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

    /// Payments whose intent is due for another question, the longest due first.
    pub async fn due(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Payment>>, Error> {
        Ok(self.0.find(doc! { "intent.ask_at": { "$lte": now } }, doc! { "intent.ask_at": 1 }, limit).await?)
    }
}
