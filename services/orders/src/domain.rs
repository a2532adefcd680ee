//! What an order is, and what each command and each answer of a saga does to it. Pure.

mod coupons;
mod error;
mod follow;
mod pricing;
mod refunds;
mod shipments;

pub use coupons::{Benefit, Coupon, CouponRefusal, CouponState, CouponTerms, Discount, Minimum};
pub use error::Error;
pub use pricing::{Amounts, Charges, Delivery, Tax, price};
pub use refunds::{Disposition, Extent, Progress, Refund, RefundWish, Returned};
pub use shipments::{Capture, Line, Shipment, Told};

use ::store::Time;
use contracts::{
    money::Money, payments::v1::payment::State as PaymentState, shipping::v1::shipment::State as ShipmentState,
};
use saga::Saga;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most units of one product in an order.
const MAX_QUANTITY: i64 = 10_000;

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
    /// Every state.
    pub const ALL: [State; 7] = [
        State::Pending,
        State::Confirmed,
        State::Shipped,
        State::Delivered,
        State::Rejected,
        State::Cancelling,
        State::Cancelled,
    ];

    /// Whether the table of states allows `self` → `next`.
    pub fn allows(self, next: State) -> bool {
        match self {
            State::Pending => matches!(next, State::Confirmed | State::Rejected | State::Cancelling),
            State::Confirmed => matches!(next, State::Shipped | State::Cancelling),
            State::Shipped => next == State::Delivered,
            State::Cancelling => matches!(next, State::Cancelled | State::Confirmed),
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
    /// What tells its tax rate; empty for the standard one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tax_category: String,
    /// Weight of one unit.
    #[serde(default)]
    pub weight_grams: i32,
    /// Discount and tax; none in orders that are older than both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<Charges>,
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
    /// W3C trace id of what led to it, when there is a trace; filled in when it is written.
    pub trace_id: Option<String>,
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
    /// What a coupon takes off the lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// What is to be paid.
    #[serde(with = "::store::fields::money")]
    pub total: Money,
    /// Minor units of which the payment provider takes multiples, and so of captures and refunds; none: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<i64>,
    /// How it comes about; none in orders that are older than taxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amounts: Option<Amounts>,
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
    /// Identifier of the first shipment, chosen here.
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
    /// What was, or is being, given back after it had left; oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// Its shipments, in the order in which it learned of them; empty before the first, and in orders that are older than
    /// splits until something happens to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// Why nothing is given back any more; people must see to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
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

impl Order {
    /// Minor units of which captures and refunds are multiples.
    fn step(&self) -> i64 {
        self.step.unwrap_or(1)
    }

    /// Whether it has nothing to pay, and so no payment.
    pub fn is_free(&self) -> bool {
        !self.total.is_positive()
    }
}

/// What a participant told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// Stock is held until then.
    Held(Time),
    /// Where the payment is.
    Payment(PaymentState),
    /// Where the shipment is.
    Shipment(ShipmentState),
}

/// What the lines cost; one currency, at most 10,000 units of a product.
pub fn subtotal(items: &[Item]) -> Result<Money, Error> {
    let mut units: BTreeMap<&str, i64> = BTreeMap::new();
    for item in items {
        let sum = units.entry(&item.product_id).or_default();
        *sum += i64::from(item.quantity);
        if *sum > MAX_QUANTITY {
            return Err(Error::TooMany(item.product_id.clone()));
        }
    }
    let first = items.first().ok_or(Error::NoItems)?;
    let mut subtotal = Money::zero(&first.price.currency)?;
    for item in items {
        if item.price.currency != first.price.currency {
            return Err(Error::MixedCurrencies(first.price.currency.clone(), item.price.currency.clone()));
        }
        subtotal = subtotal.add(&item.amount)?;
    }
    Ok(subtotal)
}
