//! Events out: what a change of a payment publishes.

use crate::{
    convert::{asked, state_to_wire, sum},
    domain::{Amounts, Error, Payment},
};
use ::store::NewEvent;
use contracts::payments::v1::{PaymentChanged, PaymentChargedBack, payment};

/// The events of the step from `old` to `new`; none when state and sums stay.
pub fn changed(id: &str, old: Option<&Payment>, new: &Payment) -> Result<Vec<NewEvent>, Error> {
    let from = old.map(|old| old.state);
    let amounts = new.amounts()?;
    let mut events = Vec::new();
    if let (Some(old), Some(sums)) = (old, &amounts)
        && old.frozen.is_none()
        && new.frozen.is_some()
    {
        events.push(charged_back(id, new, sums));
    }
    if from == Some(new.state) && old.is_some_and(|old| old.ledger == new.ledger || new.frozen != old.frozen) {
        return Ok(events);
    }
    let event = PaymentChanged {
        payment_id: id.to_owned(),
        order_id: new.order_id.clone(),
        user_id: new.user_id.clone(),
        from: from.map_or(payment::State::Unspecified, state_to_wire).into(),
        to: state_to_wire(new.state).into(),
        amount: asked(new),
        authorized_amount: sum(amounts.as_ref(), |sums| &sums.authorized),
        captured_amount: sum(amounts.as_ref(), |sums| &sums.captured),
        refunded_amount: sum(amounts.as_ref(), |sums| &sums.refunded),
        decline_reason: new.decline_reason.clone(),
    };
    events.push(NewEvent::of(new.state.name(), &event));
    Ok(events)
}

fn charged_back(id: &str, payment: &Payment, sums: &Amounts) -> NewEvent {
    let event = PaymentChargedBack {
        payment_id: id.to_owned(),
        order_id: payment.order_id.clone(),
        user_id: payment.user_id.clone(),
        charged_back_amount: Some(sums.charged_back.to_wire()),
        captured_amount: Some(sums.captured.to_wire()),
    };
    NewEvent::of("charged_back", &event)
}
