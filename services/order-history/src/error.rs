//! Why an event was not folded or an entry not read.

#[cfg(test)]
mod tests;

use crate::{
    domain::Gap,
    version::{NoVersion, Version},
};
use ::events::HandlerError;
use contracts::words::MAX_QUERY_WORDS;
use rpc::status;
use tonic::{Code, Status};

#[derive(Debug, thiserror::Error)]
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
    Gap(#[from] Gap),
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the row {0} changed each time it was about to be written")]
    Contended(String),
    /// No such entry, or not the caller's.
    #[error("the history of order {0:?} was not found")]
    NotFound(String),
    #[error("may have at most {MAX_QUERY_WORDS} words")]
    Query,
    #[error("must be after start_time")]
    Range,
    #[error(transparent)]
    Version(#[from] NoVersion),
    #[error("must be a version of this order")]
    OtherVersion,
    /// The version has not been folded in time.
    #[error("{wanted} is not in the history yet, which is at event {seq} of the order; try again soon")]
    Behind { wanted: Version, seq: i64 },
    #[error("the list takes too long; say a user, a product, a state or a shorter time too")]
    ListTooLong,
    #[error(transparent)]
    Store(#[from] ::store::Error),
    /// Which read model is in use cannot be told.
    #[error(transparent)]
    InUse(#[from] ::events::Error),
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Error {
    /// Why a list, which has a time limit and writes nothing, has failed.
    pub fn of_list(error: mongodb::error::Error) -> Self {
        match error.into() {
            ::store::Error::TooSlow => Self::ListTooLong,
            cause => cause.into(),
        }
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Gap(Gap { expected, seq }) => HandlerError::Gap { expected, seq },
            Error::Malformed(_) => HandlerError::Poison(error.to_string()),
            Error::Contended(_)
            | Error::NotFound(_)
            | Error::Query
            | Error::Range
            | Error::Version(_)
            | Error::OtherVersion
            | Error::Behind { .. }
            | Error::ListTooLong
            | Error::Store(_)
            | Error::InUse(_) => HandlerError::Retry(error.to_string()),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(id) => status::not_found("order-history", &id),
            Error::Query => status::violation("query", error.to_string()),
            Error::Range => status::violation("end_time", error.to_string()),
            Error::Version(_) | Error::OtherVersion => status::violation("min_version", error.to_string()),
            Error::Behind { ref wanted, seq } => {
                let folded = Version { seq, ..wanted.clone() };
                let metadata = [("min_version", wanted), ("version", &folded)];
                let metadata = metadata.map(|(name, version)| (name.to_owned(), version.to_string()));
                status::not_yet("PROJECTION_BEHIND", error.to_string(), &metadata)
            }
            Error::ListTooLong => status::error(Code::InvalidArgument, "LIST_TOO_LONG", error.to_string()),
            Error::Store(cause) => service::store_status(cause),
            Error::InUse(cause) => cause.into(),
            Error::Gap(_) | Error::Malformed(_) | Error::Contended(_) => {
                tracing::error!(%error, "a read failed as only a write can");
                status::internal()
            }
        }
    }
}
