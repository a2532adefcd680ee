//! Hints of what this process has written with events, for its relay, which then need not read the documents again.
//!
//! A hint is sent after the write is durable and reaches this process only. Writes of other processes, and hints that a
//! receiver missed, come by the change stream: hints make events faster and cheaper, and nothing depends on them.

use bson::Bson;
use std::sync::Arc;
use tokio::sync::broadcast;

/// Hints that a receiver may be behind; the change stream tells of those that it misses.
const BEHIND: usize = 4096;

/// A write that brought events.
#[derive(Debug)]
pub struct WriteHint {
    pub collection: &'static str,
    pub id: String,
    /// `seq` of its newest event.
    pub seq: i64,
    /// Whether this write made the document.
    pub is_new: bool,
    /// Its outbox as the write left it: [`crate::Pending`] in the order of their `seq`.
    pub outbox: Arc<Vec<Bson>>,
}

/// Sends hints to the receivers of this process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HintSender(broadcast::Sender<Arc<WriteHint>>);

impl Default for HintSender {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }
}

impl HintSender {
    /// A receiver of the hints that are sent from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<WriteHint>> {
        self.0.subscribe()
    }

    pub(crate) fn send(&self, hint: WriteHint) {
        let _ = self.0.send(Arc::new(hint)); // fails when there is no receiver
    }
}
