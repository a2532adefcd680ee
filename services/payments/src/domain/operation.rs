//! What the provider is asked to do, durably before it is asked. Pure.

use ::store::Time;
use contracts::money::Money;
use serde::{Deserialize, Serialize};

/// The request that wrote an intent has this long before the resolver asks the provider as well.
const RESOLVE_AFTER_MS: i64 = 2_000;

/// Longest pause between two questions about one intent: a provider that is down for hours is found up within a minute.
const LONGEST_PAUSE_MS: i64 = 64_000;

/// What the provider is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Set the amount aside.
    Authorize,
    /// Take it.
    Capture,
    /// Give the authorization back, or call off the payer's action.
    Void,
    /// Give a captured amount back.
    Refund,
    /// Play the payer who approves.
    Approve,
    /// Play the payer who abandons.
    Abandon,
}

/// An operation that is durable and not known to have ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub operation: Operation,
    /// Idempotency key, the same for every attempt.
    pub key: String,
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
    /// How often the provider was asked without an answer.
    pub attempts: i32,
    /// When the resolver asks next.
    pub ask_at: Time,
}

impl Operation {
    /// The idempotency key of this operation on a payment.
    pub fn key(self, payment_id: &str) -> String {
        format!("{payment_id}/{}", self.name())
    }

    /// Its word in keys.
    pub const fn name(self) -> &'static str {
        match self {
            Operation::Authorize => "authorize",
            Operation::Capture => "capture",
            Operation::Void => "void",
            Operation::Refund => "refund",
            Operation::Approve => "approve",
            Operation::Abandon => "abandon",
        }
    }
}

impl Intent {
    /// A new intent, which the resolver leaves alone at first.
    pub(super) fn new(operation: Operation, key: String, amount: Money, now: Time) -> Self {
        Self { operation, key, amount, attempts: 0, ask_at: later(now, RESOLVE_AFTER_MS) }
    }

    /// Has the provider asked later: each time the pause doubles.
    pub(super) fn put_off(&mut self, now: Time) {
        let doublings = self.attempts.clamp(0, 5).unsigned_abs();
        self.ask_at = later(now, (RESOLVE_AFTER_MS << doublings).min(LONGEST_PAUSE_MS));
        self.attempts = self.attempts.saturating_add(1);
    }
}

/// The time `millis` milliseconds after `now`.
pub(super) fn later(now: Time, millis: i64) -> Time {
    Time::from_millis(now.timestamp_millis().saturating_add(millis))
}
