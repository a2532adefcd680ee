//! How the events of an order become its fact.

use ::store::Time;
use contracts::{
    money::{Error as MoneyError, Money},
    orders::v1::order::State,
};
use serde::{Deserialize, Serialize};

/// An amount of money, stored as `{currency, amount}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(#[serde(with = "::store::fields::money")] pub Money);

/// What reports count of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    #[serde(rename = "_id")]
    pub order_id: String,
    /// Revision of the document; 0 while it has not been written.
    pub rev: i64,
    /// Place of the last event in it among those of the order.
    pub seq: i64,
    /// What was ordered; none when the event that tells it was given up. Such a fact is in no report.
    pub order: Option<Placed>,
    /// `comptoir.orders.v1.Order.State`, as its number: one that is newer than this build passes through unharmed.
    pub state: i32,
    /// When it was confirmed for the first time.
    pub confirmed_at: Option<Time>,
    /// What the order has brought and cost, oldest first.
    pub movements: Vec<Movement>,
}

/// An order as it was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    pub at: Time,
    pub total: Amount,
    pub units: i64,
    /// One for each product.
    pub lines: Vec<Line>,
}

/// A product of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub product_id: String,
    /// Its SKU when the order was placed.
    pub sku: String,
    /// Its name when the order was placed.
    pub name: String,
    pub units: i64,
    /// What was paid for the units: amount − discount + tax.
    pub gross: Amount,
}

/// Something that changed what the shop earns of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    pub kind: MovementKind,
    /// When the event was written that tells it.
    pub at: Time,
    pub amount: Amount,
    /// Units that were sold; 0 for what is taken back.
    pub units: i64,
    /// The refund; empty for anything else.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub refund_id: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// The order was confirmed.
    Gross,
    /// The whole order, or shipments of it, were taken back before they left.
    Cancelled,
    Refunded,
}

/// What an event tells of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub order_id: String,
    /// Place among the events of the order, from 1.
    pub seq: i64,
    pub at: Time,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Placed(Placed),
    Moved {
        /// `comptoir.orders.v1.Order.State` after.
        state: i32,
        /// What was captured, once it is shipped.
        captured: Option<Amount>,
    },
    Refunded {
        refund_id: String,
        amount: Amount,
    },
    /// Nothing that reports count.
    Other,
}

/// Why a change cannot be folded now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// An earlier event of the order is missing.
    #[error("event {seq} came before event {expected}")]
    Gap { expected: i64, seq: i64 },
    #[error("the amounts of order {order_id} do not fit each other: {source}")]
    Money { order_id: String, source: MoneyError },
}

/// The fact after `change`, or none when that is in it already.
pub fn fold(fact: Option<Fact>, change: &Change) -> Result<Option<Fact>, FoldError> {
    let mut fact = fact.unwrap_or_else(|| Fact::stub(change));
    let expected = fact.seq + 1;
    match change.seq {
        seq if seq > expected => return Err(FoldError::Gap { expected, seq }),
        seq if seq < expected => return Ok(None),
        seq => fact.seq = seq,
    }
    let money = |source| FoldError::Money { order_id: change.order_id.clone(), source };
    fact.take(change).map_err(money)?;
    Ok(Some(fact))
}

impl Fact {
    /// A fact that nothing is known of yet.
    fn stub(change: &Change) -> Self {
        Self {
            order_id: change.order_id.clone(),
            rev: 0,
            seq: 0,
            order: None,
            state: State::Unspecified.into(),
            confirmed_at: None,
            movements: Vec::new(),
        }
    }

    fn take(&mut self, change: &Change) -> Result<(), MoneyError> {
        match &change.what {
            What::Placed(order) => {
                self.order = Some(order.clone());
                self.state = State::Pending.into();
            }
            What::Moved { state, captured } => self.enter(*state, captured.as_ref(), change.at)?,
            What::Refunded { refund_id, amount } => {
                self.add(MovementKind::Refunded, change.at, amount.clone(), refund_id);
            }
            What::Other => {}
        }
        Ok(())
    }

    fn enter(&mut self, state: i32, captured: Option<&Amount>, at: Time) -> Result<(), MoneyError> {
        if std::mem::replace(&mut self.state, state) == state {
            return Ok(());
        }
        let Some(Placed { total, units, .. }) = self.order.clone() else { return Ok(()) };
        match State::try_from(state) {
            // A cancellation that fails leads back to CONFIRMED; that is no second sale.
            Ok(State::Confirmed) if self.confirmed_at.is_none() => {
                self.confirmed_at = Some(at);
                self.movements.push(Movement {
                    kind: MovementKind::Gross,
                    at,
                    amount: total,
                    units,
                    refund_id: String::new(),
                });
            }
            Ok(State::Cancelled) if self.confirmed_at.is_some() => {
                self.add(MovementKind::Cancelled, at, total, "");
            }
            Ok(State::Shipped) => {
                let captured = captured.map_or(&total, |captured| captured);
                let stopped = total.0.minus(&captured.0)?;
                if stopped.is_positive() {
                    self.add(MovementKind::Cancelled, at, Amount(stopped), "");
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Adds what was taken back.
    fn add(&mut self, kind: MovementKind, at: Time, amount: Amount, refund_id: &str) {
        self.movements.push(Movement { kind, at, amount, units: 0, refund_id: refund_id.to_owned() });
    }
}
