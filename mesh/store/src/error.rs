//! What can go wrong with a document.

/// MongoDB's code of a write that a unique index refused.
const DUPLICATE_KEY: i32 = 11000;

/// MongoDB's code of a command that has taken as long as it may: MaxTimeMSExpired.
const TIME_EXPIRED: i32 = 50;

#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A document of this id, or of this unique value, exists.
    #[error("a document with this identity exists already")]
    Duplicate,
    /// Somebody else changed the document since it was loaded.
    #[error("the document has changed since it was loaded")]
    Conflict,
    /// The key of this request was used for another one; nothing was written.
    #[error("the key of this request was used for another one")]
    KeyReused,
    /// Too many events wait to be published; nothing was written.
    #[error("{0} events of this document wait to be published")]
    Backlog(usize),
    /// Too many writes wait for the database; nothing was written.
    #[error("too many writes wait for the database")]
    Busy,
    /// The write was sent, and whether it happened cannot be told: others have written since.
    #[error("whether the write happened cannot be told")]
    Unknown,
    /// The database refused this write, with this code; nothing was written.
    #[error("mongodb refused the write with code {0}")]
    Refused(i32),
    /// The events of one change are more than an outbox may hold, or one is more than the broker takes. Nothing was written.
    #[error("{events} events of {bytes} bytes are too much for one change: at most {limit} bytes")]
    TooLarge {
        /// Events of the change.
        events: usize,
        /// What they take in the outbox, or a message of the broker.
        bytes: usize,
        /// What they may take there.
        limit: usize,
    },
    /// A read took longer than [`crate::READ_LIMIT`].
    #[error("mongodb was not done with a read in time")]
    TooSlow,
    /// The database refused or could not be reached; whether a write happened is unknown.
    #[error("mongodb: {0}")]
    Database(#[source] mongodb::error::Error),
    /// A document or state that does not have its form.
    #[error("bson: {0}")]
    Bson(#[from] bson::error::Error),
}

/// A failed change: the rule's own refusal, or the store's failure.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError<E> {
    #[error("the document was not found")]
    NotFound,
    #[error("{0}")]
    Refused(E),
    #[error(transparent)]
    Store(#[from] Error),
}

impl Error {
    /// Whether somebody else wrote first: decided anew, the change may succeed.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Error::Conflict | Error::Duplicate)
    }

    /// The error of a write that mongod has refused with `code`.
    pub(crate) fn of_write(code: i32) -> Self {
        if code == DUPLICATE_KEY { Error::Duplicate } else { Error::Refused(code) }
    }
}

impl<E> ChangeError<E> {
    /// The caller's own error; `not_found` is that of a document which does not exist.
    pub fn or<F: From<E> + From<Error>>(self, not_found: impl FnOnce() -> F) -> F {
        match self {
            ChangeError::NotFound => not_found(),
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Store(cause) => cause.into(),
        }
    }
}

impl From<mongodb::error::Error> for Error {
    fn from(error: mongodb::error::Error) -> Self {
        use mongodb::error::ErrorKind;
        match error.kind.as_ref() {
            ErrorKind::Command(command) if command.code == TIME_EXPIRED => Error::TooSlow,
            _ if is_duplicate_key(&error) => Error::Duplicate,
            _ => Error::Database(error),
        }
    }
}

pub fn is_duplicate_key(error: &mongodb::error::Error) -> bool {
    use mongodb::error::{ErrorKind, WriteFailure};
    match error.kind.as_ref() {
        ErrorKind::Write(WriteFailure::WriteError(write)) => write.code == DUPLICATE_KEY,
        ErrorKind::Command(command) => command.code == DUPLICATE_KEY,
        ErrorKind::InsertMany(many) => many.write_errors.iter().flatten().any(|write| write.code == DUPLICATE_KEY),
        _ => false,
    }
}
