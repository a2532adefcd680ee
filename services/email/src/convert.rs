//! Between the contract and the domain.

use crate::domain::{Email, State, Template};
use ::store::fields::time;
use contracts::email::v1::{self as wire, email};

pub fn to_wire(found: Email) -> wire::Email {
    let is_pending = found.state == State::Pending;
    let addressed = found.addressed;
    let of = |part: fn(crate::domain::Addressed) -> String| addressed.clone().map(part).unwrap_or_default();
    wire::Email {
        template: template_to_wire(found.template).into(),
        state: state_to_wire(found.state).into(),
        reason: found.reason.unwrap_or_default(),
        user_id: found.user_id,
        order_id: found.order_id,
        shipment_id: found.shipment_id.unwrap_or_default(),
        event_id: found.event.id,
        to_address: of(|addressed| addressed.to),
        language: of(|addressed| addressed.language),
        subject: of(|addressed| addressed.subject),
        attempts: found.attempts,
        create_time: Some(time::to_wire(found.created_at)),
        update_time: Some(time::to_wire(found.updated_at)),
        sent_time: found.sent_at.map(time::to_wire),
        next_attempt_time: found.wake_at.filter(|_| is_pending).map(time::to_wire),
        email_id: found.id,
    }
}

/// The state that a list is narrowed to; none when it is not.
pub fn state(of: email::State) -> Option<State> {
    match of {
        email::State::Unspecified => None,
        email::State::Pending => Some(State::Pending),
        email::State::Sent => Some(State::Sent),
        email::State::Failed => Some(State::Failed),
        email::State::Suppressed => Some(State::Suppressed),
    }
}

/// The template of a request; none when it names none.
pub fn template(of: email::Template) -> Option<Template> {
    match of {
        email::Template::Unspecified => None,
        email::Template::OrderConfirmed => Some(Template::OrderConfirmed),
        email::Template::OrderCancelled => Some(Template::OrderCancelled),
        email::Template::OrderRefunded => Some(Template::OrderRefunded),
        email::Template::ShipmentDispatched => Some(Template::ShipmentDispatched),
        email::Template::ShipmentDelivered => Some(Template::ShipmentDelivered),
        email::Template::PasswordReset => Some(Template::PasswordReset),
        email::Template::EmailVerification => Some(Template::EmailVerification),
    }
}

fn state_to_wire(state: State) -> email::State {
    match state {
        State::Pending => email::State::Pending,
        State::Sent => email::State::Sent,
        State::Failed => email::State::Failed,
        State::Suppressed => email::State::Suppressed,
    }
}

fn template_to_wire(template: Template) -> email::Template {
    match template {
        Template::OrderConfirmed => email::Template::OrderConfirmed,
        Template::OrderCancelled => email::Template::OrderCancelled,
        Template::OrderRefunded => email::Template::OrderRefunded,
        Template::ShipmentDispatched => email::Template::ShipmentDispatched,
        Template::ShipmentDelivered => email::Template::ShipmentDelivered,
        Template::PasswordReset => email::Template::PasswordReset,
        Template::EmailVerification => email::Template::EmailVerification,
    }
}
