//! The write hints of this process in this term, and whether the change stream tells of writes by others.

use crate::{append::Outbox, change_stream::WatchMode, log::LoggedSeqs};
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

/// A hint may come this much later than the notice of its write: it is sent when the driver has the reply, and a busy
/// process takes a while to get there.
const SETTLE: Duration = Duration::from_millis(100);

/// For this time after the last write by another process the change stream is awaited, and not only polled, for such writes
/// come in bursts. For the same time after its last hints this process counts as busy.
const ATTENTION: Duration = Duration::from_secs(10);

/// With so many hints in a second this process is busy, and the change stream is polled: awaited, it would answer for each
/// write that a hint has told already. With fewer, it is awaited: a poll is a command, and an awaited stream is silent.
const BUSY: usize = 5;

/// Most notices that wait for their hints, as a bound of memory; beyond them all count as writes by others.
const UNSETTLED: usize = 4096;

/// Hints in one batch: as many as documents in one read of [`crate::outboxes`].
const BATCH: usize = 500;

pub(crate) struct HintTracker {
    hints: Receiver<Arc<WriteHint>>,
    /// The highest `seq` of the hints for each document, by collection.
    seqs: BTreeMap<String, LoggedSeqs>,
    unsettled: VecDeque<(Instant, String, String, i64)>,
    /// When others were last known to write; the start of the term, at first.
    others_at: Instant,
    /// Hints since the beginning of a second.
    second: (Instant, usize),
    /// When this process was last busy.
    busy_at: Option<Instant>,
}

impl HintTracker {
    pub fn new(hints: Receiver<Arc<WriteHint>>) -> Self {
        let now = Instant::now();
        let (seqs, unsettled) = (BTreeMap::new(), VecDeque::new());
        Self { hints, seqs, unsettled, others_at: now, second: (now, 0), busy_at: None }
    }

    /// Waits for a hint and returns the outboxes of all waiting hints, by collection. Empty when hints were missed: the
    /// change stream tells of those writes.
    pub async fn next(&mut self) -> BTreeMap<String, Vec<Outbox>> {
        let mut found: BTreeMap<String, Vec<Outbox>> = BTreeMap::new();
        let mut hint = match self.hints.recv().await {
            Ok(hint) => hint,
            Err(RecvError::Lagged(_)) => return found,
            // All writers are gone. The service stops, and the caller waits for the change stream alone until then.
            Err(RecvError::Closed) => std::future::pending().await,
        };
        for _ in 0..BATCH {
            self.count();
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

    fn count(&mut self) {
        let now = Instant::now();
        if now.duration_since(self.second.0) > Duration::from_secs(1) {
            self.second = (now, 0);
        }
        self.second.1 += 1;
        if self.second.1 >= BUSY {
            self.busy_at = Some(now);
        }
    }

    /// The entries of the document's outbox that no earlier hint had. None when an entry cannot be parsed: the document is
    /// read when the change stream tells of it.
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

    /// Remembers a change that no hint covers yet.
    pub fn record_change(&mut self, collection: &str, id: &str, seq: i64) {
        if self.unsettled.len() >= UNSETTLED {
            self.others_at = Instant::now();
            self.unsettled.clear();
        }
        self.unsettled.push_back((Instant::now() + SETTLE, collection.to_owned(), id.to_owned(), seq));
    }

    pub fn mode(&mut self) -> WatchMode {
        let now = Instant::now();
        while self.unsettled.front().is_some_and(|(settled_at, ..)| *settled_at <= now)
            && let Some((_, collection, id, seq)) = self.unsettled.pop_front()
        {
            if !self.covers(&collection, &id, seq) {
                tracing::debug!(%collection, %id, seq, "another process writes too");
                self.others_at = now;
            }
        }
        let is_busy = self.busy_at.is_some_and(|busy_at| busy_at.elapsed() < ATTENTION);
        if is_busy && self.others_at.elapsed() >= ATTENTION { WatchMode::Poll } else { WatchMode::Await }
    }
}
