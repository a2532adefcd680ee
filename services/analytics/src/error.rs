//! Why an event was not folded or a report not made.

#[cfg(test)]
mod tests;

use crate::domain::{FoldError, RangeError, ReportError};
use ::events::HandlerError;
use rpc::status;
use tonic::{Code, Status};

#[derive(Debug, Clone, thiserror::Error)]
pub enum Malformed {
    #[error("event {id} cannot be decoded: {source}")]
    Decode { id: String, source: prost::DecodeError },
    #[error("event {id} has a bad amount: {source}")]
    Money { id: String, source: contracts::money::Error },
    #[error("event {id} has no {field}")]
    Missing { id: String, field: &'static str },
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Fold(#[from] FoldError),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the fact of {0} changed each time it was about to be written")]
    Contended(String),
    #[error(transparent)]
    Range(#[from] RangeError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error("must be an active code of ISO 4217, such as EUR")]
    Currency,
    #[error("the report takes too long; ask for a shorter range")]
    ReportTooLong,
    #[error(transparent)]
    Store(#[from] ::store::Error),
    /// Which copy of the facts is in use cannot be told.
    #[error(transparent)]
    InUse(#[from] ::events::Error),
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Error {
    /// Why an aggregation, which has a time limit and writes nothing, has failed.
    pub fn of_report(error: mongodb::error::Error) -> Self {
        match error.into() {
            ::store::Error::TooSlow => Self::ReportTooLong,
            cause => cause.into(),
        }
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Fold(FoldError::Gap { expected, seq }) => HandlerError::Gap { expected, seq },
            Error::Fold(FoldError::Money { .. }) | Error::Malformed(_) => HandlerError::Poison(error.to_string()),
            Error::Contended(_)
            | Error::Store(_)
            | Error::InUse(_)
            | Error::Range(_)
            | Error::Report(_)
            | Error::Currency
            | Error::ReportTooLong => HandlerError::Retry(error.to_string()),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Range(RangeError::Date { field }) => status::violation(field, error.to_string()),
            Error::Range(RangeError::Empty | RangeError::TooLong) => status::violation("end_date", error.to_string()),
            Error::Currency => status::violation("currency_code", error.to_string()),
            Error::ReportTooLong => status::error(Code::InvalidArgument, "REPORT_TOO_LONG", error.to_string()),
            Error::Report(ReportError::TooManyRows) => {
                status::error(Code::InvalidArgument, "TOO_MANY_ROWS", error.to_string())
            }
            Error::Store(cause) => service::store_status(cause),
            Error::InUse(cause) => cause.into(),
            Error::Report(ReportError::Money(_)) | Error::Fold(_) | Error::Malformed(_) | Error::Contended(_) => {
                tracing::error!(%error, "a report failed as only a write can, or its sums are beyond all bounds");
                status::internal()
            }
        }
    }
}
