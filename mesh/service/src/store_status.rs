//! How a caller sees a failure of the store.

use ::store::Error;
use rpc::status;
use tonic::{Code, Status};

/// The status of a request that the store has failed; what only operators can mend is logged here and not told.
pub fn store_status(error: Error) -> Status {
    match error {
        Error::Duplicate => status::error(Code::AlreadyExists, "ALREADY_EXISTS", "this exists already"),
        Error::Conflict => {
            status::error(Code::Aborted, "CONFLICT", "somebody else changed this at the same time; try again")
        }
        Error::KeyReused => status::key_reused(),
        Error::Backlog(_) => status::unavailable("EVENT_BACKLOG", "events wait to be published; try again soon"),
        Error::Busy => status::unavailable("STORE_BUSY", "too many writes wait; try again soon"),
        Error::Unknown => status::unavailable("STORE_UNAVAILABLE", "the outcome is unknown; repeat the call"),
        Error::TooSlow => {
            tracing::warn!("mongodb was not done with a read in time");
            status::error(Code::DeadlineExceeded, "READ_TOO_LONG", "the database takes too long; ask for less at once")
        }
        // Operators find the code in the log; it tells a caller nothing that could be done.
        Error::Refused(code) => {
            tracing::error!(code, "mongodb refused a write");
            status::internal()
        }
        Error::TooLarge { events, bytes, limit } => {
            tracing::warn!(events, bytes, limit, "a change was too large for its outbox or the broker");
            let why = format!("the change is too large, {bytes} of at most {limit} bytes; ask for less at once");
            status::error(Code::InvalidArgument, "CHANGE_TOO_LARGE", why)
        }
        Error::Database(error) => {
            tracing::warn!(%error, "mongodb failed");
            status::unavailable("STORE_UNAVAILABLE", "the database cannot be reached; the outcome may be unknown")
        }
        Error::Bson(error) => {
            tracing::error!(%error, "a document does not have its form");
            status::internal()
        }
    }
}
