//! The JSON of the sandbox: requests, charges, events, reports.

use crate::domain::{Charge, Operation, Status};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Body of `POST /v1/charges`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewCharge {
    /// ISO 4217.
    pub currency: String,
    /// In minor units, above 0.
    pub amount: i64,
    pub token: String,
}

/// Body of captures, voids, refunds, actions and disputes.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// In minor units; absent: all there is.
    pub amount: Option<i64>,
    /// Of an action: whether the payer approves.
    pub approve: Option<bool>,
}

pub fn charge(charge: &Charge) -> Value {
    json!({
        "id": charge.reference,
        "key": charge.key,
        "status": status(charge.status),
        "reason": charge.reason,
        "currency": charge.amount.currency,
        "amount": crate::domain::minor(&charge.amount),
        "authorized": charge.authorized(),
        "captured": charge.captured,
        "voided": charge.voided,
        "refunded": charge.refunded,
        "chargedBack": charge.charged_back,
        "endsAt": charge.ends_at.map(store::Time::timestamp_millis),
    })
}

/// An entry of the report: the charge and all that happened to it.
pub fn reported(of: &Charge) -> Value {
    let mut entry = charge(of);
    entry["operations"] = of.operations.iter().map(operation).collect();
    entry
}

pub fn operation(operation: &Operation) -> Value {
    json!({
        "key": operation.key,
        "kind": operation.kind,
        "amount": operation.amount,
        "at": operation.at.timestamp_millis(),
    })
}

pub fn event(id: &str, of: &Charge, happened: &Operation) -> Value {
    let kind = serde_json::to_value(happened.kind).unwrap_or_default();
    json!({
        "id": id,
        "type": format!("charge.{}", kind.as_str().unwrap_or_default()),
        "created": happened.at.timestamp_millis() / 1000,
        "operation": operation(happened),
        "charge": charge(of),
    })
}

pub fn error(kind: &str, code: &str) -> Value {
    json!({ "error": { "type": kind, "code": code } })
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Authorized => "authorized",
        Status::Declined => "declined",
        Status::ActionRequired => "action_required",
        Status::Captured => "captured",
        Status::Voided => "voided",
        Status::Refunded => "refunded",
    }
}
