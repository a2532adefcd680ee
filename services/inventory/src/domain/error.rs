//! Why the rules refuse what is asked of stock. Pure.

/// A refusal of the rules.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Too few units of these products.
    #[error("out of stock: {}", .0.join(", "))]
    OutOfStock(Vec<String>),
    /// Taking more than there is.
    #[error("only {available} units of {product_id} are available")]
    BelowZero { product_id: String, available: i32 },
    /// A sum beyond the bounds.
    #[error("the quantity is too large")]
    TooMany,
    #[error("the reservation {0} was not found")]
    NoReservation(String),
    /// The hold ran out before it was committed.
    #[error("the reservation {0} has expired")]
    Expired(String),
    /// The reservation was given back.
    #[error("the reservation {0} was released")]
    Released(String),
    #[error("the reservation {0} has shipped")]
    Shipped(String),
    /// Taking back what has not left.
    #[error("the reservation {0} has not shipped")]
    NotShipped(String),
    /// More came back than left.
    #[error("only {left} units of {product_id} can still come back")]
    MoreThanShipped {
        product_id: String,
        /// Units that shipped and have not come back.
        left: i32,
    },
    #[error("{units} units of {product_id} are owed: add stock, or cancel orders, first")]
    Owed {
        product_id: String,
        /// Units that were promised and are not on hand.
        units: i32,
    },
    /// Shipping what was not sold.
    #[error("the reservation {0} is not committed")]
    NotCommitted(String),
    /// The key was used for another request.
    #[error("this request_id was used for another request")]
    KeyReused,
    /// The same reservation with other lines.
    #[error("the reservation {0} exists with other lines")]
    OtherLines(String),
    /// Who asks has been replaced.
    #[error(transparent)]
    Stale(#[from] saga::Stale),
}
