//! Why an event was not taken, or a caller is refused.

use ::events::HandlerError;
use rpc::status;
use tonic::Status;

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
    Malformed(#[from] Malformed),
    #[error("email {0} was not found")]
    NotFound(String),
    /// A template cannot be filled in: an error of this program.
    #[error("a template cannot be rendered: {0}")]
    Template(#[from] minijinja::Error),
    #[error("the directory for mails cannot be written: {0}")]
    Directory(#[source] std::io::Error),
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
            Error::Malformed(_) => HandlerError::Poison(error.to_string()),
            Error::NotFound(_) | Error::Template(_) | Error::Directory(_) | Error::Store(_) => {
                HandlerError::Retry(error.to_string())
            }
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(id) => status::not_found("emails", &id),
            Error::Store(cause) => service::store_status(cause),
            Error::Directory(_) => {
                tracing::error!(%error, "files of mails cannot be removed");
                status::unavailable("DIRECTORY_UNWRITABLE", "the files of mails cannot be removed now")
            }
            Error::Malformed(_) | Error::Template(_) => {
                tracing::error!(%error, "a preview failed");
                status::internal()
            }
        }
    }
}
