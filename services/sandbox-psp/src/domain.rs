//! What a charge is, and what a request does to it. Pure.

use crate::behaviour::{Behaviour, Verdict, WebhookMode};
use contracts::money::Money;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Authorized,
    /// The payer's bank, or the payer, said no.
    Declined,
    ActionRequired,
    /// Captured, in part at least.
    Captured,
    /// Voided before a capture, or expired.
    Voided,
    /// Refunded, in part at least.
    Refunded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Authorized,
    Declined,
    ActionRequired,
    Captured,
    Voided,
    Expired,
    Refunded,
    ChargedBack,
}

/// An entry in the history of a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Key of the request; one of the sandbox's own for an expiry or a charge-back.
    pub key: String,
    pub kind: Kind,
    /// In minor units; 0 when no money moved.
    pub amount: i64,
    pub at: Time,
}

/// A charge. Sums are in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Idempotency key of the request that made the charge.
    #[serde(rename = "_id")]
    pub key: String,
    pub reference: String,
    #[serde(with = "store::fields::money")]
    pub amount: Money,
    pub status: Status,
    pub reason: String,
    pub captured: i64,
    pub voided: i64,
    pub refunded: i64,
    pub charged_back: i64,
    /// What happened, oldest first.
    pub operations: Vec<Operation>,
    /// When the authorization, or the wait for the payer, runs out.
    pub ends_at: Option<Time>,
    pub is_disputed: bool,
    pub webhooks: WebhookMode,
    pub updated_at: Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Capture an amount in minor units; none: all that is open.
    Capture(Option<i64>),
    /// Void what is not captured, or call off the payer's action.
    Void,
    /// Refund an amount of what was captured; none: all of it.
    Refund(Option<i64>),
    Act(bool),
    Expire,
    /// The payer's bank takes back what was captured.
    Dispute,
}

pub type Refusal = &'static str;

impl Charge {
    /// A new charge, as the token wants it.
    pub fn new(key: &str, reference: String, amount: Money, behaviour: &Behaviour, now: Time) -> Self {
        let (status, kind, reason) = match behaviour.verdict {
            Verdict::Authorize => (Status::Authorized, Kind::Authorized, ""),
            Verdict::Ask => (Status::ActionRequired, Kind::ActionRequired, ""),
            Verdict::Decline(reason) => (Status::Declined, Kind::Declined, reason),
        };
        let moved = if status == Status::Authorized { minor(&amount) } else { 0 };
        Self {
            operations: vec![Operation { key: key.to_owned(), kind, amount: moved, at: now }],
            key: key.to_owned(),
            reference,
            amount,
            status,
            reason: reason.to_owned(),
            captured: 0,
            voided: 0,
            refunded: 0,
            charged_back: 0,
            ends_at: (status != Status::Declined).then(|| after(now, behaviour.lasts)),
            is_disputed: behaviour.is_disputed,
            webhooks: behaviour.webhooks,
            updated_at: now,
        }
    }

    pub fn authorized(&self) -> i64 {
        let authorizations = self.operations.iter().filter(|operation| operation.kind == Kind::Authorized);
        authorizations.map(|operation| operation.amount).sum()
    }

    /// Authorized, and neither captured nor voided.
    pub fn open(&self) -> i64 {
        self.authorized() - self.captured - self.voided
    }

