//! Webhooks on the wire.

use super::Disposition;
use ::store::fields::time;
use bson::Document;
use contracts::payments::v1 as wire;

/// Of which webhooks a list is.
pub fn disposition(state: wire::webhook::State) -> Disposition {
    match state {
        wire::webhook::State::Waiting => Disposition::Waiting,
        wire::webhook::State::Expired | wire::webhook::State::Unspecified => Disposition::Expired,
    }
}

/// Where a webhook is in the list.
pub fn place(event: &Document) -> String {
    let received = event.get_datetime("received_at").map_or(0, |at| at.timestamp_millis());
    format!("{received}/{}", event.get_str("_id").unwrap_or_default())
}

pub fn to_wire(event: &Document, disposition: Disposition) -> wire::Webhook {
    let text = |field: &str| event.get_str(field).unwrap_or_default().to_owned();
    let time = |field: &str| event.get_datetime(field).ok().map(|at| time::to_wire(*at));
    let state =
        if disposition == Disposition::Waiting { wire::webhook::State::Waiting } else { wire::webhook::State::Expired };
    wire::Webhook {
        provider: text("provider"),
        event_id: text("event_id"),
        charge_key: text("charge_key"),
        state: state.into(),
        receive_time: time("received_at"),
        expire_time: time("expired_at"),
        reason: text("expiry"),
        size_bytes: event.get_i64("bytes").unwrap_or(0),
    }
}
