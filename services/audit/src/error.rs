//! Why an event was not recorded, or nothing could be read.

use events::HandlerError;
use tonic::Status;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    #[error("a range of days ends after it begins")]
    Range,
    #[error("event {seq} came before event {expected}")]
    Gap { expected: i64, seq: i64 },
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Gap { expected, seq } => HandlerError::Gap { expected, seq },
            Error::Range | Error::Store(_) => HandlerError::Retry(error.to_string()),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Range => rpc::status::violation("end_date", error.to_string()),
            Error::Gap { .. } => Status::internal(error.to_string()),
            Error::Store(cause) => service::store_status(cause),
        }
    }
}
