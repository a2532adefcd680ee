//! Between the domain and the contract.

use crate::domain::{Delivery, Endpoint, State};
use ::store::{Time, fields::time};
use contracts::webhooks::v1::{self as wire, delivery, endpoint};

pub fn endpoint(found: Endpoint, now: Time) -> wire::Endpoint {
    let state = if found.disabled.is_some() { endpoint::State::Disabled } else { endpoint::State::Enabled };
    wire::Endpoint {
        state: state.into(),
        secret_count: i32::try_from(found.signing(now).count()).unwrap_or(i32::MAX),
        secret_create_time: found.secrets.first().map(|secret| time::to_wire(secret.created_at)),
        endpoint_id: found.id,
        url: found.url,
        event_types: found.event_types,
        reason: found.disabled.unwrap_or_default(),
        create_time: Some(time::to_wire(found.created_at)),
        failing_time: found.failing_since.map(time::to_wire),
    }
}

pub fn delivery(found: Delivery) -> wire::Delivery {
    wire::Delivery {
        state: match found.state {
            State::Pending => delivery::State::Pending,
            State::Delivered => delivery::State::Delivered,
            State::Failed => delivery::State::Failed,
        }
        .into(),
        delivery_id: found.id,
        endpoint_id: found.endpoint_id,
        event_id: found.event_id,
        event_type: found.event_type,
        aggregate_id: found.aggregate_id,
        sequence: found.seq,
        attempts: found.attempts,
        last_status: found.last_status.unwrap_or_default(),
        last_error: found.last_error.unwrap_or_default(),
        create_time: Some(time::to_wire(found.created_at)),
        update_time: Some(time::to_wire(found.updated_at)),
        next_attempt_time: found.wake_at.map(time::to_wire),
    }
}

/// The state that a list is narrowed to; none when it is not.
pub fn state(of: delivery::State) -> Option<State> {
    match of {
        delivery::State::Unspecified => None,
        delivery::State::Pending => Some(State::Pending),
        delivery::State::Delivered => Some(State::Delivered),
        delivery::State::Failed => Some(State::Failed),
    }
}
