//! What a charge is, and what a request does to it. Pure.

use crate::behaviour::{Behaviour, Verdict, Webhooks};
use contracts::money::Money;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::Time;

/// Where a charge is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Set aside.
    Authorized,
    /// The payer's bank, or the payer, said no.
    Declined,
    /// The payer must act.
    ActionRequired,
    /// Taken, in part at least.
    Captured,
    /// Given back before it was taken, or run out.
    Voided,
    /// Given back after it was taken, in part at least.
    Refunded,
}

/// What was done with money, or who said what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Set aside.
    Authorized,
    Declined,
    /// The payer must act.
    ActionRequired,
    Captured,
    /// Given back before it was taken.
    Voided,
    /// Ran out.
    Expired,
    /// Given back after it was taken.
    Refunded,
    /// Taken back by the payer's bank.
    ChargedBack,
}

/// Something that happened to a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Key that it was asked under, or one of ours when nobody asked.
    pub key: String,
    pub kind: Kind,
    /// How much, in minor units; 0 when no money moved.
    pub amount: i64,
    pub at: Time,
}

/// A charge. Sums are in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// Idempotency key of the request that made it.
    #[serde(rename = "_id")]
    pub key: String,
    /// Our name for it.
    pub reference: String,
    /// The amount asked for.
    #[serde(with = "store::fields::money")]
    pub amount: Money,
    pub status: Status,
    /// Why it was declined or is over.
    pub reason: String,
    /// Σ captures.
    pub captured: i64,
    /// Σ voids.
    pub voided: i64,
    /// Σ refunds.
    pub refunded: i64,
    /// Σ charge-backs.
    pub charged_back: i64,
    /// What happened, oldest first.
    pub operations: Vec<Operation>,
    /// When the authorization, or the wait for the payer, runs out.
    pub ends_at: Option<Time>,
    /// Whether what is captured is charged back.
    pub is_disputed: bool,
    /// What becomes of its webhooks.
    pub webhooks: Webhooks,
    /// When it last changed.
    pub updated_at: Time,
}

/// What is asked of a charge that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Take so much, in minor units; none: all that is open.
    Capture(Option<i64>),
    /// Give back what is not taken, or call off the payer's action.
    Void,
    /// Give back so much of what was taken; none: all of it.
    Refund(Option<i64>),
    /// The payer approves, or does not.
    Act(bool),
    /// Time is up.
    Expire,
    /// The payer's bank takes back what was captured.
    Dispute,
}

/// Why a request is refused; a code.
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

    /// What was set aside.
    pub fn authorized(&self) -> i64 {
        let authorizations = self.operations.iter().filter(|operation| operation.kind == Kind::Authorized);
        authorizations.map(|operation| operation.amount).sum()
    }

    /// Set aside, and neither taken nor given back.
    pub fn open(&self) -> i64 {
        self.authorized() - self.captured - self.voided
    }

    /// Taken, and not given back.
    pub fn refundable(&self) -> i64 {
        self.captured - self.refunded - self.charged_back
    }

    /// The charge after `wish`, asked for under `key`.
    pub fn after(&self, key: &str, wish: Wish, now: Time) -> Result<Self, Refusal> {
        let mut next = self.clone();
        next.updated_at = now;
        match wish {
            Wish::Capture(amount) => next.capture(key, amount, now)?,
            Wish::Void | Wish::Expire if next.status == Status::ActionRequired => {
                let is_late = wish == Wish::Expire;
                next.status = if is_late { Status::Declined } else { Status::Voided };
                next.reason = if is_late { "ACTION_EXPIRED" } else { "VOIDED" }.to_owned();
                next.note(key, if is_late { Kind::Declined } else { Kind::Voided }, 0, now);
            }
            Wish::Void => next.close(key, Kind::Voided, now)?,
            Wish::Expire => next.close(key, Kind::Expired, now)?,
            Wish::Refund(amount) => {
                let amount = part(amount, next.refundable(), "MORE_THAN_CAPTURED")?;
                next.refunded += amount;
                next.status = Status::Refunded;
                next.note(key, Kind::Refunded, amount, now);
            }
            Wish::Act(approves) => next.act(key, approves, now)?,
            Wish::Dispute => next.dispute(key, now)?,
        }
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
        self.note(key, Kind::Captured, amount, now);
        if self.is_disputed { self.dispute(&format!("{key}/dispute"), now) } else { Ok(()) }
    }

    /// Ends the authorization: what was not taken goes back.
    fn close(&mut self, key: &str, kind: Kind, now: Time) -> Result<(), Refusal> {
        let open = part(None, self.open(), "NOTHING_IS_OPEN")?;
        self.voided += open;
        if self.captured == 0 {
            self.status = Status::Voided;
            self.reason = if kind == Kind::Expired { "EXPIRED" } else { "VOIDED" }.to_owned();
        }
        self.note(key, kind, open, now);
        Ok(())
    }

    fn act(&mut self, key: &str, approves: bool, now: Time) -> Result<(), Refusal> {
        if self.status != Status::ActionRequired {
            return Err("NO_ACTION_IS_REQUIRED");
        }
        if approves {
            self.status = Status::Authorized;
            self.ends_at = Some(after(now, Behaviour::of("tok_visa").lasts));
            self.note(key, Kind::Authorized, minor(&self.amount.clone()), now);
        } else {
            self.status = Status::Declined;
            "ACTION_ABANDONED".clone_into(&mut self.reason);
            self.note(key, Kind::Declined, 0, now);
        }
        Ok(())
    }

    fn dispute(&mut self, key: &str, now: Time) -> Result<(), Refusal> {
        let amount = part(None, self.refundable(), "NOTHING_IS_CAPTURED")?;
        self.charged_back += amount;
        self.note(key, Kind::ChargedBack, amount, now);
        Ok(())
    }

    fn note(&mut self, key: &str, kind: Kind, amount: i64, at: Time) {
        self.operations.push(Operation { key: key.to_owned(), kind, amount, at });
    }
}

/// The asked amount, or all there is. Refused when it is not above 0 or more than there is.
fn part(asked: Option<i64>, there_is: i64, too_much: Refusal) -> Result<i64, Refusal> {
    let amount = asked.unwrap_or(there_is);
    match amount {
        ..=0 if asked.is_some() => Err("NOT_POSITIVE"),
        _ if amount > there_is || there_is <= 0 => Err(too_much),
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
