//! Between the contract and the domain.

use crate::{
    domain::{Amounts, Entry, Kind, Payment, Start, State},
    error::Error,
    provider::Token,
};
use ::saga::Caller;
use ::store::{NewEvent, Versioned, fields::time};
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    payments::v1::{self as wire, AuthorizePaymentRequest, LedgerEntry, PaymentChanged, ledger_entry, payment},
};

/// A stored payment on the wire.
pub fn to_wire(found: &Versioned<Payment>) -> Result<wire::Payment, Error> {
    let payment = &found.state;
    let amounts = payment.amounts()?;
    Ok(wire::Payment {
        payment_id: found.id.clone(),
        order_id: payment.order_id.clone(),
        user_id: payment.user_id.clone(),
        state: state_to_wire(payment.state).into(),
        amount: asked(payment),
        authorized_amount: sum(amounts.as_ref(), |sums| &sums.authorized),
        captured_amount: sum(amounts.as_ref(), |sums| &sums.captured),
        refunded_amount: sum(amounts.as_ref(), |sums| &sums.refunded),
        decline_reason: payment.decline_reason.clone(),
        ledger: payment.ledger.entries().iter().map(entry_to_wire).collect(),
        create_time: Some(time::to_wire(payment.created_at)),
        update_time: Some(time::to_wire(payment.updated_at)),
        etag: found.etag(),
    })
}

/// What the caller of AuthorizePayment wants.
pub fn start(request: AuthorizePaymentRequest) -> Result<Start, Error> {
    let AuthorizePaymentRequest { order_id, user_id, amount, payment_token, step_key, epoch, .. } = request;
    let amount = Money::from_wire(&amount.unwrap_or_default()).map_err(Error::Amount)?;
    Ok(Start { order_id, user_id, amount, token: Token::new(payment_token), caller: Caller { step_key, epoch } })
}

/// The event of the step from `old` to `new`; none when the state stays.
pub fn changed(id: &str, old: Option<&Payment>, new: &Payment) -> Result<Vec<NewEvent>, Error> {
    let from = old.map(|old| old.state);
    if from == Some(new.state) {
        return Ok(Vec::new());
    }
    let amounts = new.amounts()?;
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
    Ok(vec![NewEvent::of(new.state.name(), &event)])
}

fn asked(payment: &Payment) -> Option<WireMoney> {
    payment.asked.as_ref().map(|asked| asked.amount.to_wire())
}

fn sum(amounts: Option<&Amounts>, which: impl Fn(&Amounts) -> &Money) -> Option<WireMoney> {
    amounts.map(|amounts| which(amounts).to_wire())
}

fn entry_to_wire(entry: &Entry) -> LedgerEntry {
    LedgerEntry {
        kind: kind_to_wire(entry.kind).into(),
        amount: Some(entry.amount.to_wire()),
        provider_reference: entry.provider_reference.clone(),
        key: entry.key.clone(),
        time: Some(time::to_wire(entry.at)),
    }
}

fn kind_to_wire(kind: Kind) -> ledger_entry::Kind {
    match kind {
        Kind::Authorization => ledger_entry::Kind::Authorization,
        Kind::Capture => ledger_entry::Kind::Capture,
        Kind::Void => ledger_entry::Kind::Void,
        Kind::Refund => ledger_entry::Kind::Refund,
    }
}

fn state_to_wire(state: State) -> payment::State {
    match state {
        State::Created => payment::State::Created,
        State::Authorizing => payment::State::Authorizing,
        State::Authorized => payment::State::Authorized,
        State::Captured => payment::State::Captured,
        State::Refunded => payment::State::Refunded,
        State::Declined => payment::State::Declined,
        State::Voided => payment::State::Voided,
        State::ActionRequired => payment::State::ActionRequired,
        State::Unknown => payment::State::Unknown,
    }
}
