//! Intent, call, outcome: how a payment is moved by a provider that may not answer.

use crate::{
    domain::{self, Command, Intent, Operation, Outcome, Payment, ProviderEvent, Start, State},
    error::Error,
    provider::{Charge, Notification, Provider},
    store::Payments,
};
use ::saga::StepCall;
use ::store::{Versioned, now};
use std::{sync::Arc, time::Duration};

/// Longest wait for the provider's answer: less than the 5 s of the call that waits for it, so that the caller is told
/// PAYMENT_UNKNOWN and not a deadline.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(4);

/// End of the key of an authorization.
pub const AUTHORIZE: &str = "/authorize";

/// How many intents one command may have to carry out: those it finds open, and its own.
const ROUNDS: u32 = 4;

#[derive(Clone)]
pub struct Commands {
    pub payments: Payments,
    pub provider: Arc<dyn Provider>,
}

impl Commands {
    /// Begins a payment, or continues the one that the same request began.
    pub async fn authorize(&self, id: &str, start: Start) -> Result<Versioned<Payment>, Error> {
        let payment = Payment::begin(id, start.clone(), now())?;
        telemetry::crash_point("payments.authorize.intending");
        // The intent is durable before the provider is asked: after a crash the resolver asks under its key.
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
        call: &StepCall,
    ) -> Result<Versioned<Payment>, Error> {
        let mark = Payment::cancelled(order_id.clone(), user_id.clone(), call, now());
        let found = match self.payments.get(id).await {
            Err(Error::NotFound(_)) => match self.payments.insert(id, mark).await {
                Err(Error::Store(::store::Error::Duplicate)) => self.payments.get(id).await?,
                marked => return marked,
            },
            found => found?,
        };
        found.state.belongs_to(&order_id, &user_id)?;
        self.command(found, &Command::Cancel, Some(call)).await
    }

    /// Carries out what is open, then `command`. [`domain::Error::Unknown`] when the provider does not answer.
    pub async fn command(
        &self,
        found: Versioned<Payment>,
        command: &Command,
        call: Option<&StepCall>,
    ) -> Result<Versioned<Payment>, Error> {
        let (id, mut seen, mut is_own) = (found.id.clone(), found, false);
        for _ in 0..ROUNDS {
            if let Some(intent) = seen.state.intent.clone() {
                let (asked, outcome) = self.ask(seen, Asking::Again).await?;
                if asked.state.intends(intent.operation) {
                    return Err(domain::Error::Unknown.into());
                }
                seen = asked;
                if is_own && let Err(refusal) = intent.operation.check(&outcome) {
                    // It may have run out at the provider, or been moved there by somebody else.
                    let before = seen.state.state;
                    seen = self.check(seen).await?;
                    if seen.state.state == before {
                        return Err(refusal.into());
                    }
                }
            }
            let decide = |payment: &Payment| {
                let next = payment.decide(&id, command, call, now())?;
                is_own = next.is_some();
                Ok(next)
            };
            // When this writes an intent, the next round carries it out.
            crash_at(command.name(), "intending");
            seen = self.payments.change(seen, decide).await?;
            if seen.state.intent.is_none() {
                return Ok(seen);
            }
        }
        Err(domain::Error::Unknown.into())
    }

    /// What the provider tells of a charge by itself: whether that was new; none when the payment is not known here.
    pub async fn apply(&self, notification: &Notification) -> Result<Option<bool>, Error> {
        if notification.event == ProviderEvent::Nothing {
            return Ok(Some(false));
        }
        let is_nameless = notification.charge_key.is_empty();
        let found = match notification.charge_key.strip_suffix(AUTHORIZE) {
            Some(id) => self.get(id).await?,
            None if is_nameless => self.payments.by_reference(&notification.reference).await?,
            None => None,
        };
        // What has no key of ours, and a name that we don't know, is somebody else's charge in the same account.
        let Some(found) = found else { return Ok(is_nameless.then_some(false)) };
        let id = found.id.clone();
        let mut is_new = false;
        let hear = |payment: &Payment| {
            let next = payment.apply(&id, &notification.reference, &notification.event, now())?;
            is_new = next.is_some();
            Ok(next)
        };
        self.payments.change(found, hear).await?;
        Ok(Some(is_new))
    }

