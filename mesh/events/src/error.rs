//! Why a relay's term or a consumer's session ended. Both begin anew.

/// What ended a term.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// MongoDB failed.
    #[error("mongodb: {0}")]
    Database(#[from] mongodb::error::Error),
    /// A document of the store does not have its form.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A value that is not BSON of its form.
    #[error("bson: {0}")]
    Bson(#[from] bson::error::Error),
    /// NATS or JetStream failed.
    #[error("nats: {0}")]
    Nats(String),
    /// Another relay wrote to the log or took the lease.
    #[error("another relay has taken over")]
    Superseded,
    /// The database was dropped: its change stream has ended, and no token of it can be resumed.
    #[error("the change stream has ended: the database was dropped")]
    Invalidated,
    /// The stream is ahead of the log: the database was restored from an older copy.
    #[error("the stream {stream} holds entry {published}, but the log ends at {logged}")]
    StreamAhead {
        /// The stream.
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
