//! What an order is, and what each command and each answer of a saga does to it. Pure.

mod erasure;
mod error;
mod follow;
mod pricing;
mod refunds;
mod shipments;
mod state;
#[cfg(test)]
pub(crate) mod tests;

pub use erasure::code;
pub use error::Error;
pub use pricing::{Delivery, price};
pub use refunds::{Extent, RefundRequest, ReturnedUnits};
pub use shipments::ShipmentUpdate;
pub use state::State;

use crate::coupons::domain::Discount;
use ::store::Time;
use contracts::{
    address::Address, money::Money, payments::v1::payment::State as PaymentState,
    shipping::v1::shipment::State as ShipmentState,
};
use saga::Saga;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most units of one product in an order.
const MAX_QUANTITY: i64 = 10_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserSnapshot {
    pub name: String,
    pub email: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub product_id: String,
    pub quantity: i32,
    pub name: String,
    pub sku: String,
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

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Before; none at the start.
    pub from: Option<State>,
    pub to: State,
    pub reason: String,
    pub actor: String,
    pub at: Time,
    /// W3C trace id of what led to it, when there is a trace; filled in when it is written.
    pub trace_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    pub reason: String,
    pub actor: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub product_id: String,
    pub quantity: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// How much: frozen when its saga starts.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
    pub is_done: bool,
}

/// A shipment, as the order knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    pub id: String,
    pub lines: Vec<Line>,
    pub state: ShipmentState,
    /// What it captures, once it has left.
    pub capture: Option<Capture>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    Restock,
    Scrap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundProgress {
    /// Its saga is under way, or waits for that of the refund before.
    Requested,
    /// The money is given back, and the units are where they go.
    Done,
    Refused,
}

/// Units of a product that come back, and what is given for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    pub product_id: String,
    pub quantity: i32,
    pub disposition: Disposition,
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
}

/// A refund, as it is kept with its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Identifier, `rfd_` and a UUIDv7; the name of the refund among those of the payment.
    pub id: String,
    /// Key of the request; may be empty.
    pub request_id: String,
    pub digest: String,
    /// What comes back; empty when only money is given.
    pub returned: Vec<Returned>,
    /// How much is given back; 0 when units come back that had cost nothing.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
    /// Why, in somebody's own words.
    pub reason: String,
    pub actor: String,
    pub progress: RefundProgress,
    /// Why it was refused, as a code; empty otherwise.
    pub refusal: String,
    pub at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tax {
    /// Millionths of the price without it.
    pub millionths: u32,
    /// Whether it is inside the price; else it is added.
    pub is_included: bool,
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
}

/// What a line's price is changed by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charges {
    /// The line's share of the discount.
    #[serde(with = "::store::fields::money")]
    pub discount: Money,
    /// Its tax, on the rest.
    pub tax: Tax,
}

/// The sums of an order, frozen when it is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amounts {
    #[serde(with = "::store::fields::money")]
    pub subtotal: Money,
    #[serde(with = "::store::fields::money")]
    pub discount: Money,
    #[serde(with = "::store::fields::money")]
    pub shipping: Money,
    /// Tax that is added, of lines and shipping.
    #[serde(with = "::store::fields::money")]
    pub tax: Money,
    /// Tax that is inside the other amounts.
    #[serde(with = "::store::fields::money")]
    pub included_tax: Money,
    /// What is to be paid.
    #[serde(with = "::store::fields::money")]
    pub total: Money,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub user_id: String,
    pub user: UserSnapshot,
    pub items: Vec<Item>,
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
    pub state: State,
    pub reason: String,
    pub payment_state: PaymentState,
    pub shipment_state: ShipmentState,
    /// Identifier of the payment, chosen here so that repeating the call is safe.
    pub payment_id: String,
    /// Identifier of the first shipment, chosen here.
    pub shipment_id: String,
    pub address: Address,
    /// Token of the means of payment; gone once the saga no longer needs it.
    pub payment_token: Option<String>,
    /// When the hold on its stock runs out.
    pub hold_expires_at: Option<Time>,
    /// The saga that moves it, or the last one that did.
    pub saga: Saga,
    /// The request to cancel, while a saga is still under way.
    pub cancellation: Option<Cancellation>,
    /// What was, or is being, given back after it had left; oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refunds: Vec<Refund>,
    /// Its shipments, in the order in which their events came; empty before the first, and in orders that are older than
    /// splits until something happens to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shipments: Vec<Shipment>,
    /// Why nothing is given back any more; people must see to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    pub history: Vec<Transition>,
    pub created_at: Time,
    pub updated_at: Time,
    pub request_key: String,
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

/// What a participant tells of its part of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    Held(Time),
    Payment(PaymentState),
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
