//! What a payment is, what may be asked of the provider next, and what its answer means. Pure.

mod ledger;
mod state;

pub use ledger::{Amounts, Entry, Kind, Ledger};
pub use state::{State, transition};

use crate::{
    error::Error,
    provider::{Outcome, Token},
};
use ::saga::{Caller, Callers};
use ::store::Time;
use contracts::money::Money;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// How long the one who wrote an intent may take before the resolver asks as well.
const PATIENCE_MS: i64 = 2_000;

/// Longest pause between two questions about the same intent.
const LONGEST_PAUSE_MS: i64 = 64_000;

/// Reason of a payment that the payer gave up.
const ABANDONED: &str = "ACTION_ABANDONED";

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
    /// What the provider is asked to do.
    pub operation: Operation,
    /// Idempotency key, the same for every attempt.
    pub key: String,
    /// How much.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
    /// How often the provider was asked without an answer.
    pub attempts: i32,
    /// When the resolver asks next.
    pub ask_at: Time,
}

/// The amount that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Above 0.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
}

/// A payment as it is stored. Absent values are stored as null: a write sets fields and removes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// The order that it pays.
    pub order_id: String,
    /// The user who pays.
    pub user_id: String,
    /// Where the money is.
    pub state: State,
    /// What was asked for; none when it was cancelled before anything was.
    pub asked: Option<Asked>,
    /// The means of payment, until the provider's first answer.
    pub token: Option<Token>,
    /// The provider's name for the charge, once it gave one.
    pub provider_reference: Option<String>,
    /// Why the provider refused; empty unless DECLINED.
    pub decline_reason: String,
    /// What the provider did.
    pub ledger: Ledger,
    /// What it is being asked to do.
    pub intent: Option<Intent>,
    /// The saga steps that changed this payment.
    #[serde(default)]
    pub callers: Callers,
    /// When it was created.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

/// What AuthorizePayment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The order to pay.
    pub order_id: String,
    /// The user who pays.
    pub user_id: String,
    /// How much.
    pub amount: Money,
    /// The means of payment.
    pub token: Token,
    /// The saga step.
    pub caller: Caller,
}

/// What can be asked of an existing payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Take the authorized amount.
    Capture,
    /// Give everything back.
    Cancel,
    /// The payer approves or abandons.
    CompleteAction {
        /// Which of the two.
        approve: bool,
    },
}

impl Operation {
    /// The idempotency key of this operation on a payment.
    pub fn key(self, payment_id: &str) -> String {
        let name = match self {
            Operation::Authorize => "authorize",
            Operation::Capture => "capture",
            Operation::Void => "void",
            Operation::Refund => "refund",
            Operation::Approve => "approve",
            Operation::Abandon => "abandon",
        };
        format!("{payment_id}/{name}")
    }

