//! Events out: what the change of an order tells. Events in: what shipping and payments tell of an order.

use crate::{
    convert,
    desk::Commands,
    domain::{Order, Progress, Refund, State, Told},
    error::Error,
};
use ::events::{Event, Handler, HandlerError};
use ::store::{NewEvent, fields::time, now};
use contracts::{
    orders::v1::{OrderChanged, OrderCreated, OrderFrozen, OrderIntervened, OrderRefunded, OrderSagaAlarmed},
    payments::v1::{PaymentChanged, PaymentChargedBack, payment::State as PaymentState},
    shipping::v1::{ShipmentChanged, ShipmentSplit, shipment::State as ShipmentState},
};
use saga::{Saga, Status};

/// Why an order is frozen whose money the payer's bank took back.
const CHARGED_BACK: &str = "CHARGED_BACK";

/// The event of an accepted order.
pub fn created(id: &str, order: &Order) -> NewEvent {
    let amount = |of| convert::amount(order, of);
    let message = OrderCreated {
        order_id: id.to_owned(),
        user_id: order.user_id.clone(),
        items: order.items.iter().map(convert::item_to_wire).collect(),
        total: Some(order.total.to_wire()),
        create_time: Some(time::to_wire(order.created_at)),
        subtotal: amount(|amounts| &amounts.subtotal),
        discount: amount(|amounts| &amounts.discount),
        tax: amount(|amounts| &amounts.tax),
        shipping: amount(|amounts| &amounts.shipping),
        included_tax: amount(|amounts| &amounts.included_tax),
    };
    NewEvent::of("created", &message)
}

/// The events of a change, if anything changed that others see.
pub fn between(id: &str, old: &Order, new: &Order) -> Vec<NewEvent> {
    let moved = moved(id, old, new);
    let intervened = intervened(id, &old.saga, &new.saga);
    let alarmed = alarmed(id, &old.saga, &new.saga);
    let refunded = new.refunds.iter().enumerate().filter_map(|(index, refund)| {
        let was_open = old.refunds.get(index).is_some_and(|before| before.progress == Progress::Requested);
        was_open.then(|| refunded(id, new, refund)).flatten()
    });
    let frozen = new.frozen.as_ref().filter(|_| old.frozen.is_none()).map(|reason| frozen(id, new, reason));
    intervened.into_iter().chain(moved).chain(alarmed).chain(refunded).chain(frozen).collect()
}

/// That a refund has ended.
fn refunded(id: &str, order: &Order, refund: &Refund) -> Option<NewEvent> {
    let name = match refund.progress {
        Progress::Requested => return None,
        Progress::Done => "refunded",
        Progress::Refused => "refund_refused",
    };
    let message = OrderRefunded {
        order_id: id.to_owned(),
        user_id: order.user_id.clone(),
        refund_id: refund.id.clone(),
        amount: Some(refund.amount.to_wire()),
        refusal: code(&refund.refusal),
    };
    Some(NewEvent::of(name, &message))
}

fn frozen(id: &str, order: &Order, reason: &str) -> NewEvent {
    let message = OrderFrozen { order_id: id.to_owned(), user_id: order.user_id.clone(), reason: reason.to_owned() };
    NewEvent::of("frozen", &message)
}

fn moved(id: &str, old: &Order, new: &Order) -> Option<NewEvent> {
    let seen = |order: &Order| (order.state, order.payment_state, order.shipment_state, order.reason.clone());
    if seen(old) == seen(new) {
        return None;
    }
    let name = if old.state == new.state { "progressed" } else { name(new.state) };
    let message = OrderChanged {
        order_id: id.to_owned(),
        user_id: new.user_id.clone(),
        from: convert::state_to_wire(old.state).into(),
        to: convert::state_to_wire(new.state).into(),
        reason: code(&new.reason),
        payment_state: new.payment_state.into(),
        shipment_state: new.shipment_state.into(),
        payment_id: convert::payment_id(new),
        shipment_id: convert::shipment_id(new),
    };
    Some(NewEvent::of(name, &message))
}

/// What a person has just done to the saga.
fn intervened(id: &str, old: &Saga, new: &Saga) -> Option<NewEvent> {
    let last = new.interventions.last().filter(|last| old.interventions.last() != Some(*last))?;
    let message = OrderIntervened {
        order_id: id.to_owned(),
        kind: old.kind.clone(),
        step: last.step.clone(),
        action: last.action.clone(),
        actor: last.actor.clone(),
        intervene_time: Some(time::to_wire(last.at)),
    };
    Some(NewEvent::of("intervened", &message))
}

