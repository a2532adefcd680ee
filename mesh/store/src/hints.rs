//! What this process has written with events, told to whoever in it moves events on, so that they need not read it again.
//!
//! It is told after the write is durable and only here: other processes are heard of by the change stream, which also
//! tells what a listener missed. So news makes events faster and cheaper, and nothing depends on it.

use bson::Bson;
use std::sync::Arc;
use tokio::sync::broadcast;

/// News that a listener may be behind; what it misses the change stream tells.
const BEHIND: usize = 4096;

/// A write that brought events.
#[derive(Debug)]
pub struct Told {
    /// Collection of the document.
    pub collection: &'static str,
    /// Identifier of the document.
    pub id: String,
    /// `seq` of its newest event.
    pub seq: i64,
    /// Whether this write made the document.
    pub is_new: bool,
    /// Its outbox as the write left it: [`crate::Pending`] in the order of their `seq`.
    pub outbox: Arc<Vec<Bson>>,
}

/// Where it is told. Cheap to clone.
#[derive(Debug, Clone)]
pub struct News(broadcast::Sender<Arc<Told>>);

impl Default for News {
    fn default() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }
}

impl News {
    /// What is told from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Told>> {
        self.0.subscribe()
    }

    /// Tells those who listen.
    pub(crate) fn tell(&self, told: Told) {
        let _ = self.0.send(Arc::new(told)); // fails when nobody listens
    }
}
