//! What an order is, and what each command and each answer of a saga does to it. Pure.

use crate::{error::Error, sagas};
use ::store::Time;
use contracts::{
    money::Money, payments::v1::payment::State as PaymentState, shipping::v1::shipment::State as ShipmentState,
};
use saga::{Call, Direction, Outcome, Saga, Status};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most units of one product in an order.
const MAX_QUANTITY: i64 = 10_000;

/// An order is confirmed only while its hold lives at least so long.
const HOLD_MARGIN_MS: i64 = 5_000;

/// Where an order is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Accepted.
    Pending,
    /// Stock is sold to it and payment authorized.
    Confirmed,
    /// With the carrier.
    Shipped,
    /// At the door.
    Delivered,
    /// Could not be fulfilled.
    Rejected,
    /// Being cancelled.
    Cancelling,
    /// Cancelled.
    Cancelled,
}

impl State {
    /// Whether the table of states allows `self` → `next`.
    pub fn allows(self, next: State) -> bool {
        match self {
            State::Pending => matches!(next, State::Confirmed | State::Rejected | State::Cancelling),
            State::Confirmed => matches!(next, State::Shipped | State::Cancelling),
            State::Shipped => next == State::Delivered,
            State::Cancelling => matches!(next, State::Cancelled | State::Confirmed | State::Shipped),
            State::Delivered | State::Rejected | State::Cancelled => false,
        }
    }

    /// Whether nothing can follow.
    pub fn is_final(self) -> bool {
        matches!(self, State::Delivered | State::Rejected | State::Cancelled)
    }
}

/// The user when the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSnapshot {
    /// Display name.
    pub name: String,
    /// E-mail address.
    pub email: String,
}

/// A line, with the product as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The product.
    pub product_id: String,
    /// Units.
    pub quantity: i32,
    /// Its name.
    pub name: String,
    /// Its stock keeping unit.
    pub sku: String,
    /// Its price.
    #[serde(with = "::store::fields::money")]
    pub price: Money,
    /// Price times quantity.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
}

/// Where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Who receives.
    pub name: String,
    /// First line.
    pub line1: String,
    /// Second line.
    pub line2: String,
    /// City.
    pub city: String,
    /// Region.
    pub region: String,
    /// Postal code.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
}

/// Lines and total by the catalogue of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The lines.
    pub items: Vec<Item>,
    /// Their sum.
    pub total: Money,
}

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Before; none at the start.
    pub from: Option<State>,
    /// After.
    pub to: State,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// When.
    pub at: Time,
}

/// A wish to cancel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
}

/// An order as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who placed it.
    pub user_id: String,
    /// That user then.
    pub user: UserSnapshot,
    /// What was ordered.
    pub items: Vec<Item>,
    /// Sum of the lines.
    #[serde(with = "::store::fields::money")]
    pub total: Money,
    /// Where it is in its life.
    pub state: State,
    /// Why it is there.
    pub reason: String,
    /// Where the money is.
    pub payment_state: PaymentState,
    /// Where the goods are.
    pub shipment_state: ShipmentState,
    /// Identifier of the payment, chosen here so that repeating the call is safe.
    pub payment_id: String,
    /// Identifier of the shipment, chosen here.
    pub shipment_id: String,
    /// Where it goes.
    pub address: Address,
    /// Token of the means of payment; gone once the saga no longer needs it.
    pub payment_token: Option<String>,
    /// When the hold on its stock runs out.
    pub hold_expires_at: Option<Time>,
    /// The saga that moves it, or the last one that did.
    pub saga: Saga,
    /// The wish to cancel, while a saga is still under way.
    pub cancellation: Option<Cancellation>,
    /// Each transition of `state`.
    pub history: Vec<Transition>,
    /// When it was placed.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
    /// Identity of the request that placed it.
    pub request_key: String,
    /// Digest of that request's content.
    pub request_digest: String,
}

/// What a participant told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Stock is held until then.
    Held(Time),
    /// Where the payment is.
    Payment(PaymentState),
    /// Where the shipment is.
    Shipment(ShipmentState),
}

/// Sum of the lines; one currency, above zero, at most 10,000 units of a product.
pub fn total(items: &[Item]) -> Result<Money, Error> {
    let mut units: BTreeMap<&str, i64> = BTreeMap::new();
    for item in items {
        let sum = units.entry(&item.product_id).or_default();
        *sum += i64::from(item.quantity);
        if *sum > MAX_QUANTITY {
            return Err(Error::TooMany(item.product_id.clone()));
        }
    }
    let first = items.first().ok_or(Error::NoItems)?;
    let mut total = Money::zero(&first.price.currency)?;
    for item in items {
        if item.price.currency != first.price.currency {
            return Err(Error::MixedCurrencies(first.price.currency.clone(), item.price.currency.clone()));
        }
        total = total.add(&item.amount)?;
    }
    if total.amount.is_zero() { Err(Error::NothingToPay) } else { Ok(total) }
}

impl Order {
    /// Moves to `to` and notes it in the history. To the same state: nothing. An illegal move is a bug, and refused.
    fn enter(&mut self, to: State, reason: &str, actor: &str, now: Time) -> Result<(), Error> {
        if self.state == to {
            return Ok(());
        }
        if !self.state.allows(to) {
            return Err(Error::Transition { from: self.state, to });
        }
        let transition =
            Transition { from: Some(self.state), to, reason: reason.to_owned(), actor: actor.to_owned(), at: now };
        self.history.push(transition);
        self.state = to;
        reason.clone_into(&mut self.reason);
        Ok(())
    }

