//! What this process's own news has told in this term, and whether the bell tells of writes by others.

use crate::{archive::Outbox, doorbell::Ear, log::ArchivedSeqs};
use bson::Bson;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use store::{Pending, Told};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::Instant,
};

/// News of a write may come so much later than its ring.
const SETTLE: Duration = Duration::from_millis(100);

/// So long after the last write by others the bell waits for more.
const ATTENTION: Duration = Duration::from_secs(10);

/// Rings whose news may still come; with more, they count as writes by others.
const UNSETTLED: usize = 4096;

/// News in one batch.
const BATCH: usize = 500;

/// The news of a term.
pub(crate) struct Hearsay {
    news: Receiver<Arc<Told>>,
    /// The highest `seq` that was told of each document, by collection.
    told: BTreeMap<String, ArchivedSeqs>,
    unsettled: VecDeque<(Instant, String, String, i64)>,
    /// When others were last known to write; the start of the term, at first.
    others_at: Instant,
}

impl Hearsay {
    /// Of what is told from now on.
    pub fn new(news: Receiver<Arc<Told>>) -> Self {
        Self { news, told: BTreeMap::new(), unsettled: VecDeque::new(), others_at: Instant::now() }
    }

    /// Waits for news and returns what there is, by collection. Empty when some was missed: the bell tells it.
    pub async fn next(&mut self) -> BTreeMap<String, Vec<Outbox>> {
        let mut found: BTreeMap<String, Vec<Outbox>> = BTreeMap::new();
        let mut told = match self.news.recv().await {
            Ok(told) => told,
            Err(RecvError::Lagged(_)) => return found,
            Err(RecvError::Closed) => std::future::pending().await, // the database's last writer has gone
        };
        for _ in 0..BATCH {
            if let Some(outbox) = self.outbox(&told) {
                found.entry(told.collection.to_owned()).or_default().push(outbox);
            }
            told = match self.news.try_recv() {
                Ok(next) => next,
                Err(_) => break,
            };
        }
        found
    }

    /// What of the document's outbox was not told before. What cannot be read here is read when the bell rings.
    fn outbox(&mut self, told: &Told) -> Option<Outbox> {
        let known = self.told.entry(told.collection.to_owned()).or_default();
        let before = known.get(&told.id).copied().unwrap_or(0);
        let seq = |entry: &&Bson| entry.as_document().and_then(|entry| entry.get_i64("seq").ok()).unwrap_or(i64::MAX);
        let fresh = told.outbox.iter().filter(|entry| seq(entry) > before);
        let outbox: Vec<Pending> =
            fresh.map(|entry| bson::deserialize_from_bson(entry.clone()).ok()).collect::<Option<_>>()?;
        known.set(&told.id, before.max(told.seq));
        Some(Outbox { id: told.id.clone(), outbox, is_new: told.is_new })
    }

    /// Whether news has told of a document up to `seq`.
    pub fn has_told(&self, collection: &str, id: &str, seq: i64) -> bool {
        self.told.get(collection).and_then(|told| told.get(id)).is_some_and(|told| *told >= seq)
    }

    /// Notes a ring that no news has told of.
    pub fn note_ring(&mut self, collection: &str, id: &str, seq: i64) {
        if self.unsettled.len() >= UNSETTLED {
            self.others_at = Instant::now();
            self.unsettled.clear();
        }
        self.unsettled.push_back((Instant::now() + SETTLE, collection.to_owned(), id.to_owned(), seq));
    }

    /// How the bell should listen.
    pub fn ear(&mut self) -> Ear {
        let now = Instant::now();
        while self.unsettled.front().is_some_and(|(settled_at, ..)| *settled_at <= now)
            && let Some((_, collection, id, seq)) = self.unsettled.pop_front()
        {
            if !self.has_told(&collection, &id, seq) {
                tracing::debug!(%collection, %id, seq, "others write too");
                self.others_at = now;
            }
        }
        if self.others_at.elapsed() < ATTENTION { Ear::Waiting } else { Ear::Looking }
    }
}
