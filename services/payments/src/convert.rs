//! Between the contract and the domain.

use crate::{
    domain::{Amounts, Entry, Error, Kind, Payment, Portion, Start, State, Token},
    provider::Payable,
};
use ::saga::StepCall;
use ::store::{Versioned, fields::time};
use contracts::{
    google::r#type::Money as WireMoney,
    money::Money,
    payments::v1::{self as wire, AuthorizePaymentRequest, LedgerEntry, ledger_entry, payment},
};

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
    Ok(Start { order_id, user_id, amount, token: Token::new(payment_token), call: StepCall { step_key, epoch } })
}

/// A part that is asked for under a name.
pub fn portion(amount: Option<WireMoney>, name: String) -> Result<Portion, Error> {
    let amount = amount.map(|amount| Money::from_wire(&amount).map_err(Error::Amount)).transpose()?;
    Ok(Portion { amount, name })
}

/// Which amounts of a currency the provider can take.
pub fn payable(currency: &str, of: Payable) -> Result<wire::PayableAmounts, Error> {
    let money =
        |minor: i64| Money::from_minor(currency, minor.into()).map(|money| money.to_wire()).map_err(Error::Amount);
    let Payable { step, least, most } = of;
    Ok(wire::PayableAmounts { step: Some(money(step)?), minimum: Some(money(least)?), maximum: Some(money(most)?) })
}

pub(crate) fn asked(payment: &Payment) -> Option<WireMoney> {
    payment.asked.as_ref().map(|asked| asked.amount.to_wire())
}

pub(crate) fn sum(amounts: Option<&Amounts>, which: impl Fn(&Amounts) -> &Money) -> Option<WireMoney> {
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

pub(crate) fn state_to_wire(state: State) -> payment::State {
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
