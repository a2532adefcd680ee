//! Why the rules refuse what is asked of stock. Pure.

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("out of stock: {}", .0.join(", "))]
    OutOfStock(Vec<String>),
    #[error("only {available} units of {product_id} are available")]
    BelowZero { product_id: String, available: i32 },
    #[error("the quantity is too large")]
    TooMany,
    #[error("the reservation {0} was not found")]
    NoReservation(String),
    #[error("the reservation {0} has expired")]
    Expired(String),
    #[error("the reservation {0} was released")]
    Released(String),
    #[error("the reservation {0} has shipped")]
    Shipped(String),
    #[error("the reservation {0} has not shipped")]
    NotShipped(String),
    #[error("only {left} units of {product_id} can still come back")]
    MoreThanShipped { product_id: String, left: i32 },
    #[error("{units} units of {product_id} are owed: add stock, or cancel orders, first")]
    Owed { product_id: String, units: i32 },
    #[error("the reservation {0} is not committed")]
    NotCommitted(String),
    #[error("this request_id was used for another request")]
    KeyReused,
    #[error("the reservation {0} exists with other lines")]
    OtherLines(String),
    #[error(transparent)]
    Stale(#[from] saga::Stale),
}
