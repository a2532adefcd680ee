//! Why stock did not move, and how callers are told.

use crate::domain;
use rpc::status;
use tonic::{Code, Status};

/// A refusal, or a failure of the store that all commands of a batch share.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] domain::Error),
    #[error("{0} was not found")]
    NotFound(String),
    #[error("too many stock commands wait")]
    Busy,
    /// The store failed; whether the batch was written is unknown, and every command may be repeated.
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl Error {
    /// Whether another replica wrote first: decided anew, the batch may be written.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(cause) if cause.is_conflict())
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
            Error::Refused(refusal) => refusal.into(),
            Error::NotFound(id) => status::not_found("stock", &id),
            Error::Busy => status::unavailable("STOCK_BUSY", text),
            Error::Store(cause) => {
                tracing::warn!(error = %cause, "a batch of stock commands was not written");
                status::unavailable("STORE_UNAVAILABLE", "the database cannot be reached; the outcome may be unknown")
            }
        }
    }
}

impl From<domain::Error> for Status {
    fn from(error: domain::Error) -> Self {
        use domain::Error;
        let text = error.to_string();
        match error {
            Error::OutOfStock(products) => {
                let metadata = [("products".to_owned(), products.join(","))];
                status::with(Code::FailedPrecondition, "OUT_OF_STOCK", text, &metadata)
            }
            Error::BelowZero { .. } => status::precondition("STOCK_BELOW_ZERO", text),
            Error::TooMany => status::violation("quantity", "is too large"),
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
        }
    }
}
