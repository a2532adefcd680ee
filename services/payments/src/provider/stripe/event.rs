//! What Stripe's events tell.

use super::{
    super::{Movement, Notification, ProviderEvent, Rejected},
    minor,
    shape::{ChargeObject, Intent},
};
use contracts::money::Money;
use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
    #[serde(default)]
    request: Option<Request>,
}

#[derive(Debug, Deserialize)]
struct Data {
    object: Value,
    #[serde(default)]
    previous_attributes: Value,
}

#[derive(Debug, Deserialize)]
struct Request {
    idempotency_key: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Dispute {
    id: String,
    payment_intent: Option<String>,
    currency: String,
    amount: i64,
}

/// An event, and the charge that it is about.
struct Content {
    charge_key: String,
    reference: String,
    event: ProviderEvent,
}

/// What the body of a webhook tells. Kinds that are not known tell nothing.
pub fn notification(body: &[u8]) -> Result<Notification, Rejected> {
    let event: Event = serde_json::from_slice(body).map_err(malformed)?;
    let content = match event.kind.as_str() {
        kind if kind.starts_with("payment_intent.") => of_intent(&event)?,
        "charge.captured" | "charge.refunded" => of_charge(&event)?,
        "charge.dispute.funds_withdrawn" => of_dispute(&event)?,
        _ => Content { charge_key: String::new(), reference: String::new(), event: ProviderEvent::Nothing },
    };
    let Content { charge_key, reference, event: what } = content;
    Ok(Notification { event_id: event.id, charge_key, reference, event: what })
}

impl Event {
    /// The key of the request that caused it: ours, or one of somebody who works at Stripe's own page.
    fn key(&self) -> String {
        // An event without a request of ours still needs a key of its own: the ledger takes each key once.
        let asked = self.request.as_ref().and_then(|request| request.idempotency_key.clone());
        asked.unwrap_or_else(|| self.id.clone())
    }

    fn object<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Rejected> {
        T::deserialize(&self.data.object).map_err(malformed)
    }

    /// What an amount was before.
    fn before(&self, field: &str) -> i64 {
        self.data.previous_attributes[field].as_i64().unwrap_or(0)
    }
}

fn of_intent(event: &Event) -> Result<Content, Rejected> {
    let intent: Intent = event.object()?;
    let (key, reason, ends_at) = (intent.key(), intent.reason(), intent.ends_at());
    let event = match event.kind.as_str() {
        "payment_intent.amount_capturable_updated" => ProviderEvent::Authorized { key: key.clone(), ends_at },
        "payment_intent.requires_action" => ProviderEvent::ActionRequired { key: key.clone(), ends_at: None },
        "payment_intent.payment_failed" => ProviderEvent::Declined { key: key.clone(), reason },
        "payment_intent.canceled" => {
            let is_asked = event.request.as_ref().is_some_and(|request| request.idempotency_key.is_some());
            let open = if intent.latest_charge.is_some() { intent.amount - intent.amount_received } else { 0 };
            match (is_asked, open) {
                // No money was set aside, and the payer did not act.
                (false, 0) => ProviderEvent::Declined { key: event.key(), reason },
                (true, _) => moved(Movement::Void, event.key(), money(&intent.currency, open)?),
                (false, _) => moved(Movement::Expiry, event.key(), money(&intent.currency, open)?),
            }
        }
        "payment_intent.succeeded" if intent.amount > intent.amount_received => {
            // Stripe gives back what is not taken by the first capture.
            let rest = money(&intent.currency, intent.amount - intent.amount_received)?;
            moved(Movement::Void, format!("{}/rest", intent.id), rest)
        }
        _ => ProviderEvent::Nothing,
    };
    Ok(Content { charge_key: key, reference: intent.id, event })
}

fn of_charge(event: &Event) -> Result<Content, Rejected> {
    let charge: ChargeObject = event.object()?;
    let event = match event.kind.as_str() {
        "charge.captured" => {
            let taken = charge.amount_captured - event.before("amount_captured");
            moved(Movement::Capture, event.key(), money(&charge.currency, taken)?)
        }
        // What was never captured is released, not refunded: the intent's own events tell of it.
        "charge.refunded" if charge.captured => {
            let given = charge.amount_refunded - event.before("amount_refunded");
            moved(Movement::Refund, event.key(), money(&charge.currency, given)?)
        }
        _ => ProviderEvent::Nothing,
    };
    let charge_key = charge.metadata.get("key").cloned().unwrap_or_default();
    Ok(Content { charge_key, reference: charge.payment_intent.unwrap_or_default(), event })
}

fn of_dispute(event: &Event) -> Result<Content, Rejected> {
    let Dispute { id, payment_intent, currency, amount } = event.object()?;
    let event = moved(Movement::ChargeBack, id, money(&currency, amount)?);
    Ok(Content { charge_key: String::new(), reference: payment_intent.unwrap_or_default(), event })
}

fn moved(movement: Movement, key: String, amount: Money) -> ProviderEvent {
    ProviderEvent::Moved { movement, key, amount }
}

fn money(currency: &str, amount: i64) -> Result<Money, Rejected> {
    minor::parse(currency, amount).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Rejected {
    Rejected::Malformed(error.to_string())
}
