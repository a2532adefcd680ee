//! Why the rules refuse what is asked of an order or a coupon. Pure.

use super::State;
use contracts::money::{self, Money};

/// A refusal of the rules.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No lines.
    #[error("an order needs at least one line")]
    NoItems,
    /// Too many units of a product.
    #[error("at most 10,000 units of {0}")]
    TooMany(String),
    /// Prices in two currencies.
    #[error("the products are priced in {0} and {1}")]
    MixedCurrencies(String, String),
    /// An amount that cannot be computed.
    #[error(transparent)]
    Money(#[from] money::Error),
    /// A field of a coupon that cannot be.
    #[error("{0} {1}")]
    CouponField(&'static str, &'static str),
    /// A field of a coupon that is not an amount of money.
    #[error("{0}: {1}")]
    CouponMoney(&'static str, #[source] money::Error),
    /// Too late.
    #[error("an order that is {0:?} cannot be cancelled")]
    CannotCancel(State),
    /// The carrier has it.
    #[error("the goods have left: an order that is with the carrier cannot be cancelled")]
    HasLeft,
    /// It has not left, or not been paid.
    #[error("an order that is {0:?} cannot be refunded; cancel it")]
    NotRefundable(State),
    /// People must see to it first.
    #[error("this order is frozen: {0}")]
    Frozen(String),
    /// More than was paid and not given back.
    #[error("no more than {0} can be refunded")]
    MoreThanPaid(Money),
    /// More units than were bought and have not come back.
    #[error("no more than {left} of {product_id} can come back")]
    MoreThanBought {
        /// The product.
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
    /// Nothing would be given back.
    #[error("amount must be above 0")]
    RefundNotPositive,
    /// Units and an amount.
    #[error("either items or an amount, not both")]
    ItemsAndAmount,
    /// There are too many.
    #[error("this order has been refunded too often")]
    TooManyRefunds,
    /// The key was used for another order.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// The saga does not allow what a person wants.
    #[error("{0}")]
    Intervention(saga::InterventionError),
    /// The table of states does not have this move.
    #[error("an order cannot go from {from:?} to {to:?}")]
    Transition {
        /// Before.
        from: State,
        /// After.
        to: State,
    },
}
