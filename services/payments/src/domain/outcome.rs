//! What the provider answers, and what it notifies by itself. Pure values.

use ::store::Time;
use contracts::money::Money;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked: authorized, captured, voided, refunded, completed.
    Done {
        /// Its name for the charge.
        reference: String,
        /// When an authorization that is open runs out.
        ends_at: Option<Time>,
    },
    /// It will not.
    Declined {
        /// Why, upper case: `CARD_DECLINED`.
        reason: String,
    },
    /// The payer must act first.
    ActionRequired {
        reference: String,
        /// When it no longer waits.
        ends_at: Option<Time>,
    },
    /// No answer, or none that can be trusted. It may have done what was asked.
    Unknown,
}

/// An event of a charge, caused under `key` by us, or by somebody else under a key that we do not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderEvent {
    /// The amount is set aside.
    Authorized {
        key: String,
        /// When that runs out.
        ends_at: Option<Time>,
    },
    /// The payer, or their bank, said no.
    Declined {
        key: String,
        reason: String,
    },
    /// The payer must act.
    ActionRequired {
        key: String,
        /// When the provider no longer waits.
        ends_at: Option<Time>,
    },
    Moved {
        movement: Movement,
        key: String,
        amount: Money,
    },
    /// Nothing that counts here.
    Nothing,
}

/// A way of money after the authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    Capture,
    /// What was set aside was given back.
    Void,
    /// What was set aside was given back because its time was up.
    Expiry,
    /// It was given back.
    Refund,
    /// The payer's bank took it back.
    ChargeBack,
}
