//! Why the rules refuse what is asked of an order or a coupon. Pure.

use super::State;
use contracts::money::{self, Money};

/// A refusal of the rules.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("an order needs at least one line")]
    NoItems,
    #[error("at most 10,000 units of {0}")]
    TooMany(String),
    #[error("the products are priced in {0} and {1}")]
    MixedCurrencies(String, String),
    #[error(transparent)]
    Money(#[from] money::Error),
    /// A field of a coupon that cannot be.
    #[error("{0} {1}")]
    CouponField(&'static str, &'static str),
    /// A field of a coupon that is not an amount of money.
    #[error("{0}: {1}")]
    CouponMoney(&'static str, #[source] money::Error),
    #[error("an order that is {0:?} cannot be cancelled")]
    CannotCancel(State),
    #[error("the goods have left: an order that is with the carrier cannot be cancelled")]
    HasLeft,
    /// It has not left, or not been paid.
    #[error("an order that is {0:?} cannot be refunded; cancel it")]
    NotRefundable(State),
    #[error("this order is frozen: {0}")]
    Frozen(String),
    /// More than was paid and not given back.
    #[error("no more than {0} can be refunded")]
    MoreThanPaid(Money),
    /// More units than were bought and have not come back.
    #[error("no more than {left} of {product_id} can come back")]
    MoreThanBought {
        product_id: String,
        /// Units that can still come back.
        left: u32,
    },
    /// The amount is in another currency than the order.
    #[error("amount must be in {0}")]
    RefundCurrency(String),
    /// The amount is not an amount of money.
    #[error("amount: {0}")]
    RefundAmount(#[source] money::Error),
    /// The refund is finer than what the payment provider can give back.
    #[error("must be a multiple of {0}")]
    RefundTooFine(Money),
    #[error("amount must be above 0")]
    RefundNotPositive,
    #[error("either items or an amount, not both")]
    ItemsAndAmount,
    #[error("this order has been refunded too often")]
    TooManyRefunds,
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The saga does not allow what a person wants.
    #[error("{0}")]
    Intervention(saga::InterventionError),
    /// The table of states does not have this move.
    #[error("an order cannot go from {from:?} to {to:?}")]
    Transition { from: State, to: State },
}
