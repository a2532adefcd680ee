//! What stock, reservations and movements are, and what can be asked of them. Pure. The rules are in [`WorkingSet`].

mod error;
mod posting;
#[cfg(test)]
mod tests;
mod working_set;

pub use error::Error;
pub use working_set::{Effect, Entry, WorkingSet};

use ::saga::{StepCall, StepCalls};
use ::store::Time;
use serde::{Deserialize, Serialize};

/// Most units that may be on hand, and most that may be owed.
const MAX_UNITS: i32 = 1_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    pub on_hand: i32,
    /// Held for orders that are not yet confirmed.
    pub reserved: i32,
    /// Sold and not yet shipped.
    pub committed: i32,
    /// Whether more may be held than is on hand.
    #[serde(default)]
    pub backorder: bool,
    /// Movements in the ledger so far.
    #[serde(default)]
    pub moves: i64,
    pub updated_at: Time,
}

impl Stock {
    pub fn empty(now: Time) -> Self {
        Self { on_hand: 0, reserved: 0, committed: 0, backorder: false, moves: 0, updated_at: now }
    }

    /// Units that can be ordered without waiting for more; below 0 only with backorder.
    pub fn available(&self) -> i32 {
        self.on_hand - self.reserved - self.committed
    }

    pub fn owed(&self) -> i32 {
        (-self.available()).max(0)
    }

    fn can_give(&self, quantity: i32) -> bool {
        let floor = if self.backorder { -i64::from(MAX_UNITS) } else { 0 };
        i64::from(self.available()) - i64::from(quantity) >= floor
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub product_id: String,
    /// Units, at least 1.
    pub quantity: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Held,
    Committed,
    /// Gone from the warehouse.
    Shipped,
    Released,
    /// Given back because the hold ran out.
    Expired,
}

/// Units set aside for one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    pub state: State,
    /// One line a product, in the order of their ids; empty when it was released before it was held.
    pub lines: Vec<Line>,
    /// What came back after it had shipped, one line a product; never more than `lines`.
    #[serde(default)]
    pub returned: Vec<Line>,
    /// The steps that changed it.
    #[serde(default, rename = "callers")]
    pub calls: StepCalls,
    /// When the hold ends by itself.
    pub expires_at: Time,
    pub created_at: Time,
    pub updated_at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Add to or take from the warehouse; `key` names the request.
    Adjust {
        product_id: String,
        delta: i32,
        /// Identity of the request; a repeated one does nothing.
        key: String,
        reason: String,
    },
    /// Let more be held than is on hand, or no longer.
    SetBackorder {
        product_id: String,
        allowed: bool,
        /// Identity of the request; a repeated one does nothing.
        key: String,
    },
    /// Put units of a shipped reservation back into the stock; `key` names the request.
    Restock {
        id: String,
        line: Line,
        /// Identity of the request; a repeated one does nothing.
        key: String,
    },
    /// Hold all lines or none.
    Hold {
        id: String,
        call: StepCall,
        lines: Vec<Line>,
        expires_at: Time,
    },
    Extend {
        id: String,
        call: StepCall,
        /// Until when, unless it lives longer already.
        expires_at: Time,
    },
    Commit(String, StepCall),
    Release(String, StepCall),
    Ship(String, StepCall),
    /// Give the units back if the hold has run out.
    Expire(String),
}

impl Command {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Adjust { .. } => "adjust",
            Self::SetBackorder { .. } => "set_backorder",
            Self::Restock { .. } => "restock",
            Self::Hold { .. } => "hold",
            Self::Extend { .. } => "extend",
            Self::Commit(..) => "commit",
            Self::Release(..) => "release",
            Self::Ship(..) => "ship",
            Self::Expire(_) => "expire",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The product whose stock was asked for or changed.
    Stock(String),
    Reservation(Reservation),
}

/// One line of the ledger: how far each counter of a product moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// Cause and product; unique, so that nothing moves twice.
    #[serde(rename = "_id")]
    pub id: String,
    pub product_id: String,
    /// Place in the ledger of the product, from 1, without gaps.
    #[serde(default)]
    pub seq: i64,
    /// ADJUST, HOLD, COMMIT, RELEASE, EXPIRE, SHIP, RESTOCK, BACKORDER_ON or BACKORDER_OFF.
    pub kind: String,
    /// The reservation, or the reason of an adjustment; empty for a setting.
    pub reference: String,
    /// Change of `on_hand`.
    pub on_hand: i32,
    /// Change of `reserved`.
    pub reserved: i32,
    /// Change of `committed`.
    pub committed: i32,
    pub at: Time,
}
