//! The objects of Stripe's API, as far as they count here, and what they mean.

use super::{
    super::{Outcome, Reported, Unavailable},
    minor,
};
use crate::domain::Amounts;
use ::store::Time;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;

/// A payment intent, its latest charge expanded.
#[derive(Debug, Deserialize)]
pub struct Intent {
    #[serde(rename = "object")]
    _object: IntentObject,
    pub id: String,
    pub status: Status,
    pub currency: String,
    pub amount: i64,
    #[serde(default)]
    pub amount_received: i64,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    pub last_payment_error: Option<ApiError>,
    pub cancellation_reason: Option<String>,
    /// The charge itself where it was asked for, else its name.
    #[serde(default)]
    pub latest_charge: Option<Value>,
}

/// What Stripe calls it: another object is not taken for an intent, however much of it looks like one.
#[derive(Debug, Deserialize)]
enum IntentObject {
    #[serde(rename = "payment_intent")]
    PaymentIntent,
}

/// Where an intent is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Canceled,
    Succeeded,
}

#[derive(Debug, Deserialize)]
pub struct ChargeObject {
    pub payment_intent: Option<String>,
    pub currency: String,
    pub status: String,
    pub captured: bool,
    #[serde(default)]
    pub disputed: bool,
    pub amount_captured: i64,
    pub amount_refunded: i64,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    pub payment_method_details: Option<Details>,
}

#[derive(Debug, Deserialize)]
pub struct Details {
    card: Option<Card>,
}

#[derive(Debug, Deserialize)]
struct Card {
    capture_before: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub struct Refund {
    status: Option<String>,
    failure_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct List {
    pub data: Vec<Intent>,
    pub has_more: bool,
}

#[derive(Debug, Deserialize)]
pub struct ApiError {
    #[serde(rename = "type")]
    kind: Option<String>,
    code: Option<String>,
    decline_code: Option<String>,
}

/// A refusal that is known to have had no effect.
#[derive(Debug)]
pub struct Failure(ApiError);

impl ApiError {
    /// `INSUFFICIENT_FUNDS`.
    fn reason(&self) -> String {
        let generic = self.decline_code.as_deref().filter(|code| *code != "generic_decline");
        generic.or(self.code.as_deref()).unwrap_or("DECLINED").to_uppercase()
    }
}

impl Failure {
    /// From the body of an error. None when it is a mistake of ours: then what is wanted may still be done.
    pub fn parse(body: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Body {
            error: ApiError,
        }
        let Body { error } = serde_json::from_slice(body).ok()?;
        let kind = error.kind.as_deref().unwrap_or_default();
        // An invalid request with a code is about the amount, the token or the state; without one, about a parameter.
        let is_refusal = kind == "card_error" || (kind == "invalid_request_error" && error.code.is_some());
        let is_ours = matches!(error.code.as_deref(), Some("parameter_unknown" | "parameter_missing" | "lock_timeout"));
        (is_refusal && !is_ours).then_some(Self(error))
    }

    /// Why, upper case.
    pub fn reason(&self) -> String {
        self.0.reason()
    }
}

impl Refund {
    /// What became of it; a pending one is on its way.
    pub fn outcome(self, reference: &str) -> Outcome {
        match self.status.as_deref() {
            Some("succeeded" | "pending") => Outcome::Done { reference: reference.to_owned(), ends_at: None },
            Some("failed" | "canceled") => {
                let reason = self.failure_reason.as_deref().unwrap_or("REFUND_FAILED").to_uppercase();
                Outcome::Declined { reason }
            }
            _ => Outcome::Unknown,
        }
    }
}

impl Intent {
    /// The key of its authorization; empty when it is none of ours.
    pub fn key(&self) -> String {
        self.metadata.get("key").cloned().unwrap_or_default()
    }

    fn charge(&self) -> Option<ChargeObject> {
        ChargeObject::deserialize(self.latest_charge.as_ref()?).ok()
    }

    /// When its authorization runs out.
    pub fn ends_at(&self) -> Option<Time> {
        let card = self.charge()?.payment_method_details?.card?;
        Some(Time::from_millis(card.capture_before?.saturating_mul(1000)))
    }

    /// Why it is over without money.
    pub fn reason(&self) -> String {
        let canceled = self.cancellation_reason.as_ref().map(|reason| reason.to_uppercase());
        let refused = self.last_payment_error.as_ref().map(ApiError::reason);
        refused.or(canceled).unwrap_or_else(|| "DECLINED".to_owned())
    }

    /// What became of the authorization.
    pub fn outcome(self) -> Outcome {
        let ends_at = self.ends_at();
        match self.status {
            Status::RequiresCapture | Status::Succeeded => Outcome::Done { reference: self.id, ends_at },
            Status::RequiresAction => Outcome::ActionRequired { reference: self.id, ends_at: None },
            // After a card was declined, Stripe puts the intent back to where it waits for another one.
            Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::Canceled => {
                Outcome::Declined { reason: self.reason() }
            }
            Status::Processing => Outcome::Unknown,
        }
    }

    /// What was done. A charge that was released counts as refunded with Stripe, whole or the part that was not captured.
    pub fn reported(&self) -> Result<Reported, Unavailable> {
        let money = |amount| minor::parse(&self.currency, amount).map_err(|error| Unavailable(error.to_string()));
        let charge = self.charge().filter(|charge| charge.status == "succeeded");
        let authorized = if charge.is_some() { self.amount } else { 0 };
        let captured = self.amount_received;
        let is_over = matches!(self.status, Status::Canceled | Status::Succeeded);
        let voided = if is_over { authorized - captured } else { 0 };
        let refunded = charge.as_ref().map_or(0, |charge| (charge.amount_refunded - voided).max(0));
        let disputed = charge.is_some_and(|charge| charge.disputed);
        let sums = Amounts {
            authorized: money(authorized)?,
            captured: money(captured)?,
            voided: money(voided)?,
            refunded: money(refunded)?,
            charged_back: money(if disputed { captured - refunded } else { 0 })?,
        };
        Ok(Reported { charge_key: self.key(), reference: self.id.clone(), sums })
    }
}
