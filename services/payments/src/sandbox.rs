//! The sandbox provider: a durable book of charges in its own collection, and a behaviour per token.
//!
//! A charge is one document under the key of its authorization; later operations are added to it together with their
//! keys, so that a repeated key finds its answer after any crash.
//!
//! | token | what happens |
//! |---|---|
//! | `tok_visa` | authorizes |
//! | `tok_declined`, `tok_insufficient_funds` | declined: `CARD_DECLINED`, `INSUFFICIENT_FUNDS` |
//! | `tok_timeout` | authorizes, and the first reply is lost |
//! | `tok_action_required` | waits for the payer |
//! | any other | declined: `INVALID_TOKEN` |

use crate::provider::{Outcome, Provider, Token};
use ::store::{Group, Time, now};
use bson::doc;
use contracts::money::Money;
use mongodb::{Collection, Database};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The book.
pub const COLLECTION: &str = "sandbox_charges";

/// How long the caller of a lost reply waits.
const LOST_AFTER: Duration = Duration::from_millis(200);

/// How often a charge is looked at anew when somebody else moves it at the same time.
const ATTEMPTS: u32 = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Status {
    Authorized,
    Declined,
    ActionRequired,
    Captured,
    Voided,
    Refunded,
}

/// One charge.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Charge {
    /// Idempotency key of the authorization.
    #[serde(rename = "_id")]
    key: String,
    /// Our name for it.
    reference: String,
    #[serde(with = "::store::fields::money")]
    amount: Money,
    status: Status,
    decline_reason: String,
    /// What was done to it later.
    operations: Vec<Operation>,
    created_at: Time,
}

/// One capture, void, refund or action.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Operation {
    key: String,
    status: Status,
    #[serde(with = "::store::fields::money")]
    amount: Money,
    at: Time,
}

impl Charge {
    fn new(key: &str, amount: &Money, token: &Token) -> Self {
        let (status, decline_reason) = match token.reveal() {
            "tok_visa" | "tok_timeout" => (Status::Authorized, ""),
            "tok_action_required" => (Status::ActionRequired, ""),
            "tok_declined" => (Status::Declined, "CARD_DECLINED"),
            "tok_insufficient_funds" => (Status::Declined, "INSUFFICIENT_FUNDS"),
            _ => (Status::Declined, "INVALID_TOKEN"),
        };
        Self {
            key: key.to_owned(),
            reference: format!("sbx_{:032x}", rand::random::<u128>()),
            amount: amount.clone(),
            status,
            decline_reason: decline_reason.to_owned(),
            operations: Vec::new(),
            created_at: now(),
        }
    }

    /// What became of the authorization.
    fn outcome(self) -> Outcome {
        match self.status {
            Status::Authorized | Status::Captured | Status::Refunded => Outcome::Done { reference: self.reference },
            Status::ActionRequired => Outcome::ActionRequired { reference: self.reference },
            Status::Declined => Outcome::Declined { reason: self.decline_reason },
            Status::Voided => Outcome::Declined { reason: "VOIDED".to_owned() },
        }
    }
}

/// The sandbox provider.
pub struct Sandbox {
    charges: Collection<Charge>,
    group: Group,
}

impl Sandbox {
    /// The sandbox whose book is in this database.
    pub fn new(database: &Database) -> Self {
        Self { charges: database.collection(COLLECTION), group: Group::new(database, COLLECTION) }
    }

    async fn book(&self, charge: &Charge) -> Result<(), ::store::Error> {
        self.group.insert(bson::serialize_to_document(charge)?).await
    }

    /// Moves a charge once per key; a repeated key gets the answer of the first time.
    async fn operate(&self, wanted: Move<'_>) -> Outcome {
        for _ in 0..ATTEMPTS {
            match self.try_operate(&wanted).await {
                Ok(Some(outcome)) => return outcome,
                Ok(None) => {}
                Err(error) => return lost(error),
            }
        }
        Outcome::Unknown
    }

    /// None when somebody else moved the charge at the same time.
    async fn try_operate(&self, wanted: &Move<'_>) -> Result<Option<Outcome>, ::store::Error> {
        let Some(charge) = self.charges.find_one(doc! { "reference": wanted.reference }).await? else {
            return Ok(Some(Outcome::Declined { reason: "NO_SUCH_CHARGE".to_owned() }));
        };
        if charge.operations.iter().any(|known| known.key == wanted.key) {
            return Ok(Some(Outcome::Done { reference: charge.reference }));
        }
        if !wanted.from.contains(&charge.status) {
            let reason = format!("CHARGE_IS_{:?}", charge.status).to_uppercase();
            return Ok(Some(Outcome::Declined { reason }));
        }
        let amount = wanted.amount.unwrap_or(&charge.amount).clone();
        let operation = Operation { key: wanted.key.to_owned(), status: wanted.to, amount, at: now() };
        let decline_reason = if wanted.to == Status::Declined { "ACTION_ABANDONED" } else { "" };
        let filter = doc! { "_id": &charge.key, "status": bson::serialize_to_bson(&charge.status)? };
        let update = doc! {
            "$set": { "status": bson::serialize_to_bson(&wanted.to)?, "decline_reason": decline_reason },
            "$push": { "operations": bson::serialize_to_bson(&operation)? },
        };
        let is_moved = self.charges.update_one(filter, update).await?.matched_count == 1;
        Ok(is_moved.then_some(Outcome::Done { reference: charge.reference }))
    }
}

/// A move of a charge.
struct Move<'a> {
    key: &'a str,
    reference: &'a str,
    from: &'a [Status],
    to: Status,
    amount: Option<&'a Money>,
}

#[tonic::async_trait]
impl Provider for Sandbox {
    async fn authorize(&self, key: &str, amount: &Money, token: &Token) -> Outcome {
        let charge = Charge::new(key, amount, token);
        match self.book(&charge).await {
            Ok(()) if token.reveal() == "tok_timeout" => {
                tokio::time::sleep(LOST_AFTER).await;
                Outcome::Unknown
            }
            Ok(()) => charge.outcome(),
            Err(::store::Error::Duplicate) => self.query(key).await.unwrap_or(Outcome::Unknown),
            Err(error) => lost(error),
        }
    }

    async fn query(&self, key: &str) -> Option<Outcome> {
        match self.charges.find_one(doc! { "_id": key }).await {
            Ok(found) => found.map(Charge::outcome),
            Err(error) => Some(lost(error.into())),
        }
    }

    async fn capture(&self, key: &str, reference: &str, amount: &Money) -> Outcome {
        let (from, to) = (&[Status::Authorized], Status::Captured);
        self.operate(Move { key, reference, from, to, amount: Some(amount) }).await
    }

    async fn void(&self, key: &str, reference: &str) -> Outcome {
        let (from, to) = (&[Status::Authorized, Status::ActionRequired], Status::Voided);
        self.operate(Move { key, reference, from, to, amount: None }).await
    }

    async fn refund(&self, key: &str, reference: &str, amount: &Money) -> Outcome {
        let (from, to) = (&[Status::Captured], Status::Refunded);
        self.operate(Move { key, reference, from, to, amount: Some(amount) }).await
    }

    async fn complete_action(&self, key: &str, reference: &str, approve: bool) -> Outcome {
        let (from, to) = (&[Status::ActionRequired], if approve { Status::Authorized } else { Status::Declined });
        self.operate(Move { key, reference, from, to, amount: None }).await
    }
}

fn lost(error: ::store::Error) -> Outcome {
    tracing::warn!(%error, "the sandbox cannot reach its book; the outcome is unknown");
    Outcome::Unknown
}
