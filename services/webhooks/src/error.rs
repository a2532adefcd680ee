//! Why an event was not taken, or a caller is refused.

use crate::network::Refusal;
use ::events::HandlerError;
use rpc::status;
use std::time::Duration;
use tonic::Status;

/// When it makes sense to ask again where all places are taken: somebody has to delete an endpoint first.
const FULL_FOR: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("event {0} cannot be decoded")]
    Malformed(String),
    #[error("{collection} {id} was not found")]
    NotFound { collection: &'static str, id: String },
    #[error("there are as many endpoints as there can be; delete one")]
    Full,
    #[error("the URL {0}")]
    Url(#[from] Refusal),
    #[error("{event_type:?} is no type of event")]
    Unknown { index: usize, event_type: String },
    #[error(transparent)]
    Store(#[from] ::store::Error),
}

impl From<Error> for HandlerError {
    fn from(error: Error) -> Self {
        match error {
            Error::Malformed(_) => HandlerError::Poison(error.to_string()),
            Error::NotFound { .. } | Error::Full | Error::Url(_) | Error::Unknown { .. } | Error::Store(_) => {
                HandlerError::Retry(error.to_string())
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound { collection, id } => status::not_found(collection, &id),
            Error::Full => status::exhausted("TOO_MANY_ENDPOINTS", error.to_string(), FULL_FOR),
            Error::Url(refusal) => status::violation("url", refusal.to_string()),
            Error::Unknown { index, event_type } => {
                let description = format!("{event_type:?} is no type of event: see docs/EVENTS.md");
                status::violation(&format!("event_types[{index}]"), description)
            }
            Error::Store(cause) => service::store_status(cause),
            Error::Malformed(_) => status::internal(),
        }
    }
}
