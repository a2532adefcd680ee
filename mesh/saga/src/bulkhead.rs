//! The bulkhead around the calls to one peer: how many at once, and how few while the peer does not answer.

use crate::{Outcome, store::Whose};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Most calls to one peer at the same time: a dead peer then ties up this many tasks and connections at most.
const PERMITS: usize = 128;

/// Most sagas that one poll claims: half of the permits, so that sagas which start now get theirs.
const BATCH: usize = 64;

/// Failures in a row after which a peer counts as down, more than a restart of it causes: one poll then claims one saga,
/// as a probe.
const DOWN_AFTER: u32 = 32;

/// How long a saga waits for a permit. It then lets go of its turn, and the end of its lease brings it back.
const PERMIT_TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) struct Bulkhead {
    pub whose: Whose,
    permits: Arc<Semaphore>,
    failures: AtomicU32,
    woken: Notify,
}

impl Bulkhead {
    pub fn new(whose: Whose) -> Self {
        let permits = Arc::new(Semaphore::new(PERMITS));
        Self { whose, permits, failures: AtomicU32::new(0), woken: Notify::new() }
    }

    pub fn room(&self) -> usize {
        let most = if self.is_down() { 1 } else { BATCH };
        self.permits.available_permits().min(most)
    }

    pub fn is_down(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= DOWN_AFTER
    }

    /// A permit for one call. `None` when other calls to the peer have kept all permits for too long.
    pub async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let waiting = tokio::time::timeout(PERMIT_TIMEOUT, self.permits.clone().acquire_owned());
        waiting.await.ok().and_then(Result::ok)
    }

    pub async fn has_room(&self) {
        drop(self.permits.acquire().await);
    }

    /// Counts the failures in a row.
    pub fn record(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Transient(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Done
            | Outcome::Rejected(_)
            | Outcome::GoBack(_)
            | Outcome::Undecided(_)
            | Outcome::Waiting
            | Outcome::Later(_)
            | Outcome::Bug(_) => {
                let failures = self.failures.swap(0, Ordering::Relaxed);
                if failures >= DOWN_AFTER {
                    self.wake(); // what has piled up may go on
                }
            }
        }
    }

    /// Ends the rest of the poll: a saga may be due, or the peer answers again after it was down.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Waits for `longest`, or until it is woken.
    pub async fn rest(&self, longest: Duration) {
        let _ = tokio::time::timeout(longest, self.woken.notified()).await;
    }
}
