//! What can be asked of an existing payment, and the operation at the provider that it needs. Pure.

use super::{ABANDONED, Error, Intent, Operation, Payment, State};
use ::saga::StepCall;
use ::store::Time;
use contracts::money::Money;

/// Between two attempts of the same operation, in its key.
const AGAIN: &str = "/again-";

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
    CompleteAction { approve: bool },
}

impl Command {
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

impl Payment {
    /// The payment with the intent that `command` needs. `None` when nothing is left to do, or when an open intent
    /// must end first. A person's command has no `caller`.
    pub fn decide(
        &self,
        id: &str,
        command: &Command,
        call: Option<&StepCall>,
        now: Time,
    ) -> Result<Option<Self>, Error> {
        // First of all: a runner that has been replaced must not move money, whatever the state allows.
        if let Some(call) = call {
            self.calls.admit(call)?;
        }
        if self.intent.is_some() {
            return Ok(None);
        }
        let mut next = self.clone();
        next.updated_at = now;
        if let Some(call) = call {
            next.calls = next.calls.with(call);
        }
        match self.next_step(id, command)? {
            Step::Nothing => Ok(None),
            Step::Forget => {
                next.enter(State::Voided)?;
                Ok(Some(next))
            }
            Step::Ask { operation, key, amount } => {
                next.intent = Some(Intent::new(operation, self.attempt(key), amount, now));
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
        // Open money first; once its void is recorded, the next round refunds what was captured.
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
