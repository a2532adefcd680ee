//! Why the rules refuse what is asked of an order. Pure.

use super::State;
use contracts::money::{self, Money};

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
    #[error("an order that is {0:?} cannot be cancelled")]
    CannotCancel(State),
    #[error("the goods have left: an order that is with the carrier cannot be cancelled")]
    HasLeft,
    #[error("an order that is {0:?} cannot be refunded; cancel it")]
    NotRefundable(State),
    #[error("this order is frozen: {0}")]
    Frozen(String),
    #[error("no more than {0} can be refunded")]
    MoreThanPaid(Money),
    #[error("no more than {left} of {product_id} can come back")]
    MoreThanBought { product_id: String, left: u32 },
    #[error("amount must be in {0}")]
    RefundCurrency(String),
    #[error("amount: {0}")]
    RefundAmount(#[source] money::Error),
    /// The payment provider refunds multiples of this amount only.
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
    #[error("{0}")]
    Intervention(saga::InterventionError),
    #[error("an order cannot go from {from:?} to {to:?}")]
    Transition { from: State, to: State },
}
