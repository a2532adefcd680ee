//! Which events ask for a mail, and what an attempt to send one leads to. Pure.

#[cfg(test)]
mod tests;

use ::store::{Time, fields};
use contracts::money::Money;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// An event that was this old when it was heard of asks for no mail: of a log that is read for the first time, nobody is told.
pub const STALE_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// A mail is tried for this long, as long as the queue of a usual mail server keeps one for a shop.
pub const TRIED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Attempts of one mail. By the pauses between them, `TRIED_FOR` ends first unless attempts are cut off.
pub const MAX_ATTEMPTS: i32 = 80;

/// The longest pause before the next attempt; the first one is a second, and each is twice the one before.
const LONGEST_PAUSE: Duration = Duration::from_secs(30 * 60);

/// What a mail tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Template {
    OrderConfirmed,
    OrderCancelled,
    OrderRefunded,
    ShipmentDispatched,
    ShipmentDelivered,
    PasswordReset,
    EmailVerification,
}

impl Template {
    pub const ALL: [Self; 7] = [
        Self::OrderConfirmed,
        Self::OrderCancelled,
        Self::OrderRefunded,
        Self::ShipmentDispatched,
        Self::ShipmentDelivered,
        Self::PasswordReset,
        Self::EmailVerification,
    ];

    /// The mail that events of this service, aggregate and name ask for.
    pub fn of_event(service: &str, aggregate: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.event() == (service, aggregate, name))
    }

    /// Service, aggregate and name of the events that ask for it.
    pub const fn event(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::OrderConfirmed => ("orders", "order", "confirmed"),
            Self::OrderCancelled => ("orders", "order", "cancelled"),
            Self::OrderRefunded => ("orders", "order", "refunded"),
            Self::ShipmentDispatched => ("shipping", "shipment", "dispatched"),
            Self::ShipmentDelivered => ("shipping", "shipment", "delivered"),
            Self::PasswordReset => ("users", "user", "password_reset_requested"),
            Self::EmailVerification => ("users", "user", "email_verification_requested"),
        }
    }

    /// Whether it is about the account and no order. Such a mail has a token of users, and is sent whatever mails about orders
    /// the customer wants.
    pub const fn is_of_account(self) -> bool {
        matches!(self, Self::PasswordReset | Self::EmailVerification)
    }

    /// Name of its files; identifiers are made of it, so it stays.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderConfirmed => "order_confirmed",
            Self::OrderCancelled => "order_cancelled",
            Self::OrderRefunded => "order_refunded",
            Self::ShipmentDispatched => "shipment_dispatched",
            Self::ShipmentDelivered => "shipment_delivered",
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
        }
    }
}

/// An amount of money, stored as `{currency, amount}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(#[serde(with = "fields::money")] pub Money);

/// Units of a product in a shipment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub product_id: String,
    pub quantity: i32,
}

/// The event that asks for a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub id: String,
    pub service: String,
    pub aggregate_id: String,
    pub seq: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Pending,
    Sent,
    Failed,
    Suppressed,
}

/// Who a mail is addressed to, and how; as of the last attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addressed {
    pub to: String,
    pub language: String,
    pub subject: String,
}

/// A mail to a customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Email {
    #[serde(rename = "_id")]
    pub id: String,
    pub template: Template,
    pub event: Origin,
    pub user_id: String,
    /// The order that it is about; empty when it is about the account.
    pub order_id: String,
    /// The shipment that it is about, if it is about one, and what is in it.
    pub shipment_id: Option<String>,
    pub lines: Vec<Line>,
    /// What was given back.
    pub refund: Option<Amount>,
    pub state: State,
    /// A code: why it is in its state, or why the last attempt failed.
    pub reason: Option<String>,
    /// Attempts that have begun. An attempt writes its outcome only while it is the last one.
    pub attempts: i32,
    /// When the next attempt may begin; none when there is no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Time>,
    pub addressed: Option<Addressed>,
    /// Whether its user has closed the account, and it has nothing of them any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_erased: bool,
    pub created_at: Time,
    pub updated_at: Time,
    pub sent_at: Option<Time>,
}

/// What an attempt has come to; with a code that says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    Suppressed(&'static str),
    Failed(&'static str),
    /// It may succeed later.
    Later(String),
}

/// What an attempt leaves in the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    pub state: State,
    pub reason: Option<String>,
    pub wake_at: Option<Time>,
}

impl Email {
    /// How an attempt ends that began as number `self.attempts`.
    pub fn ending(&self, outcome: Outcome, now: Time) -> Ending {
        let over = |state, reason: Option<&str>| Ending { state, reason: reason.map(str::to_owned), wake_at: None };
        match outcome {
            Outcome::Sent => over(State::Sent, None),
            Outcome::Suppressed(why) => over(State::Suppressed, Some(why)),
            Outcome::Failed(why) => over(State::Failed, Some(why)),
            Outcome::Later(_) if self.is_given_up(now) => over(State::Failed, Some("GAVE_UP")),
            Outcome::Later(why) => {
                Ending { state: State::Pending, reason: Some(why), wake_at: Some(later(now, pause(self.attempts))) }
            }
        }
    }

    /// Whether it has been tried for long enough.
    pub fn is_given_up(&self, now: Time) -> bool {
        self.attempts >= MAX_ATTEMPTS || now >= later(self.created_at, TRIED_FOR)
    }
}

/// The pause after this many attempts.
pub fn pause(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    Duration::from_secs(1 << doublings).min(LONGEST_PAUSE)
}

/// This long after a time.
pub fn later(time: Time, by: Duration) -> Time {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(time.timestamp_millis().saturating_add(millis))
}
