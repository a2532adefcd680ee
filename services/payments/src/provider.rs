//! The seam to the payment provider: what can be asked of it and what it can answer.

use contracts::money::Money;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A means of payment, made by the provider's own form. Never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token, for the call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

/// What the provider answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked: authorized, captured, voided, refunded, completed.
    Done {
        /// Its name for the charge.
        reference: String,
    },
    /// It will not.
    Declined {
        /// Why, upper case: `CARD_DECLINED`.
        reason: String,
    },
    /// The payer must act first.
    ActionRequired {
        /// Its name for the charge.
        reference: String,
    },
    /// No answer, or none that can be trusted. It may have done what was asked.
    Unknown,
}

/// A payment provider. Each call carries an idempotency key: under a known key it does nothing and answers as before.
/// A failure of transport is [`Outcome::Unknown`]. Callers set the deadline; a dropped call may have had its effect.
#[tonic::async_trait]
pub trait Provider: Send + Sync {
    /// Sets `amount` aside.
    async fn authorize(&self, key: &str, amount: &Money, token: &Token) -> Outcome;

    /// What became of the authorization under `key`; none when the provider has never seen it.
    async fn query(&self, key: &str) -> Option<Outcome>;

    /// Takes `amount` of an authorization.
    async fn capture(&self, key: &str, reference: &str, amount: &Money) -> Outcome;

    /// Gives an authorization back, or calls off the payer's action.
    async fn void(&self, key: &str, reference: &str) -> Outcome;

    /// Gives `amount` of a capture back.
    async fn refund(&self, key: &str, reference: &str, amount: &Money) -> Outcome;

    /// Plays the payer: approves or abandons.
    async fn complete_action(&self, key: &str, reference: &str, approve: bool) -> Outcome;
}
