//! What a payment is, what may be asked of the provider next, and what its answer means. Pure.

mod answer;
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
use contracts::money::{MOST_OF_A_SUM, Money};
use serde::{Deserialize, Serialize};

/// How long the one who wrote an intent may take before the resolver asks as well.
const PATIENCE_MS: i64 = 2_000;

/// Longest pause between two questions about the same intent.
const LONGEST_PAUSE_MS: i64 = 64_000;

/// Reason of a payment that the payer gave up.
const ABANDONED: &str = "ACTION_ABANDONED";

/// Between two attempts of the same operation, in its key.
const AGAIN: &str = "/again-";

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

/// A payment as it is stored.
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
    /// How often the provider has refused to move the money: what is tried again then is another request.
    #[serde(default)]
    pub refusals: i32,
    /// When the provider is asked how things are, because they end by themselves.
    pub check_at: Option<Time>,
    /// Why nothing may be moved any more; people must see to it.
    pub frozen: Option<String>,
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

/// A part of a payment: an amount under a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Portion {
    /// How much; none: all there is.
    pub amount: Option<Money>,
    /// Its name among the payment's captures or refunds, for example a shipment's id; empty for the whole.
    pub name: String,
}

/// What can be asked of an existing payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Take what is authorized.
    Capture(Portion),
    /// Give back what was taken.
    Refund(Portion),
    /// Give back what is open, and keep what was taken.
    Release,
    /// Give everything back.
    Cancel,
    /// The payer approves or abandons.
    CompleteAction {
        /// Which of the two.
        approve: bool,
    },
}

