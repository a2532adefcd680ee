//! Between the contract and the domain.

use crate::{
    domain::{Amounts, Entry, Kind, Payment, Portion, Start, State},
    error::Error,
    inbox::Fate,
    provider::{Payable, Token},
    reconcile::{self, Difference, Reconciliation},
};
use ::saga::Caller;
use ::store::{NewEvent, Versioned, fields::time};
use bson::Document;
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    payments::v1::{
        self as wire, AuthorizePaymentRequest, LedgerEntry, PaymentChanged, PaymentChargedBack, ledger_entry, payment,
    },
};

/// Differences in one answer.
const TOLD: usize = 1_000;

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
        voided_amount: sum(amounts.as_ref(), |sums| &sums.voided),
        charged_back_amount: sum(amounts.as_ref(), |sums| &sums.charged_back),
        frozen_reason: payment.frozen.clone().unwrap_or_default(),
    })
}

/// What the caller of AuthorizePayment wants.
pub fn start(request: AuthorizePaymentRequest) -> Result<Start, Error> {
    let AuthorizePaymentRequest { order_id, user_id, amount, payment_token, step_key, epoch, .. } = request;
    let amount = Money::from_wire(&amount.unwrap_or_default()).map_err(Error::Amount)?;
    Ok(Start { order_id, user_id, amount, token: Token::new(payment_token), caller: Caller { step_key, epoch } })
}

/// A part that is asked for under a name.
pub fn portion(amount: Option<WireMoney>, name: String) -> Result<Portion, Error> {
    let amount = amount.map(|amount| Money::from_wire(&amount).map_err(Error::Amount)).transpose()?;
    Ok(Portion { amount, name })
}

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

/// What a comparison with the provider has found.
pub fn reconciliation(found: &Reconciliation) -> wire::ReconcilePaymentsResponse {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    wire::ReconcilePaymentsResponse {
        charges: count(found.charges),
        payments: count(found.payments),
        under_way: count(found.under_way),
        differences: found.differences.iter().take(TOLD).map(difference).collect(),
        difference_count: count(found.differences.len()),
    }
}

fn difference(found: &Difference) -> wire::Difference {
    let kind = match found.kind() {
        reconcile::Kind::NoPayment => wire::difference::Kind::NoPayment,
        reconcile::Kind::NoCharge => wire::difference::Kind::NoCharge,
        reconcile::Kind::Amounts => wire::difference::Kind::Amounts,
    };
    wire::Difference {
        kind: kind.into(),
        payment_id: found.payment_id.clone(),
        provider_reference: found.reference.clone(),
        ledger: found.ledger.as_ref().map(sums),
        provider: found.provider.as_ref().map(sums),
        advice: found.advice().to_owned(),
    }
}

/// Which amounts of a currency the provider can take.
pub fn payable(currency: &str, of: Payable) -> Result<wire::PayableAmounts, Error> {
    let money =
        |minor: i64| Money::from_minor(currency, minor.into()).map(|money| money.to_wire()).map_err(Error::Amount);
    let Payable { step, least, most } = of;
    Ok(wire::PayableAmounts { step: Some(money(step)?), minimum: Some(money(least)?), maximum: Some(money(most)?) })
}

/// Of which webhooks a list is.
pub fn fate(state: wire::webhook::State) -> Fate {
    match state {
        wire::webhook::State::Waiting => Fate::Waits,
        wire::webhook::State::Expired | wire::webhook::State::Unspecified => Fate::Expired,
    }
}

/// Where a webhook is in the list.
pub fn place_of_webhook(event: &Document) -> String {
    let received = event.get_datetime("received_at").map_or(0, |at| at.timestamp_millis());
    format!("{received}/{}", event.get_str("_id").unwrap_or_default())
}

/// A kept webhook on the wire.
pub fn webhook(event: &Document, fate: Fate) -> wire::Webhook {
    let text = |field: &str| event.get_str(field).unwrap_or_default().to_owned();
    let time = |field: &str| event.get_datetime(field).ok().map(|at| time::to_wire(*at));
    let state = if fate == Fate::Waits { wire::webhook::State::Waiting } else { wire::webhook::State::Expired };
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

fn sums(of: &Amounts) -> wire::LedgerSums {
    wire::LedgerSums {
        authorized_amount: Some(of.authorized.to_wire()),
        captured_amount: Some(of.captured.to_wire()),
        voided_amount: Some(of.voided.to_wire()),
        refunded_amount: Some(of.refunded.to_wire()),
        charged_back_amount: Some(of.charged_back.to_wire()),
    }
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
        Kind::ChargeBack => ledger_entry::Kind::ChargeBack,
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
