//! What the provider's answers and news do to a payment: one way for a reply, a webhook and an answer to a question. Pure.

use super::{
    ABANDONED, Entry, Error, Intent, Kind, Movement, Operation, Outcome, Payment, ProviderEvent, State,
    operation::later,
};
use ::store::Time;
use contracts::money::Money;

/// How long after its end the provider is asked about something that ends by itself: its clock may be behind ours.
const CHECK_AFTER_MS: i64 = 1_000;

/// Pause before the provider is asked again whether that has ended: nobody waits for it, so the provider is spared.
const CHECK_AGAIN_MS: i64 = 30_000;

/// Why a payment is frozen whose money the payer's bank took back.
const CHARGED_BACK: &str = "CHARGED_BACK";

impl Operation {
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
    /// The payment after the provider's answer under `key`. `None` when that intent has ended before.
    pub fn record(&self, key: &str, outcome: &Outcome, now: Time) -> Result<Option<Self>, Error> {
        let Some(intent) = self.intent.as_ref().filter(|intent| intent.key == key) else { return Ok(None) };
        let mut next = self.clone();
        next.updated_at = now;
        match outcome {
            Outcome::Unknown => next.keep_asking(intent, now)?,
            Outcome::Done { reference, ends_at } => next.finish(intent, reference, *ends_at, now)?,
            Outcome::Declined { reason } => next.refuse(intent.operation, reason)?,
            Outcome::ActionRequired { reference, ends_at } => {
                next.await_payer(intent.operation, reference, *ends_at)?;
            }
        }
        Ok(Some(next))
    }

    /// The payment after news of its charge. What answers the open intent is recorded as its reply would be; what the
    /// ledger has is nothing new.
    pub fn apply(&self, id: &str, reference: &str, event: &ProviderEvent, now: Time) -> Result<Option<Self>, Error> {
        let named = || reference.to_owned();
        let (key, outcome) = match event {
            ProviderEvent::Nothing => return Ok(None),
            ProviderEvent::Authorized { key, ends_at } => {
                (key, Outcome::Done { reference: named(), ends_at: *ends_at })
            }
            ProviderEvent::Declined { key, reason } => (key, Outcome::Declined { reason: reason.clone() }),
            ProviderEvent::ActionRequired { key, ends_at } => {
                (key, Outcome::ActionRequired { reference: named(), ends_at: *ends_at })
            }
            ProviderEvent::Moved { key, .. } => (key, Outcome::Done { reference: named(), ends_at: self.ended_at() }),
        };
        // A webhook may overtake the reply to the request that caused it: then it is recorded as that reply.
        if let Some(next) = self.record(key, &outcome, now)? {
            return Ok(Some(next));
        }
        let mut next = self.clone();
        next.updated_at = now;
        match event {
            ProviderEvent::Authorized { ends_at, .. } => {
                next.provider_reference.get_or_insert_with(named);
                next.approved_elsewhere(&Operation::Authorize.key(id), *ends_at, now)?;
            }
            ProviderEvent::Declined { reason, .. } if self.state == State::ActionRequired && self.intent.is_none() => {
                next.refuse(Operation::Abandon, reason)?;
            }
            ProviderEvent::Moved { movement, key, amount } => {
                next.provider_reference.get_or_insert_with(named);
                next.moved_elsewhere(*movement, key, amount, now)?;
            }
            ProviderEvent::Declined { .. } | ProviderEvent::ActionRequired { .. } | ProviderEvent::Nothing => {}
        }
        // A new time alone is no change.
        next.updated_at = self.updated_at;
        let has_changed = next != *self;
        next.updated_at = now;
        Ok(has_changed.then_some(next))
    }

