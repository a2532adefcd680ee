//! The write hints of this process in this term, and whether the change stream tells of writes by others.

use crate::{append::Outbox, change_stream::WatchMode, log::ArchivedSeqs};
use bson::Bson;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use store::{Pending, WriteHint};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

/// The hint of a write may come this much later than its notice.
const SETTLE: Duration = Duration::from_millis(100);

/// For this time after the last write by others the change stream is awaited, and not only polled.
const ATTENTION: Duration = Duration::from_secs(10);

/// Notices whose hints may still come; with more, they count as writes by others.
const UNSETTLED: usize = 4096;

/// Hints in one batch.
const BATCH: usize = 500;

/// Follows the hints of a term.
pub(crate) struct HintTracker {
    hints: Receiver<Arc<WriteHint>>,
    /// The highest `seq` that hints had of each document, by collection.
    seqs: BTreeMap<String, ArchivedSeqs>,
    unsettled: VecDeque<(Instant, String, String, i64)>,
    /// When others were last known to write; the start of the term, at first.
    others_at: Instant,
}

impl HintTracker {
    pub fn new(hints: Receiver<Arc<WriteHint>>) -> Self {
        Self { hints, seqs: BTreeMap::new(), unsettled: VecDeque::new(), others_at: Instant::now() }
    }

    /// Waits for a hint and returns the outboxes of those that there are, by collection. Empty when some were missed: the
    /// change stream tells of them.
    pub async fn next(&mut self) -> BTreeMap<String, Vec<Outbox>> {
        let mut found: BTreeMap<String, Vec<Outbox>> = BTreeMap::new();
        let mut hint = match self.hints.recv().await {
            Ok(hint) => hint,
            Err(RecvError::Lagged(_)) => return found,
            Err(RecvError::Closed) => std::future::pending().await, // the database's last writer has gone
        };
        for _ in 0..BATCH {
            if let Some(outbox) = self.outbox(&hint) {
                found.entry(hint.collection.to_owned()).or_default().push(outbox);
            }
            hint = match self.hints.try_recv() {
                Ok(next) => next,
                Err(_) => break,
            };
        }
        found
    }

    /// The entries of the document's outbox that no earlier hint had. What cannot be read here is read from the document
    /// when the change stream tells of it.
    fn outbox(&mut self, hint: &WriteHint) -> Option<Outbox> {
        let known = self.seqs.entry(hint.collection.to_owned()).or_default();
        let before = known.get(&hint.id).copied().unwrap_or(0);
        let seq = |entry: &&Bson| entry.as_document().and_then(|entry| entry.get_i64("seq").ok()).unwrap_or(i64::MAX);
        let fresh = hint.outbox.iter().filter(|entry| seq(entry) > before);
        let outbox: Vec<Pending> =
            fresh.map(|entry| bson::deserialize_from_bson(entry.clone()).ok()).collect::<Option<_>>()?;
        known.set(&hint.id, before.max(hint.seq));
        Some(Outbox { id: hint.id.clone(), outbox, is_new: hint.is_new })
    }

    /// Whether hints had the events of a document up to `seq`.
    pub fn covers(&self, collection: &str, id: &str, seq: i64) -> bool {
        self.seqs.get(collection).and_then(|seqs| seqs.get(id)).is_some_and(|known| *known >= seq)
    }

    /// Notes a change that no hint covers.
    pub fn note_ring(&mut self, collection: &str, id: &str, seq: i64) {
        if self.unsettled.len() >= UNSETTLED {
            self.others_at = Instant::now();
            self.unsettled.clear();
        }
        self.unsettled.push_back((Instant::now() + SETTLE, collection.to_owned(), id.to_owned(), seq));
    }

    /// The mode in which the watcher should work.
    pub fn mode(&mut self) -> WatchMode {
        let now = Instant::now();
        while self.unsettled.front().is_some_and(|(settled_at, ..)| *settled_at <= now)
            && let Some((_, collection, id, seq)) = self.unsettled.pop_front()
        {
            if !self.covers(&collection, &id, seq) {
                tracing::debug!(%collection, %id, seq, "others write too");
                self.others_at = now;
            }
        }
        if self.others_at.elapsed() < ATTENTION { WatchMode::Await } else { WatchMode::Poll }
    }
}
