//! Why a relay's term or a consumer's session ended. Both begin anew.

use async_nats::jetstream::ErrorCode;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("mongodb: {0}")]
    Database(#[from] mongodb::error::Error),
    /// A document of the store does not have its form.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A value that is not BSON of its form.
    #[error("bson: {0}")]
    Bson(#[from] bson::error::Error),
    #[error("nats: {0}")]
    Nats(String),
    /// The stream does not end where the relay believed: somebody else has published on it.
    #[error("somebody else has published on the stream")]
    Overtaken,
    #[error(
        "event {id} of {bytes} bytes is, with its headers, above the broker's max_payload of {limit} bytes; it and what is behind it wait until that is raised"
    )]
    TooLarge { id: String, bytes: usize, limit: usize },
    #[error("the broker refuses the durable consumer {durable} on {stream}: {cause}")]
    Durable { durable: String, stream: String, cause: String, code: ErrorCode },
    /// A source has not made its stream yet.
    #[error("the stream {0} is not there")]
    NoStream(String),
    /// Somebody changed a durable consumer under its session.
    #[error("the durable consumer was changed by somebody")]
    Changed,
    #[error("message {sequence} of {stream} is delivered again and again and never acknowledged")]
    Unacknowledged { stream: String, sequence: u64 },
    /// Another relay wrote to the log or took the lease.
    #[error("another relay has taken over")]
    Superseded,
    /// The database was dropped: its change stream has ended, and no token of it can be resumed.
    #[error("the change stream has ended: the database was dropped")]
    Invalidated,
    /// The stream is ahead of the log: the database was restored from an older copy.
    #[error("the stream {stream} holds entry {published}, but the log ends at {logged}")]
    StreamAhead {
        stream: String,
        /// `gseq` of its last message.
        published: i64,
        /// Last `gseq` of the log.
        logged: i64,
    },
}

impl Error {
    /// Whether the change stream cannot go on from its token (InvalidResumeToken, ChangeStreamFatalError,
    /// ChangeStreamHistoryLost, invalidate). Then all outboxes are read.
    pub(crate) fn has_lost_the_token(&self) -> bool {
        match self {
            Self::Invalidated => true,
            Self::Database(error) => matches!(
                error.kind.as_ref(),
                mongodb::error::ErrorKind::Command(command) if matches!(command.code, 260 | 280 | 286)
            ),
            _ => false,
        }
    }

    /// Wraps an error of async-nats, whose kinds differ per call.
    pub(crate) fn nats(error: impl std::fmt::Display) -> Self {
        Self::Nats(error.to_string())
    }
}