    /// The payment after an answer to the question how its charge is. Not for one with an open intent.
    pub fn checked(&self, id: &str, outcome: &Outcome, now: Time) -> Result<Option<Self>, Error> {
        if self.intent.is_some() {
            return Ok(None);
        }
        let key = Operation::Authorize.key(id);
        let news = match outcome {
            Outcome::Done { ends_at, .. } => ProviderEvent::Authorized { key, ends_at: *ends_at },
            Outcome::Declined { reason } if self.state == State::ActionRequired => {
                ProviderEvent::Declined { key, reason: reason.clone() }
            }
            Outcome::Declined { .. } => {
                let sums = self.amounts()?.ok_or(Error::NotAuthorized(self.state))?;
                ProviderEvent::Moved { movement: Movement::Expiry, key: format!("{key}/expiry"), amount: sums.open()? }
            }
            Outcome::ActionRequired { .. } | Outcome::Unknown => ProviderEvent::Nothing,
        };
        let reference = self.provider_reference.clone().unwrap_or_default();
        let mut next = self.apply(id, &reference, &news, now)?.unwrap_or_else(|| self.clone());
        if next.check_at == self.check_at {
            next.check_at = Some(later(now, CHECK_AGAIN_MS));
        }
        Ok(Some(next))
    }

    /// The payment whose question failed here: what is due now is asked later. `None` when nothing is due.
    pub fn put_off(&self, now: Time) -> Option<Self> {
        let mut next = self.clone();
        if let Some(intent) = next.intent.as_mut().filter(|intent| intent.ask_at <= now) {
            intent.put_off(now);
        } else if self.check_at.is_some_and(|check_at| check_at <= now) {
            next.check_at = Some(later(now, CHECK_AGAIN_MS));
        }
        (next != *self).then_some(next)
    }

    fn keep_asking(&mut self, intent: &Intent, now: Time) -> Result<(), Error> {
        let mut intent = intent.clone();
        intent.put_off(now);
        let operation = intent.operation;
        self.intent = Some(intent);
        if operation == Operation::Authorize { self.enter(State::Unknown) } else { Ok(()) }
    }

    fn finish(&mut self, intent: &Intent, reference: &str, ends_at: Option<Time>, now: Time) -> Result<(), Error> {
        self.provider_reference.get_or_insert_with(|| reference.to_owned());
        let mut amount = intent.amount.clone();
        if intent.operation == Operation::Void
            && let Some(sums) = self.amounts()?
        {
            amount = sums.open()?; // the payer may have approved while the action was called off
        }
        match intent.operation {
            Operation::Authorize | Operation::Approve => {
                self.append(Kind::Authorization, &authorize_key(&intent.key), &amount, now)?;
            }
            Operation::Capture => self.append(Kind::Capture, &intent.key, &amount, now)?,
            Operation::Refund => self.append(Kind::Refund, &intent.key, &amount, now)?,
            Operation::Void => self.append(Kind::Void, &intent.key, &amount, now)?,
            Operation::Abandon => ABANDONED.clone_into(&mut self.decline_reason),
        }
        let state = match intent.operation {
            Operation::Authorize | Operation::Approve => State::Authorized,
            Operation::Capture if self.state == State::Refunded => State::Refunded,
            Operation::Capture => State::Captured,
            // Parts that were captured are kept when the rest is given back.
            Operation::Void if matches!(self.state, State::Captured | State::Refunded) => self.state,
            Operation::Void => State::Voided,
            Operation::Refund => State::Refunded,
            Operation::Abandon => State::Declined,
        };
        self.end(state)?;
        self.watch(ends_at)
    }

    fn refuse(&mut self, operation: Operation, reason: &str) -> Result<(), Error> {
        match operation {
            Operation::Authorize | Operation::Approve | Operation::Abandon => {
                reason.clone_into(&mut self.decline_reason);
                self.check_at = None;
                self.end(State::Declined)
            }
            Operation::Capture | Operation::Void | Operation::Refund => {
                self.refusals = self.refusals.saturating_add(1);
                self.end(self.state)
            }
        }
    }

    fn await_payer(&mut self, operation: Operation, reference: &str, ends_at: Option<Time>) -> Result<(), Error> {
        match operation {
            Operation::Authorize | Operation::Approve | Operation::Abandon => {
                self.provider_reference = Some(reference.to_owned());
                self.check_at = ends_at.map(|ends_at| later(ends_at, CHECK_AFTER_MS));
                self.end(State::ActionRequired)
            }
            Operation::Capture | Operation::Void | Operation::Refund => Err(Error::UnexpectedOutcome(operation)),
        }
    }

