//! The events that tell of an order and its changes.

use crate::{
    convert,
    domain::{Order, Refund, RefundProgress, State, code},
};
use ::store::{NewEvent, fields::time};
use contracts::{
    google::r#type::Money,
    orders::v1::{OrderChanged, OrderCreated, OrderFrozen, OrderIntervened, OrderRefunded, OrderSagaAlarmed},
};
use saga::{Saga, Status};

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
        let was_open = old.refunds.get(index).is_some_and(|before| before.progress == RefundProgress::Requested);
        was_open.then(|| refunded(id, new, refund)).flatten()
    });
    let frozen = new.frozen.as_ref().filter(|_| old.frozen.is_none()).map(|reason| frozen(id, new, reason));
    intervened.into_iter().chain(moved).chain(alarmed).chain(refunded).chain(frozen).collect()
}

fn refunded(id: &str, order: &Order, refund: &Refund) -> Option<NewEvent> {
    let name = match refund.progress {
        RefundProgress::Requested => return None,
        RefundProgress::Done => "refunded",
        RefundProgress::Refused => "refund_refused",
    };
    let message = OrderRefunded {
        order_id: id.to_owned(),
        user_id: order.user_id.clone(),
        refund_id: refund.id.clone(),
        amount: Some(refund.amount.to_wire()),
        refusal: code(order.state, &refund.refusal),
    };
    Some(NewEvent::of(name, &message))
}

fn frozen(id: &str, order: &Order, reason: &str) -> NewEvent {
    let message = OrderFrozen { order_id: id.to_owned(), user_id: order.user_id.clone(), reason: reason.to_owned() };
    NewEvent::of("frozen", &message)
}

fn moved(id: &str, old: &Order, new: &Order) -> Option<NewEvent> {
    // A reason in somebody's own words stays with the order; events carry codes.
    let reason = |order: &Order| code(order.state, &order.reason);
    let seen = |order: &Order| (order.state, order.payment_state, order.shipment_state, reason(order));
    if seen(old) == seen(new) {
        return None;
    }
    let name = if old.state == new.state { "progressed" } else { name(new.state) };
    let message = OrderChanged {
        order_id: id.to_owned(),
        user_id: new.user_id.clone(),
        from: convert::state_to_wire(old.state).into(),
        to: convert::state_to_wire(new.state).into(),
        reason: reason(new),
        payment_state: new.payment_state.into(),
        shipment_state: new.shipment_state.into(),
        payment_id: convert::payment_id(new),
        shipment_id: convert::shipment_id(new),
        captured_amount: captured(new),
    };
    Some(NewEvent::of(name, &message))
}

/// What was captured of an order that has shipped: nothing more is to come.
fn captured(order: &Order) -> Option<Money> {
    let is_shipped = matches!(order.state, State::Shipped | State::Delivered);
    let owed = is_shipped.then(|| order.owed())?;
    // The shares were computed from the total: they have its currency, and are no more than it.
    owed.ok().map(|owed| owed.to_wire())
}

/// What a person has just done to the saga.
fn intervened(id: &str, old: &Saga, new: &Saga) -> Option<NewEvent> {
    let last = new.interventions.last()?;
    // Its reason alone changes when it is erased.
    let is_known = old.interventions.last().is_some_and(|known| {
        (known.at, &known.action, &known.step, &known.actor) == (last.at, &last.action, &last.step, &last.actor)
    });
    if is_known {
        return None;
    }
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
