//! Events in: from the contract to a mail that is to be sent. It is durable before the event is acknowledged.

#[cfg(test)]
mod tests;

use crate::{
    domain::{Amount, Email, Line, Origin, STALE_AFTER, State, Template, later},
    error::{Error, Malformed},
    identity::email_id,
    store::Emails,
};
use ::events::{Event, Handler, HandlerError};
use ::store::{Time, now};
use contracts::{
    money::Money,
    orders::v1::{OrderChanged, OrderRefunded, order},
    shipping::v1::{ShipmentChanged, ShipmentLine},
};
use prost::Message;

/// Writes the mails that events ask for. What a mail is depends on the event alone, and there is one under its identifier: a
/// second delivery finds it.
pub struct Writer(pub Emails);

#[tonic::async_trait]
impl Handler for Writer {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        let Some(email) = email(event, now()).map_err(Error::from)? else { return Ok(()) };
        telemetry::crash_point("email.writing");
        self.0.write(&email).await.map_err(Error::from)?;
        telemetry::crash_point("email.written");
        Ok(())
    }
}

/// What a mail is about.
struct About {
    user_id: String,
    order_id: String,
    shipment_id: Option<String>,
    lines: Vec<Line>,
    refund: Option<Amount>,
}

/// The mail that an event asks for, by service, aggregate, name and message. An order that is confirmed again, because it could
/// not be cancelled, asks for none: its customer has been told.
pub fn asked_by(service: &str, aggregate: &str, name: &str, data: &[u8]) -> Option<Template> {
    let template = Template::of_event(service, aggregate, name)?;
    let from = |data: &[u8]| OrderChanged::decode(data).map(|changed| changed.from());
    let is_again = template == Template::OrderConfirmed && from(data) == Ok(order::State::Cancelling);
    (!is_again).then_some(template)
}

/// The mail that the event asks for, if it asks for one.
pub fn email(event: &Event, now: Time) -> Result<Option<Email>, Malformed> {
    let Some(template) = asked_by(&event.service, &event.aggregate, &event.name, &event.data) else { return Ok(None) };
    let About { user_id, order_id, shipment_id, lines, refund } = about(event, template)?;
    let is_stale = now >= later(event.at, STALE_AFTER);
    Ok(Some(Email {
        id: email_id(&event.id, template, event.at),
        template,
        event: Origin {
            id: event.id.clone(),
            service: event.service.clone(),
            aggregate_id: event.aggregate_id.clone(),
            seq: event.seq,
        },
        user_id,
        order_id,
        shipment_id,
        lines,
        refund,
        state: if is_stale { State::Suppressed } else { State::Pending },
        reason: is_stale.then(|| "STALE".to_owned()),
        attempts: 0,
        wake_at: (!is_stale).then_some(now),
        addressed: None,
        is_erased: false,
        created_at: now,
        updated_at: now,
        sent_at: None,
    }))
}

fn about(event: &Event, template: Template) -> Result<About, Malformed> {
    match template {
        Template::OrderConfirmed | Template::OrderCancelled => {
            let OrderChanged { user_id, order_id, .. } = decode(event)?;
            Ok(About { user_id, order_id, shipment_id: None, lines: Vec::new(), refund: None })
        }
        Template::PasswordReset | Template::EmailVerification => {
            let user_id = event.aggregate_id.clone();
            Ok(About { user_id, order_id: String::new(), shipment_id: None, lines: Vec::new(), refund: None })
        }
        Template::OrderRefunded => {
            let OrderRefunded { user_id, order_id, amount, .. } = decode(event)?;
            let amount = amount.ok_or_else(|| Malformed::Missing { id: event.id.clone(), field: "amount" })?;
            let amount =
                Money::from_wire(&amount).map_err(|source| Malformed::Money { id: event.id.clone(), source })?;
            Ok(About { user_id, order_id, shipment_id: None, lines: Vec::new(), refund: Some(Amount(amount)) })
        }
        Template::ShipmentDispatched | Template::ShipmentDelivered => {
            let ShipmentChanged { user_id, order_id, shipment_id, lines, .. } = decode(event)?;
            let line = |ShipmentLine { product_id, quantity }| Line { product_id, quantity };
            let lines = lines.into_iter().map(line).collect();
            Ok(About { user_id, order_id, shipment_id: Some(shipment_id), lines, refund: None })
        }
    }
}

/// The message of the event, which has to be of type `M`.
fn decode<M: prost::Message + prost::Name + Default>(event: &Event) -> Result<M, Malformed> {
    let decoded =
        event.decode::<M>().ok_or_else(|| Malformed::Missing { id: event.id.clone(), field: "known type" })?;
    decoded.map_err(|source| Malformed::Decode { id: event.id.clone(), source })
}
