//! Why the rules refuse what is asked of a product. Pure.

/// A refusal of the rules.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field is missing.
    #[error("{0} is required")]
    Required(&'static str),
    /// The price is negative.
    #[error("product.price must be 0 or more")]
    PriceBelowZero,
    /// The price is not an amount of money.
    #[error("product.price: {0}")]
    Money(#[from] contracts::money::Error),
}