    /// The payer approved at the provider. When the action has been called off since, the provider has given back what it
    /// set aside: both are noted.
    fn approved_elsewhere(&mut self, key: &str, ends_at: Option<Time>, now: Time) -> Result<(), Error> {
        let Some(asked) = self.asked.as_ref().map(|asked| asked.amount.clone()) else { return Ok(()) };
        let has_authorization = self.ledger.entries().iter().any(|entry| entry.kind == Kind::Authorization);
        match self.state {
            State::ActionRequired => {
                self.append(Kind::Authorization, key, &asked, now)?;
                // The payer has answered: nobody need play them any more.
                let plays = |intent: &Intent| matches!(intent.operation, Operation::Approve | Operation::Abandon);
                self.intent = self.intent.take().filter(|intent| !plays(intent));
                self.enter(State::Authorized)?;
                self.watch(ends_at)
            }
            State::Voided if !has_authorization => {
                self.append(Kind::Authorization, key, &asked, now)?;
                self.append(Kind::Void, &format!("{key}/void"), &asked, now)
            }
            State::Authorized | State::Captured | State::Refunded => self.watch(ends_at.or(self.ended_at())),
            _ => Ok(()),
        }
    }

    /// Money moved that nobody here asked for: the authorization ran out, the payer's bank took it back, or somebody did
    /// it at the provider.
    fn moved_elsewhere(&mut self, movement: Movement, key: &str, amount: &Money, now: Time) -> Result<(), Error> {
        if !amount.is_positive() || self.asked.is_none() || self.ledger.entries().iter().any(|entry| entry.key == key) {
            return Ok(());
        }
        match movement {
            Movement::Capture => {
                self.append(Kind::Capture, key, amount, now)?;
                if self.state == State::Authorized {
                    self.enter(State::Captured)?;
                }
            }
            Movement::Void | Movement::Expiry => {
                self.append(Kind::Void, key, amount, now)?;
                if !self.is_open()? {
                    self.close()?;
                }
            }
            Movement::Refund => {
                self.append(Kind::Refund, key, amount, now)?;
                self.enter(State::Refunded)?;
            }
            Movement::ChargeBack => {
                self.append(Kind::ChargeBack, key, amount, now)?;
                // Whoever moves money now could give it back twice: people decide.
                self.frozen = Some(CHARGED_BACK.to_owned());
            }
        }
        self.watch(self.ended_at())
    }

    /// Calling off the payer's action moves nothing: no money was set aside.
    fn append(&mut self, kind: Kind, key: &str, amount: &Money, now: Time) -> Result<(), Error> {
        if !amount.is_positive() {
            return Ok(());
        }
        let provider_reference = self.provider_reference.clone().unwrap_or_default();
        Ok(self.ledger.append(Entry {
            kind,
            amount: amount.clone(),
            provider_reference,
            key: key.to_owned(),
            at: now,
        })?)
    }

    /// Has the provider asked after `ends_at`, as long as something is open.
    fn watch(&mut self, ends_at: Option<Time>) -> Result<(), Error> {
        let is_open = self.is_open()?;
        self.check_at = ends_at.filter(|_| is_open).map(|ends_at| later(ends_at, CHECK_AFTER_MS));
        Ok(())
    }

    /// Whether something is set aside, and neither taken nor given back.
    fn is_open(&self) -> Result<bool, Error> {
        let open = self.amounts()?.map(|sums| sums.open()).transpose()?;
        Ok(open.is_some_and(|open| open.is_positive()))
    }

    /// Nothing is set aside any more: what was being asked of the authorization cannot be done.
    fn close(&mut self) -> Result<(), Error> {
        self.intent = self.intent.take().filter(|intent| intent.operation == Operation::Refund);
        if self.state == State::Authorized { self.enter(State::Voided) } else { Ok(()) }
    }

    /// When what is open runs out, as it was told before.
    fn ended_at(&self) -> Option<Time> {
        self.check_at.map(|check_at| later(check_at, -CHECK_AFTER_MS))
    }

    /// Closes the intent; with its outcome known the token has served.
    fn end(&mut self, state: State) -> Result<(), Error> {
        self.intent = None;
        self.token = None;
        self.enter(state)
    }
}

/// An authorization has one key, whether the provider or the payer was the last to agree.
fn authorize_key(key: &str) -> String {
    let id = key.split('/').next().unwrap_or(key);
    Operation::Authorize.key(id)
}
