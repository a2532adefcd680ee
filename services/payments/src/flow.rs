//! Intent, call, outcome: how a payment is moved by a provider that may not answer.

use crate::{
    domain::{Command, Intent, Operation, Payment, Start},
    error::Error,
    provider::{Outcome, Provider},
    store::Payments,
};
use ::saga::Caller;
use ::store::{Versioned, now};
use std::{sync::Arc, time::Duration};

/// Longest wait for the provider's answer.
const PATIENCE: Duration = Duration::from_secs(4);

/// How many intents one command may have to carry out: those it finds open, and its own.
const ROUNDS: u32 = 4;

/// Moves payments.
#[derive(Clone)]
pub struct Flow {
    /// The payments.
    pub payments: Payments,
    /// Who holds the money.
    pub provider: Arc<dyn Provider>,
}

impl Flow {
    /// Begins a payment, or continues the one that the same request began.
    pub async fn authorize(&self, id: &str, start: Start) -> Result<Versioned<Payment>, Error> {
        let payment = Payment::begin(id, start.clone(), now())?;
        telemetry::crash_point("payments.authorize.intending");
        let (found, asking) = match self.payments.insert(id, payment).await {
            Err(Error::Store(::store::Error::Duplicate)) => (self.payments.get(id).await?, Asking::Again),
            begun => (begun?, Asking::First),
        };
        found.state.repeats(&start)?;
        if !found.state.intends(Operation::Authorize) {
            return Ok(found);
        }
        let (asked, _) = self.ask(found, asking).await?;
        asked.state.repeats(&start)?; // it may have been cancelled meanwhile
        Ok(asked)
    }

    /// Gives everything back, or marks a payment that does not exist as cancelled.
    pub async fn cancel(
        &self,
        id: &str,
        order_id: String,
        user_id: String,
        caller: &Caller,
    ) -> Result<Versioned<Payment>, Error> {
        let mark = Payment::cancelled(order_id.clone(), user_id.clone(), caller, now());
        let found = match self.payments.get(id).await {
            Err(Error::NotFound(_)) => match self.payments.insert(id, mark).await {
                Err(Error::Store(::store::Error::Duplicate)) => self.payments.get(id).await?,
                marked => return marked,
            },
            found => found?,
        };
        found.state.belongs_to(&order_id, &user_id)?;
        self.command(found, Command::Cancel, Some(caller)).await
    }

    /// Carries out what is open, then `command`. [`Error::Unknown`] when the provider does not answer.
    pub async fn command(
        &self,
        found: Versioned<Payment>,
        command: Command,
        caller: Option<&Caller>,
    ) -> Result<Versioned<Payment>, Error> {
        let (id, mut seen, mut is_own) = (found.id.clone(), found, false);
        for _ in 0..ROUNDS {
            if let Some(intent) = seen.state.intent.clone() {
                let (asked, outcome) = self.ask(seen, Asking::Again).await?;
                if asked.state.intends(intent.operation) {
                    return Err(Error::Unknown);
                }
                if is_own {
                    intent.operation.check(&outcome)?;
                }
                seen = asked;
            }
            let decide = |payment: &Payment| {
                let next = payment.decide(&id, command, caller, now())?;
                is_own = next.is_some();
                Ok(next)
            };
            crash_at(command, "intending");
            seen = self.payments.change(seen, decide).await?;
            if seen.state.intent.is_none() {
                return Ok(seen);
            }
        }
        Err(Error::Unknown)
    }

    /// Asks again about an intent that was left open.
    pub async fn resume(&self, found: Versioned<Payment>) -> Result<Versioned<Payment>, Error> {
        Ok(self.ask(found, Asking::Again).await?.0)
    }

    /// Carries out the open intent and writes what came of it. Without an answer the intent stays open.
    async fn ask(&self, seen: Versioned<Payment>, asking: Asking) -> Result<(Versioned<Payment>, Outcome), Error> {
        let Some(intent) = seen.state.intent.clone() else { return Ok((seen, Outcome::Unknown)) };
        let call = self.call(&seen.state, &intent, asking);
        crash_at(intent.operation, "asking");
        let outcome = tokio::time::timeout(PATIENCE, call).await.unwrap_or(Outcome::Unknown);
        crash_at(intent.operation, "asked");
        let record = |payment: &Payment| payment.record(&intent.key, &outcome, now());
        let written = self.payments.change(seen, record).await?;
        crash_at(intent.operation, "recorded");
        if let Err(error) = intent.operation.check(&outcome) {
            tracing::warn!(payment = %written.id, %error, "the money stays where it was");
        }
        Ok((written, outcome))
    }

    async fn call(&self, payment: &Payment, intent: &Intent, asking: Asking) -> Outcome {
        let (provider, key) = (&self.provider, intent.key.as_str());
        let reference = payment.provider_reference.as_deref().unwrap_or_default();
        match intent.operation {
            Operation::Authorize => self.call_authorize(payment, intent, asking).await,
            Operation::Capture => provider.capture(key, reference, &intent.amount).await,
            Operation::Void => provider.void(key, reference).await,
            Operation::Refund => provider.refund(key, reference, &intent.amount).await,
            Operation::Approve => provider.complete_action(key, reference, true).await,
            Operation::Abandon => provider.complete_action(key, reference, false).await,
        }
    }

    /// What the provider has never seen is sent again, under the same key: the first request may still arrive.
    async fn call_authorize(&self, payment: &Payment, intent: &Intent, asking: Asking) -> Outcome {
        if asking == Asking::Again
            && let Some(outcome) = self.provider.query(&intent.key).await
        {
            return outcome;
        }
        match &payment.token {
            Some(token) => self.provider.authorize(&intent.key, &intent.amount, token).await,
            None => Outcome::Unknown,
        }
    }
}

/// Where a test kills this process: `payments.capture.asked`. Release builds have none of this.
fn crash_at(what: impl std::fmt::Debug, moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("payments.{what:?}.{moment}").to_lowercase());
    }
}

/// Whether an intent was written just now by the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    First,
    Again,
}