    /// What the wish to cancel does. `None`: it is cancelled, or being cancelled, already.
    pub fn cancel(&self, wish: Cancellation, now: Time) -> Result<Option<Self>, Error> {
        let mut next = self.clone();
        match self.state {
            State::Cancelling | State::Cancelled => return Ok(None),
            State::Shipped | State::Delivered | State::Rejected => return Err(Error::CannotCancel(self.state)),
            State::Pending | State::Confirmed => {}
        }
        next.enter(State::Cancelling, &wish.reason, &wish.actor, now)?;
        next.updated_at = now;
        next.cancellation = Some(wish);
        if next.saga.has_ended() {
            next.start_cancelling(now);
        } else {
            // Before the pivot the saga turns back; after it, cancelling starts when it has completed.
            next.saga.abort(sagas::definition(&self.saga.kind), "CANCELLED", now);
            next.follow_saga(now)?;
        }
        Ok(Some(next))
    }

    fn start_cancelling(&mut self, now: Time) {
        let epoch = self.saga.epoch;
        self.saga = Saga::start(&sagas::CANCEL_ORDER, "", now);
        self.saga.epoch = epoch + 1;
        self.saga.wake(now);
    }

    /// What the answer to a saga's call does.
    pub fn record(
        &self,
        call: &Call,
        outcome: Outcome,
        fact: Option<Fact>,
        now: Time,
        jitter: f64,
    ) -> Result<Self, Error> {
        let mut next = self.clone();
        next.updated_at = now;
        match fact {
            Some(Fact::Held(until)) => next.hold_expires_at = Some(until),
            Some(Fact::Payment(state)) => next.payment_state = state,
            Some(Fact::Shipment(state)) if next.shipment_state < state => next.shipment_state = state,
            Some(Fact::Shipment(_)) | None => {}
        }
        let outcome = if call.name == sagas::AUTHORIZE && call.direction == Direction::Do && outcome == Outcome::Done {
            next.pivot(now)
        } else {
            outcome
        };
        next.saga.record(sagas::definition(&self.saga.kind), call, outcome, now, jitter);
        next.follow_saga(now)?;
        Ok(next)
    }

    /// Whether an authorized order may be confirmed: only while its hold lives.
    fn pivot(&self, now: Time) -> Outcome {
        let lives = self
            .hold_expires_at
            .is_some_and(|until| until.timestamp_millis() > now.timestamp_millis() + HOLD_MARGIN_MS);
        if lives { Outcome::Done } else { Outcome::Refused("HOLD_EXPIRED".to_owned()) }
    }

    /// Brings `state` in line with the saga.
    fn follow_saga(&mut self, now: Time) -> Result<(), Error> {
        let placing = self.saga.kind == sagas::PLACE_ORDER.kind;
        match self.saga.status {
            Status::Running if placing && self.saga.is_past_pivot(&sagas::PLACE_ORDER) => {
                self.payment_token = None;
                if self.state == State::Pending {
                    self.enter(State::Confirmed, "", "orders", now)?;
                }
            }
            Status::Completed if placing => {
                self.payment_token = None;
                if self.cancellation.is_some() {
                    self.start_cancelling(now);
                }
            }
            Status::Compensated if placing => {
                self.payment_token = None;
                let reason = self.saga.reason.clone().unwrap_or_default();
                if self.state == State::Cancelling {
                    let reason = self.reason.clone();
                    self.enter(State::Cancelled, &reason, "orders", now)?;
                } else {
                    self.enter(State::Rejected, &reason, "orders", now)?;
                }
            }
            Status::Completed => {
                let reason = self.reason.clone();
                self.enter(State::Cancelled, &reason, "orders", now)?;
            }
            Status::Compensated => {
                let reason = self.saga.reason.clone().unwrap_or_default();
                let back =
                    if self.shipment_state >= ShipmentState::Dispatched { State::Shipped } else { State::Confirmed };
                self.cancellation = None;
                if self.state == State::Cancelling {
                    self.enter(back, &reason, "orders", now)?;
                }
            }
            Status::Running | Status::Compensating | Status::Parked => {}
        }
        Ok(())
    }

    /// The carrier has it; the payment is captured.
    pub fn dispatched(&self, payment_state: PaymentState, now: Time) -> Result<Self, Error> {
        let mut next = self.clone();
        next.updated_at = now;
        next.shipment_state = next.shipment_state.max(ShipmentState::Dispatched);
        next.payment_state = payment_state;
        if matches!(self.state, State::Confirmed | State::Cancelling) {
            next.enter(State::Shipped, "", "shipping", now)?;
        }
        Ok(next)
    }

    /// It is at the door.
    pub fn delivered(&self, now: Time) -> Result<Self, Error> {
        let mut next = self.clone();
        next.updated_at = now;
        next.shipment_state = ShipmentState::Delivered;
        if self.state == State::Shipped {
            next.enter(State::Delivered, "", "shipping", now)?;
        }
        Ok(next)
    }

    /// Whether its saga waits for the payment to be decided.
    pub fn awaits_payment(&self) -> bool {
        let call = self.saga.call("");
        self.payment_state != PaymentState::Unspecified
            && call.is_some_and(|call| call.name == sagas::AUTHORIZE && call.direction == Direction::Do)
    }
}