    /// Captured, and neither refunded nor charged back.
    pub fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.charged_back
    }

    /// The charge after `command`, asked for under `key`.
    pub fn after(&self, key: &str, command: Command, now: Time) -> Result<Self, Refusal> {
        let mut next = self.clone();
        next.updated_at = now;
        match command {
            Command::Capture(amount) => next.capture(key, amount, now)?,
            // Nothing is authorized yet, so no money moves: only the payer's action ends.
            Command::Void | Command::Expire if next.status == Status::ActionRequired => {
                let is_late = command == Command::Expire;
                next.status = if is_late { Status::Declined } else { Status::Voided };
                next.reason = if is_late { "ACTION_EXPIRED" } else { "VOIDED" }.to_owned();
                next.record(key, if is_late { Kind::Declined } else { Kind::Voided }, 0, now);
            }
            Command::Void => next.close(key, Kind::Voided, now)?,
            Command::Expire => next.close(key, Kind::Expired, now)?,
            Command::Refund(amount) => {
                let amount = part(amount, next.refundable(), "MORE_THAN_CAPTURED")?;
                next.refunded += amount;
                next.status = Status::Refunded;
                next.record(key, Kind::Refunded, amount, now);
            }
            Command::Act(approves) => next.act(key, approves, now)?,
            Command::Dispute => next.dispute(key, now)?,
        }
        // Without an end the charge is no work for the worker any more.
        if next.status != Status::ActionRequired && next.open() == 0 {
            next.ends_at = None;
        }
        Ok(next)
    }

    fn capture(&mut self, key: &str, amount: Option<i64>, now: Time) -> Result<(), Refusal> {
        match self.status {
            Status::Authorized | Status::Captured | Status::Refunded => {}
            Status::Declined => return Err("CHARGE_IS_DECLINED"),
            Status::ActionRequired => return Err("CHARGE_IS_ACTION_REQUIRED"),
            Status::Voided => return Err("CHARGE_IS_VOIDED"),
        }
        let amount = part(amount, self.open(), "MORE_THAN_AUTHORIZED")?;
        self.captured += amount;
        if self.status == Status::Authorized {
            self.status = Status::Captured;
        }
        self.record(key, Kind::Captured, amount, now);
        if self.is_disputed { self.dispute(&format!("{key}/dispute"), now) } else { Ok(()) }
    }

    /// Ends the authorization: what was not captured is voided.
    fn close(&mut self, key: &str, kind: Kind, now: Time) -> Result<(), Refusal> {
        let open = part(None, self.open(), "NOTHING_IS_OPEN")?;
        self.voided += open;
        if self.captured == 0 {
            self.status = Status::Voided;
            self.reason = if kind == Kind::Expired { "EXPIRED" } else { "VOIDED" }.to_owned();
        }
        self.record(key, kind, open, now);
        Ok(())
    }

    fn act(&mut self, key: &str, approves: bool, now: Time) -> Result<(), Refusal> {
        if self.status != Status::ActionRequired {
            return Err("NO_ACTION_IS_REQUIRED");
        }
        if approves {
            self.status = Status::Authorized;
            self.ends_at = Some(after(now, Behaviour::of("tok_visa").lasts));
            self.record(key, Kind::Authorized, minor(&self.amount), now);
        } else {
            self.status = Status::Declined;
            "ACTION_ABANDONED".clone_into(&mut self.reason);
            self.record(key, Kind::Declined, 0, now);
        }
        Ok(())
    }

    fn dispute(&mut self, key: &str, now: Time) -> Result<(), Refusal> {
        let amount = part(None, self.refundable(), "NOTHING_IS_CAPTURED")?;
        self.charged_back += amount;
        self.record(key, Kind::ChargedBack, amount, now);
        Ok(())
    }

    fn record(&mut self, key: &str, kind: Kind, amount: i64, at: Time) {
        self.operations.push(Operation { key: key.to_owned(), kind, amount, at });
    }
}

/// The requested amount, or all that is available. Refused when it is not above 0 or more than available.
fn part(requested: Option<i64>, available: i64, refusal: Refusal) -> Result<i64, Refusal> {
    let amount = requested.unwrap_or(available);
    match amount {
        ..=0 if requested.is_some() => Err("NOT_POSITIVE"),
        _ if amount > available || available <= 0 => Err(refusal),
        _ => Ok(amount),
    }
}

/// In minor units; the sandbox takes no amount beyond 2⁶³.
pub fn minor(amount: &Money) -> i64 {
    i64::try_from(amount.minor()).unwrap_or(i64::MAX)
}

pub fn after(now: Time, pause: Duration) -> Time {
    Time::from_millis(now.timestamp_millis().saturating_add(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
}
