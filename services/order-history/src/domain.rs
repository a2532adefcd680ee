//! How events become a row. Pure.
//!
//! States are kept as the numbers of their contracts: numbers are never reused, and one that is newer than this build
//! passes through unharmed.

use ::store::Time;
use contracts::{money::Money, words::found_by};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// An amount of money, stored as `{currency, amount}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(#[serde(with = "::store::fields::money")] pub Money);

/// A row: one order as its events tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(rename = "_id")]
    pub order_id: String,
    /// Revision of the row; 0 while it has not been written.
    pub rev: i64,
    /// What the order's own events tell; none while only its payment or shipment was heard of. Such a row is hidden.
    pub order: Option<Order>,
    pub payment: Option<Payment>,
    /// What the events of the first shipment tell: that of the smallest id.
    pub shipment: Option<Shipment>,
    /// The other shipments, which were split off.
    #[serde(default)]
    pub split_off: BTreeSet<String>,
    /// `seq` of the last event in this row, by the id of the aggregate that it came from.
    pub applied: BTreeMap<String, i64>,
    /// Time of the newest event in this row.
    pub updated_at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    pub user_id: String,
    pub items: Vec<Item>,
    /// The words by which it is found, those of `words_of`; rows that are older than these are given them at the next start.
    #[serde(default)]
    pub words: Vec<String>,
    /// Sum of the lines.
    pub total: Amount,
    /// `comptoir.orders.v1.Order.State`.
    pub state: i32,
    /// Why it is in that state.
    pub reason: String,
    /// `comptoir.payments.v1.Payment.State`, as the order believes.
    pub payment_state: i32,
    /// `comptoir.shipping.v1.Shipment.State`, as the order believes.
    pub shipment_state: i32,
    pub created_at: Time,
}

/// Most words of an order: those of its first items.
const MAX_WORDS: usize = 500;

/// The words of items, each given by its name and SKU.
pub fn words_of<'a>(items: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut words = BTreeSet::new();
    for word in items.flat_map(|(name, sku)| found_by(name, sku, "")) {
        if words.len() >= MAX_WORDS {
            break;
        }
        words.insert(word);
    }
    words.into_iter().collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub product_id: String,
    pub quantity: i32,
    /// Its name when the order was placed.
    pub name: String,
    /// Its SKU when the order was placed.
    pub sku: String,
    /// Price of one unit when the order was placed.
    pub price: Amount,
    /// Price times quantity.
    pub amount: Amount,
    /// Discount and tax; none in rows that are older than both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<Charges>,
    /// What tells its tax rate.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tax_category: String,
    #[serde(default)]
    pub weight_grams: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charges {
    /// The line's share of the discount.
    pub discount: Amount,
    /// Tax that is added.
    pub tax: Amount,
    /// Tax that is inside.
    pub included_tax: Amount,
    pub tax_percent: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    pub payment_id: String,
    /// `comptoir.payments.v1.Payment.State`.
    pub state: i32,
    pub captured: Option<Amount>,
    pub refunded: Option<Amount>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    pub shipment_id: String,
    /// `comptoir.shipping.v1.Shipment.State`.
    pub state: i32,
}

/// What an event tells about the order of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The order whose row it belongs to.
    pub order_id: String,
    /// The aggregate that it comes from: the order, its payment or its shipment.
    pub source: String,
    /// Place among the events of that aggregate, from 1.
    pub seq: i64,
    pub at: Time,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Placed(Order),
    Moved {
        /// `comptoir.orders.v1.Order.State` after.
        state: i32,
        /// Why it is in that state; empty when there is nothing to tell.
        reason: String,
        /// Where the order believes the money to be.
        payment_state: i32,
        /// Where the order believes the goods to be.
        shipment_state: i32,
    },
    Payment(Payment),
    Shipment(Shipment),
    /// Something that this build does not know.
    Unknown,
}

/// An earlier event of the aggregate is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {seq} came before event {expected}")]
pub struct Gap {
    pub expected: i64,
    pub seq: i64,
}

/// Whether an event with `seq` is the next after `applied`: true, false when it is an old one, or a gap.
pub fn is_next(applied: i64, seq: i64) -> Result<bool, Gap> {
    let expected = applied + 1;
    if seq > expected { Err(Gap { expected, seq }) } else { Ok(seq == expected) }
}

/// The row after `fact`, or none when the fact is in it already.
pub fn fold(entry: Option<Entry>, fact: &Fact) -> Result<Option<Entry>, Gap> {
    let mut entry = entry.unwrap_or_else(|| Entry::stub(fact));
    if !is_next(entry.applied(&fact.source), fact.seq)? {
        return Ok(None);
    }
    entry.take(&fact.what);
    entry.applied.insert(fact.source.clone(), fact.seq);
    // Events of several services come in any order, and their clocks differ.
    entry.updated_at = entry.updated_at.max(fact.at);
    Ok(Some(entry))
}

impl Entry {
    /// A row that nothing is known of yet.
    fn stub(fact: &Fact) -> Self {
        Self {
            order_id: fact.order_id.clone(),
            rev: 0,
            order: None,
            payment: None,
            shipment: None,
            split_off: BTreeSet::new(),
            applied: BTreeMap::new(),
            updated_at: fact.at,
        }
    }

    /// `seq` of the last event of `source` in this row; 0 before the first.
    pub fn applied(&self, source: &str) -> i64 {
        self.applied.get(source).copied().unwrap_or(0)
    }

    fn take(&mut self, what: &What) {
        match what {
            What::Placed(order) => self.order = Some(order.clone()),
            What::Moved { state, reason, payment_state, shipment_state } => {
                // Events of one aggregate come in order: an order that moves was placed before, in this row.
                if let Some(order) = &mut self.order {
                    order.reason.clone_from(reason);
                    order.state = *state;
                    order.payment_state = *payment_state;
                    order.shipment_state = *shipment_state;
                }
            }
            What::Payment(payment) => self.payment = Some(payment.clone()),
            What::Shipment(shipment) => self.take_shipment(shipment),
            What::Unknown => {}
        }
        if let Some(Order { items, words, .. }) = &mut self.order
            && words.is_empty()
        {
            *words = words_of(items.iter().map(|item| (item.name.as_str(), item.sku.as_str())));
        }
    }

    /// Whatever the order in which shipments are heard of, the row is the same.
    fn take_shipment(&mut self, shipment: &Shipment) {
        match &mut self.shipment {
            Some(first) if first.shipment_id < shipment.shipment_id => {
                self.split_off.insert(shipment.shipment_id.clone());
            }
            Some(first) => {
                if first.shipment_id != shipment.shipment_id {
                    self.split_off.insert(first.shipment_id.clone());
                }
                *first = shipment.clone();
            }
            none => *none = Some(shipment.clone()),
        }
    }
}
