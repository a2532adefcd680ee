//! Why the rules refuse.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("more than 10,000 units of {0}")]
    TooMany(String),
    #[error("a basket has at most 100 products")]
    Full,
    #[error("the basket is empty: add something to it")]
    Empty,
    #[error("the order of this basket is being placed: repeat the checkout, or read the basket")]
    CheckoutUnderWay,
    #[error("the basket has been ordered: make a new one")]
    CheckedOut,
    #[error("the basket is part of another one: use the basket that it was merged into")]
    Merged,
    #[error("the basket has been deleted")]
    Deleted,
}
