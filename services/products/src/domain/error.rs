//! Why the rules refuse what is asked of a product. Pure.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is required")]
    Required(&'static str),
    #[error("product.price must be 0 or more")]
    PriceBelowZero,
    #[error("product.price: {0}")]
    Money(#[from] contracts::money::Error),
}