    pub async fn get(&self, id: &str) -> Result<Option<Versioned<Payment>>, Error> {
        match self.payments.get(id).await {
            Err(Error::NotFound(_)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Asks how the charge is, of a payment that ends by itself.
    pub async fn check(&self, found: Versioned<Payment>) -> Result<Versioned<Payment>, Error> {
        if !matches!(found.state.state, State::ActionRequired | State::Authorized | State::Captured | State::Refunded) {
            return self.payments.change(found, |payment| Ok(payment.put_off(now()))).await;
        }
        let (id, key) = (found.id.clone(), Operation::Authorize.key(&found.id));
        let query = self.provider.query(charge(&found.state, &key));
        let outcome = tokio::time::timeout(PROVIDER_TIMEOUT, query).await.ok().flatten().unwrap_or(Outcome::Unknown);
        self.payments.change(found, |payment| payment.checked(&id, &outcome, now())).await
    }

    /// Asks again about an intent that was left open.
    pub async fn resume(&self, found: Versioned<Payment>) -> Result<Versioned<Payment>, Error> {
        Ok(self.ask(found, Asking::Again).await?.0)
    }

    /// Carries out the open intent and writes what came of it. Without an answer the intent stays open.
    async fn ask(&self, seen: Versioned<Payment>, asking: Asking) -> Result<(Versioned<Payment>, Outcome), Error> {
        let Some(intent) = seen.state.intent.clone() else { return Ok((seen, Outcome::Unknown)) };
        let call = self.call(&seen, &intent, asking);
        crash_at(intent.operation.name(), "asking");
        // A call that is cut off may have had its effect: its outcome is unknown, never a refusal.
        let outcome = tokio::time::timeout(PROVIDER_TIMEOUT, call).await.unwrap_or(Outcome::Unknown);
        crash_at(intent.operation.name(), "asked");
        // By key: when a webhook has closed this intent in the meantime, there is nothing left to record.
        let record = |payment: &Payment| payment.record(&intent.key, &outcome, now());
        let written = self.payments.change(seen, record).await?;
        crash_at(intent.operation.name(), "recorded");
        if let Err(error) = intent.operation.check(&outcome) {
            tracing::warn!(payment = %written.id, %error, "the money stays where it was");
        }
        Ok((written, outcome))
    }

    async fn call(&self, found: &Versioned<Payment>, intent: &Intent, asking: Asking) -> Outcome {
        let (provider, key) = (&self.provider, intent.key.as_str());
        let charge_key = Operation::Authorize.key(&found.id);
        let charge = charge(&found.state, &charge_key);
        match intent.operation {
            Operation::Authorize => self.call_authorize(&found.state, intent, asking).await,
            Operation::Capture => provider.capture(key, charge, &intent.amount).await,
            Operation::Void => provider.void(key, charge).await,
            Operation::Refund => provider.refund(key, charge, &intent.amount).await,
            Operation::Approve => provider.complete_action(key, charge, true).await,
            Operation::Abandon => provider.complete_action(key, charge, false).await,
        }
    }

    /// What the provider has never seen is sent again, under the same key: the first request may still arrive.
    async fn call_authorize(&self, payment: &Payment, intent: &Intent, asking: Asking) -> Outcome {
        if asking == Asking::Again
            && let Some(outcome) = self.provider.query(charge(payment, &intent.key)).await
        {
            return outcome;
        }
        match &payment.token {
            Some(token) => self.provider.authorize(&intent.key, &intent.amount, token).await,
            None => Outcome::Unknown,
        }
    }
}

fn charge<'a>(payment: &'a Payment, key: &'a str) -> Charge<'a> {
    Charge { key, reference: payment.provider_reference.as_deref() }
}

/// Where a test kills this process: `payments.capture.asked`. Release builds have none of this.
fn crash_at(what: &str, moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("payments.{what}.{moment}"));
    }
}

/// Whether an intent was written just now by the one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asking {
    First,
    Again,
}
