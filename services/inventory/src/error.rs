//! Why stock did not move.

use rpc::status;
use std::sync::Arc;
use tonic::{Code, Status};

/// A refusal, or a failure of the store that all commands of a batch share.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Too few units of these products.
    #[error("out of stock: {}", .0.join(", "))]
    OutOfStock(Vec<String>),
    /// Taking more than there is.
    #[error("only {available} units of {product_id} are available")]
    BelowZero {
        /// The product.
        product_id: String,
        /// What could be taken.
        available: i32,
    },
    /// A sum beyond the bounds.
    #[error("the quantity is too large")]
    TooMany,
    /// No such stock.
    #[error("{0} was not found")]
    NotFound(String),
    /// No such reservation.
    #[error("the reservation {0} was not found")]
    NoReservation(String),
    /// The hold ran out before it was committed.
    #[error("the reservation {0} has expired")]
    Expired(String),
    /// The reservation was given back.
    #[error("the reservation {0} was released")]
    Released(String),
    /// The units have left.
    #[error("the reservation {0} has shipped")]
    Shipped(String),
    /// Taking back what has not left.
    #[error("the reservation {0} has not shipped")]
    NotShipped(String),
    /// More came back than left.
    #[error("only {left} units of {product_id} can still come back")]
    MoreThanShipped {
        /// The product.
        product_id: String,
        /// Units that shipped and have not come back.
        left: i32,
    },
    /// Backorder cannot end yet.
    #[error("{units} units of {product_id} are owed: add stock, or cancel orders, first")]
    Owed {
        /// The product.
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
    /// Too many commands wait.
    #[error("too many stock commands wait")]
    Busy,
    /// The store failed; whether the batch was written is unknown, and every command may be repeated.
    #[error(transparent)]
    Store(#[from] Arc<::store::Error>),
}

impl Error {
    /// Whether another replica wrote first: decided anew, the batch may be written.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(cause) if cause.is_conflict())
    }
}

impl From<::store::Error> for Error {
    fn from(error: ::store::Error) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        ::store::Error::from(error).into()
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        match error {
            Error::OutOfStock(products) => {
                let metadata = [("products".to_owned(), products.join(","))];
                status::with(Code::FailedPrecondition, "OUT_OF_STOCK", text, &metadata)
            }
            Error::BelowZero { .. } => status::precondition("STOCK_BELOW_ZERO", text),
            Error::TooMany => status::violation("quantity", "is too large"),
            Error::NotFound(id) => status::not_found("stock", &id),
            Error::NoReservation(id) => status::not_found("reservations", &id),
            Error::Expired(_) => status::precondition("RESERVATION_EXPIRED", text),
            Error::Released(_) => status::precondition("RESERVATION_RELEASED", text),
            Error::Shipped(_) => status::precondition("RESERVATION_SHIPPED", text),
            Error::NotShipped(_) => status::precondition("RESERVATION_NOT_SHIPPED", text),
            Error::MoreThanShipped { .. } => status::precondition("MORE_THAN_SHIPPED", text),
            Error::Owed { .. } => status::precondition("STOCK_OWED", text),
            Error::NotCommitted(_) => status::precondition("RESERVATION_NOT_COMMITTED", text),
            Error::OtherLines(_) => status::error(Code::AlreadyExists, "RESERVATION_MISMATCH", text),
            Error::KeyReused => status::key_reused(),
            Error::Stale(_) => status::error(Code::Aborted, "STALE_EPOCH", text),
            Error::Busy => status::unavailable("STOCK_BUSY", text),
            Error::Store(cause) => {
                tracing::warn!(error = %cause, "a batch of stock commands was not written");
                status::unavailable("STORE_UNAVAILABLE", "the database cannot be reached; the outcome may be unknown")
            }
        }
    }
}