    /// An error when `outcome` means that the money stays where it was although it should have moved.
    pub fn check(self, outcome: &Outcome) -> Result<(), Error> {
        match (self, outcome) {
            (Operation::Capture | Operation::Void | Operation::Refund, Outcome::Declined { reason }) => {
                Err(Error::ProviderRefused { operation: self, reason: reason.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Payment {
    /// A new payment that intends to be authorized.
    pub fn begin(id: &str, start: Start, now: Time) -> Result<Self, Error> {
        if start.amount.amount <= Decimal::ZERO {
            return Err(Error::NotPositive);
        }
        transition(None, State::Authorizing)?;
        let mut payment = Self::blank(start.order_id, start.user_id, State::Authorizing, &start.caller, now);
        payment.intent = Some(intent(Operation::Authorize, id, start.amount.clone(), now));
        payment.asked = Some(Asked { amount: start.amount });
        payment.token = Some(start.token);
        Ok(payment)
    }

    /// The mark of a cancellation that came before its payment.
    pub fn cancelled(order_id: String, user_id: String, caller: &Caller, now: Time) -> Self {
        Self::blank(order_id, user_id, State::Voided, caller, now)
    }

    fn blank(order_id: String, user_id: String, state: State, caller: &Caller, now: Time) -> Self {
        Self {
            order_id,
            user_id,
            state,
            asked: None,
            token: None,
            provider_reference: None,
            decline_reason: String::new(),
            ledger: Ledger::default(),
            intent: None,
            callers: Callers::default().with(caller),
            created_at: now,
            updated_at: now,
        }
    }

    /// Whether this payment can answer a repeated `start`.
    pub fn repeats(&self, start: &Start) -> Result<(), Error> {
        self.belongs_to(&start.order_id, &start.user_id)?;
        self.callers.admit(&start.caller)?;
        if self.asked.as_ref().is_some_and(|asked| asked.amount != start.amount) {
            return Err(Error::Mismatch);
        }
        if self.state == State::Voided { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Refuses a request that names another order or user.
    pub fn belongs_to(&self, order_id: &str, user_id: &str) -> Result<(), Error> {
        if self.order_id == order_id && self.user_id == user_id { Ok(()) } else { Err(Error::Mismatch) }
    }

    /// Whether `operation` is being asked of the provider.
    pub fn intends(&self, operation: Operation) -> bool {
        self.intent.as_ref().is_some_and(|intent| intent.operation == operation)
    }

    /// The sums of the ledger; none when nothing was ever asked for.
    pub fn amounts(&self) -> Result<Option<Amounts>, Error> {
        self.asked.as_ref().map(|asked| self.ledger.amounts(&asked.amount.currency)).transpose()
    }

    /// The payment with the intent that `command` needs. `None` when nothing is left to do, or when an open intent
    /// must end first. A person's command has no `caller`.
    pub fn decide(
        &self,
        id: &str,
        command: Command,
        caller: Option<&Caller>,
        now: Time,
    ) -> Result<Option<Self>, Error> {
        if let Some(caller) = caller {
            self.callers.admit(caller)?;
        }
        if self.intent.is_some() {
            return Ok(None);
        }
        let mut next = self.clone();
        next.updated_at = now;
        if let Some(caller) = caller {
            next.callers = next.callers.with(caller);
        }
        match self.next_step(command)? {
            Step::Nothing => Ok(None),
            Step::Forget => {
                next.enter(State::Voided)?;
                Ok(Some(next))
            }
            Step::Ask(operation) => {
                let amount = self.open_amount(operation)?;
                next.intent = Some(intent(operation, id, amount, now));
                Ok(Some(next))
            }
        }
    }

    fn next_step(&self, command: Command) -> Result<Step, Error> {
        use State::*;
        match command {
            Command::Capture => match self.state {
                Authorized => Ok(Step::Ask(Operation::Capture)),
                Captured => Ok(Step::Nothing),
                Created | Authorizing | Refunded | Declined | Voided | ActionRequired | Unknown => {
                    Err(Error::NotAuthorized(self.state))
                }
            },
            Command::Cancel => Ok(match self.state {
                Created => Step::Forget,
                Authorized | ActionRequired => Step::Ask(Operation::Void),
                Captured => Step::Ask(Operation::Refund),
                Declined | Voided | Refunded => Step::Nothing,
                Authorizing | Unknown => return Err(Error::Unknown),
            }),
            Command::CompleteAction { approve } => match self.state {
                ActionRequired if approve => Ok(Step::Ask(Operation::Approve)),
                ActionRequired => Ok(Step::Ask(Operation::Abandon)),
                Authorized | Captured if approve => Ok(Step::Nothing),
                Declined if !approve && self.decline_reason == ABANDONED => Ok(Step::Nothing),
                Created | Authorizing | Authorized | Captured | Refunded | Declined | Voided | Unknown => {
                    Err(Error::NoAction(self.state))
                }
            },
        }
    }

    /// How much `operation` is about.
    fn open_amount(&self, operation: Operation) -> Result<Money, Error> {
        let asked = self.asked.as_ref().ok_or(Error::NotAuthorized(self.state))?;
        let amounts = self.ledger.amounts(&asked.amount.currency)?;
        match operation {
            Operation::Authorize | Operation::Approve | Operation::Abandon => Ok(asked.amount.clone()),
            Operation::Capture | Operation::Void => amounts.open(),
            Operation::Refund => amounts.refundable(),
        }
    }

    /// The payment after the provider's answer under `key`. `None` when that intent has ended before.
    pub fn record(&self, key: &str, outcome: &Outcome, now: Time) -> Result<Option<Self>, Error> {
        let Some(intent) = self.intent.as_ref().filter(|intent| intent.key == key) else { return Ok(None) };
        let mut next = self.clone();
        next.updated_at = now;
        match outcome {
            Outcome::Unknown => next.keep_asking(intent, now)?,
            Outcome::Done { reference } => next.finish(intent, reference, now)?,
            Outcome::Declined { reason } => next.refuse(intent.operation, reason)?,
            Outcome::ActionRequired { reference } => next.await_payer(intent.operation, reference)?,
        }
        Ok(Some(next))
    }

    fn keep_asking(&mut self, intent: &Intent, now: Time) -> Result<(), Error> {
        let doublings = intent.attempts.clamp(0, 5).unsigned_abs();
        let pause = (PATIENCE_MS << doublings).min(LONGEST_PAUSE_MS);
        let attempts = intent.attempts.saturating_add(1);
        self.intent = Some(Intent { attempts, ask_at: later(now, pause), ..intent.clone() });
        if intent.operation == Operation::Authorize { self.enter(State::Unknown) } else { Ok(()) }
    }

    fn finish(&mut self, intent: &Intent, reference: &str, now: Time) -> Result<(), Error> {
        let (state, kind) = match intent.operation {
            Operation::Authorize | Operation::Approve => (State::Authorized, Some(Kind::Authorization)),
            Operation::Capture => (State::Captured, Some(Kind::Capture)),
            Operation::Void => (State::Voided, Some(Kind::Void)),
            Operation::Refund => (State::Refunded, Some(Kind::Refund)),
            Operation::Abandon => (State::Declined, None),
        };
        // Calling off the payer's action voids nothing: no money was set aside.
        if let Some(kind) = kind.filter(|_| intent.amount.amount > Decimal::ZERO) {
            let (amount, key) = (intent.amount.clone(), intent.key.clone());
            self.ledger.append(Entry { kind, amount, provider_reference: reference.to_owned(), key, at: now })?;
        }
        if intent.operation == Operation::Abandon {
            ABANDONED.clone_into(&mut self.decline_reason);
        }
        self.provider_reference.get_or_insert_with(|| reference.to_owned());
        self.end(state)
    }

    fn refuse(&mut self, operation: Operation, reason: &str) -> Result<(), Error> {
        match operation {
            Operation::Authorize | Operation::Approve | Operation::Abandon => {
                reason.clone_into(&mut self.decline_reason);
                self.end(State::Declined)
            }
            Operation::Capture | Operation::Void | Operation::Refund => self.end(self.state),
        }
    }

    fn await_payer(&mut self, operation: Operation, reference: &str) -> Result<(), Error> {
        match operation {
            Operation::Authorize | Operation::Approve | Operation::Abandon => {
                self.provider_reference = Some(reference.to_owned());
                self.end(State::ActionRequired)
            }
            Operation::Capture | Operation::Void | Operation::Refund => Err(Error::UnexpectedOutcome(operation)),
        }
    }

    /// Closes the intent; with its outcome known the token has served.
    fn end(&mut self, state: State) -> Result<(), Error> {
        self.intent = None;
        self.token = None;
        self.enter(state)
    }

    fn enter(&mut self, state: State) -> Result<(), Error> {
        transition(Some(self.state), state)?;
        self.state = state;
        Ok(())
    }
}

enum Step {
    Nothing,
    Forget,
    Ask(Operation),
}

fn intent(operation: Operation, payment_id: &str, amount: Money, now: Time) -> Intent {
    let key = operation.key(payment_id);
    Intent { operation, key, amount, attempts: 0, ask_at: later(now, PATIENCE_MS) }
}

fn later(now: Time, millis: i64) -> Time {
    Time::from_millis(now.timestamp_millis().saturating_add(millis))
}