/// That the saga keeps failing, or waits for a person.
fn alarmed(id: &str, old: &Saga, new: &Saga) -> Option<NewEvent> {
    let is_parked = new.status == Status::Parked && old.status != Status::Parked;
    let keeps_failing = new.alarm_at.is_some() && old.alarm_at.is_none();
    if !is_parked && !keeps_failing {
        return None;
    }
    let step = new.current();
    let message = OrderSagaAlarmed {
        order_id: id.to_owned(),
        kind: new.kind.clone(),
        step: step.map(|step| step.name.clone()).unwrap_or_default(),
        failures: step.map_or(0, |step| step.failures),
        is_parked,
    };
    Some(NewEvent::of(if is_parked { "parked" } else { "alarmed" }, &message))
}

/// A reason in somebody's own words stays with the order; events carry codes.
fn code(reason: &str) -> String {
    let is_code = reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_code { reason.to_owned() } else { "CANCELLED".to_owned() }
}

fn name(state: State) -> &'static str {
    match state {
        State::Pending => "created",
        State::Confirmed => "confirmed",
        State::Shipped => "shipped",
        State::Delivered => "delivered",
        State::Rejected => "rejected",
        State::Cancelling => "cancelling",
        State::Cancelled => "cancelled",
    }
}

/// Takes the events of shipping and payments. Each effect depends on the order's state alone, so a repeat has none.
pub struct Inbox {
    /// Changes orders and moves their sagas.
    pub commands: Commands,
}

#[tonic::async_trait]
impl Handler for Inbox {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        if let Some(message) = event.decode::<ShipmentChanged>() {
            let message = message?;
            let told = Told { state: message.to(), lines: convert::lines(message.lines), id: message.shipment_id };
            return self.shipments(&message.order_id, vec![told]).await.map_err(retry);
        }
        if let Some(message) = event.decode::<ShipmentSplit>() {
            let message = message?;
            let ShipmentSplit { shipment_id, order_id, user_id: _, lines, split_off_id, split_off_lines } = message;
            let told = [(shipment_id, lines), (split_off_id, split_off_lines)];
            let told = told.map(|(id, lines)| Told { id, lines: convert::lines(lines), state: ShipmentState::Created });
            return self.shipments(&order_id, told.to_vec()).await.map_err(retry);
        }
        if let Some(message) = event.decode::<PaymentChanged>() {
            let message = message?;
            return self.payment(&message).await.map_err(retry);
        }
        if let Some(message) = event.decode::<PaymentChargedBack>() {
            let message = message?;
            return self.charged_back(&message).await.map_err(retry);
        }
        Ok(())
    }
}

fn retry(error: Error) -> HandlerError {
    HandlerError::Retry(error.to_string())
}

impl Inbox {
    /// What became of shipments. Payment and stock follow in a saga of the order, which outlives this event.
    async fn shipments(&self, order_id: &str, told: Vec<Told>) -> Result<(), Error> {
        let sagas = self.commands.sagas();
        self.commands.change(order_id, |order| order.shipments_told(sagas, told.clone(), now())).await.map(drop)
    }

    /// The payer's bank took the money back: nothing is given back any more, and people are told.
    async fn charged_back(&self, message: &PaymentChargedBack) -> Result<(), Error> {
        self.commands.change(&message.order_id, |order| Ok(order.freeze(CHARGED_BACK, now()))).await?;
        tracing::error!(order = message.order_id, "charged back: the order is frozen, a person must see to it");
        Ok(())
    }

    async fn payment(&self, message: &PaymentChanged) -> Result<(), Error> {
        match message.to() {
            PaymentState::Authorized | PaymentState::Declined => {}
            PaymentState::Unspecified
            | PaymentState::Created
            | PaymentState::Authorizing
            | PaymentState::Captured
            | PaymentState::Refunded
            | PaymentState::Voided
            | PaymentState::ActionRequired
            | PaymentState::Unknown => return Ok(()),
        }
        let sagas = self.commands.sagas();
        let decide = |order: &Order| Ok(order.payment_decided(sagas, message.to(), now()));
        self.commands.change(&message.order_id, decide).await.map(drop)
    }
}