impl Command {
    /// Its word.
    pub const fn name(&self) -> &'static str {
        match self {
            Command::Capture(_) => "capture",
            Command::Refund(_) => "refund",
            Command::Release => "release",
            Command::Cancel => "cancel",
            Command::CompleteAction { .. } => "complete_action",
        }
    }
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
        if !start.amount.is_positive() {
            return Err(Error::NotPositive);
        }
        start.amount.at_most(MOST_OF_A_SUM).map_err(Error::Amount)?;
        transition(None, State::Authorizing)?;
        let mut payment = Self::blank(start.order_id, start.user_id, State::Authorizing, &start.caller, now);
        let key = Operation::Authorize.key(id);
        payment.intent = Some(intent(Operation::Authorize, key, start.amount.clone(), now));
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
            refusals: 0,
            check_at: None,
            frozen: None,
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
        command: &Command,
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
        match self.next_step(id, command)? {
            Step::Nothing => Ok(None),
            Step::Forget => {
                next.enter(State::Voided)?;
                Ok(Some(next))
            }
            Step::Ask { operation, key, amount } => {
                next.intent = Some(intent(operation, self.attempt(key), amount, now));
                Ok(Some(next))
            }
        }
    }

    /// A refused request is known to have had no effect; trying again is another request.
    fn attempt(&self, key: String) -> String {
        if self.refusals == 0 { key } else { format!("{key}{AGAIN}{}", self.refusals) }
    }

    fn next_step(&self, id: &str, command: &Command) -> Result<Step, Error> {
        match command {
            Command::Capture(portion) => self.next_capture(id, portion),
            Command::Refund(portion) => self.next_refund(id, portion),
            Command::Release => self.next_release(id),
            Command::Cancel => self.next_cancel(id),
            Command::CompleteAction { approve } => self.next_action(id, *approve),
        }
    }

    fn next_capture(&self, id: &str, portion: &Portion) -> Result<Step, Error> {
        let key = portion.key(Operation::Capture, id);
        let sums = self.amounts()?.ok_or(Error::NotAuthorized(self.state))?;
        if self.has_done(&key, portion)? {
            // What was taken and has all been given back is not there for who asks again.
            let is_kept = sums.refunded != sums.captured;
            return if is_kept { Ok(Step::Nothing) } else { Err(Error::NotAuthorized(self.state)) };
        }
        self.thawed()?;
        let open = sums.open()?;
        match self.state {
            State::Authorized | State::Captured | State::Refunded if open.is_positive() => {}
            State::Captured if portion.amount.is_none() => return Ok(Step::Nothing),
            State::Captured | State::Refunded if portion.amount.is_some() => {}
            _ => return Err(Error::NotAuthorized(self.state)),
        }
        let amount = portion.within(&open, Error::MoreThanAuthorized)?;
        Ok(Step::Ask { operation: Operation::Capture, key, amount })
    }

    fn next_refund(&self, id: &str, portion: &Portion) -> Result<Step, Error> {
        let key = portion.key(Operation::Refund, id);
        if self.has_done(&key, portion)? {
            return Ok(Step::Nothing);
        }
        self.thawed()?;
        let sums = self.amounts()?.ok_or(Error::NotCaptured(self.state))?;
        if !matches!(self.state, State::Captured | State::Refunded) {
            return Err(Error::NotCaptured(self.state));
        }
        let amount = portion.within(&sums.refundable()?, Error::MoreThanCaptured)?;
        Ok(Step::Ask { operation: Operation::Refund, key, amount })
    }

    fn next_release(&self, id: &str) -> Result<Step, Error> {
        match self.state {
            State::Authorized | State::Captured | State::Refunded => self.thawed()?,
            State::Declined | State::Voided => return Ok(Step::Nothing),
            State::Created | State::Authorizing | State::ActionRequired | State::Unknown => {
                return Err(Error::NotAuthorized(self.state));
            }
        }
        let open = self.amounts()?.ok_or(Error::NotAuthorized(self.state))?.open()?;
        let ask = |amount| Step::Ask { operation: Operation::Void, key: Operation::Void.key(id), amount };
        Ok(if open.is_positive() { ask(open) } else { Step::Nothing })
    }

    fn next_cancel(&self, id: &str) -> Result<Step, Error> {
        use State::{Authorized, Authorizing, Captured, Created, Declined, Refunded, Unknown, Voided};
        match self.state {
            Created => return Ok(Step::Forget),
            Declined | Voided => return Ok(Step::Nothing),
            Authorizing | Unknown => return Err(Error::Unknown),
            State::ActionRequired | Authorized | Captured | Refunded => self.thawed()?,
        }
        let sums = self.amounts()?.ok_or(Error::NotAuthorized(self.state))?;
        let (open, refundable) = (sums.open()?, sums.refundable()?);
        let ask = |operation: Operation, amount| Step::Ask { operation, key: operation.key(id), amount };
        Ok(match (open.is_positive(), refundable.is_positive()) {
            (true, _) => ask(Operation::Void, open),
            (false, true) => ask(Operation::Refund, refundable),
            (false, false) if self.state == State::ActionRequired => ask(Operation::Void, open),
            (false, false) => Step::Nothing,
        })
    }

    fn next_action(&self, id: &str, approve: bool) -> Result<Step, Error> {
        use State::*;
        let ask = |operation: Operation| {
            let asked = self.asked.as_ref().ok_or(Error::NoAction(self.state))?;
            Ok(Step::Ask { operation, key: operation.key(id), amount: asked.amount.clone() })
        };
        match self.state {
            ActionRequired if approve => ask(Operation::Approve),
            ActionRequired => ask(Operation::Abandon),
            Authorized | Captured if approve => Ok(Step::Nothing),
            Declined if !approve && self.decline_reason == ABANDONED => Ok(Step::Nothing),
            Created | Authorizing | Authorized | Captured | Refunded | Declined | Voided | Unknown => {
                Err(Error::NoAction(self.state))
            }
        }
    }

    /// Whether the ledger has what is asked for under `key`. The same name for another amount is a mistake.
    fn has_done(&self, key: &str, portion: &Portion) -> Result<bool, Error> {
        let is_same =
            |known: &str| known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(AGAIN));
        match self.ledger.entries().iter().find(|entry| is_same(&entry.key)) {
            Some(entry) if portion.amount.as_ref().is_some_and(|amount| *amount != entry.amount) => {
                Err(Error::Mismatch)
            }
            found => Ok(found.is_some()),
        }
    }

    fn thawed(&self) -> Result<(), Error> {
        self.frozen.as_ref().map_or(Ok(()), |reason| Err(Error::Frozen(reason.clone())))
    }

    fn enter(&mut self, state: State) -> Result<(), Error> {
        transition(Some(self.state), state)?;
        self.state = state;
        Ok(())
    }
}

impl Portion {
    fn key(&self, operation: Operation, id: &str) -> String {
        let key = operation.key(id);
        if self.name.is_empty() { key } else { format!("{key}/{}", self.name) }
    }

    /// The amount, of at most `there_is`.
    fn within(&self, there_is: &Money, too_much: fn(Money) -> Error) -> Result<Money, Error> {
        let amount = self.amount.as_ref().unwrap_or(there_is);
        if amount.currency != there_is.currency {
            return Err(Error::Currency(there_is.currency.clone()));
        }
        if self.amount.is_some() && !amount.is_positive() {
            return Err(Error::NotPositive);
        }
        if amount.amount > there_is.amount || !there_is.is_positive() {
            return Err(too_much(there_is.clone()));
        }
        Ok(amount.clone())
    }
}

enum Step {
    Nothing,
    Forget,
    Ask { operation: Operation, key: String, amount: Money },
}

fn intent(operation: Operation, key: String, amount: Money, now: Time) -> Intent {
    Intent { operation, key, amount, attempts: 0, ask_at: later(now, PATIENCE_MS) }
}

fn later(now: Time, millis: i64) -> Time {
    Time::from_millis(now.timestamp_millis().saturating_add(millis))
}
