//! What a service does with the events of others.

use crate::Event;

/// Why a handler did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// An earlier event of the aggregate has not been applied.
    #[error("event {seq} came before event {expected}")]
    Gap { expected: i64, seq: i64 },
    #[error("{0}")]
    Retry(String),
    /// It can never be applied as it is.
    #[error("{0}")]
    Poison(String),
}

impl From<store::Error> for HandlerError {
    fn from(error: store::Error) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<tonic::Status> for HandlerError {
    fn from(status: tonic::Status) -> Self {
        Self::Retry(status.to_string())
    }
}

impl From<prost::DecodeError> for HandlerError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Poison(error.to_string())
    }
}

/// What a service does with events. It stores the event's `seq` with the effect, or makes effects that depend on state
/// alone; so a second delivery has none.
#[tonic::async_trait]
pub trait Handler: Send + Sync + 'static {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError>;

    /// Whether `seq` is stored with each effect, so that an event that overtakes another of its aggregate is refused as a
    /// gap. The events of a lane may then be applied at the same time, and share their writes.
    fn stores_seq(&self) -> bool {
        false
    }

    /// Counts an event as applied without its effect: an operator has given it up.
    async fn skip(&self, _event: &Event) -> Result<(), HandlerError> {
        Ok(())
    }
}
