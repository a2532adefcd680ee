//! Why a request was refused, and how callers are told.

use ::events::HandlerError;
use rpc::status;
use tonic::Status;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the erasure of {0} was not found")]
    NotFound(String),
    #[error("user {0} was not found")]
    NoUser(String),
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        HandlerError::Retry(error.to_string())
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(user_id) => status::not_found("erasures", &user_id),
            Error::NoUser(user_id) => status::not_found("users", &user_id),
            Error::Store(cause) => service::store_status(cause),
        }
    }
}
