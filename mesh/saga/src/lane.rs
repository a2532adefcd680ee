//! The calls to one peer: how many at once, and how carefully while it does not answer.

use crate::{Outcome, host::Whose};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Calls to one peer at the same time.
const PERMITS: usize = 128;

/// Sagas that one look takes.
const BATCH: usize = 64;

/// Failures in a row after which a peer is taken to be down: one look then takes one saga, as a probe.
const DOWN_AFTER: u32 = 32;

/// How long a saga waits for a permit. Then it lets go: the end of its lease brings it back.
const PATIENCE: Duration = Duration::from_secs(5);

/// The calls to one peer.
pub(crate) struct Lane {
    pub whose: Whose,
    permits: Arc<Semaphore>,
    failures: AtomicU32,
    bell: Notify,
}

impl Lane {
    pub fn new(whose: Whose) -> Self {
        let permits = Arc::new(Semaphore::new(PERMITS));
        Self { whose, permits, failures: AtomicU32::new(0), bell: Notify::new() }
    }

    /// How many sagas may be claimed now.
    pub fn room(&self) -> usize {
        let most = if self.is_down() { 1 } else { BATCH };
        self.permits.available_permits().min(most)
    }

    pub fn is_down(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= DOWN_AFTER
    }

    /// Leave to make one call. `None` when the peer is too busy.
    pub async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let waiting = tokio::time::timeout(PATIENCE, self.permits.clone().acquire_owned());
        waiting.await.ok().and_then(Result::ok)
    }

    /// Waits until a call may be made.
    pub async fn has_room(&self) {
        drop(self.permits.acquire().await);
    }

    /// Notes whether the peer works.
    pub fn note(&self, outcome: &Outcome) {
        match outcome {
            Outcome::Transient(_) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
            Outcome::Done
            | Outcome::Rejected(_)
            | Outcome::Refused(_)
            | Outcome::Undecided(_)
            | Outcome::Waiting
            | Outcome::Bug(_) => {
                let failures = self.failures.swap(0, Ordering::Relaxed);
                if failures >= DOWN_AFTER {
                    self.bell.notify_one(); // what has piled up may go on
                }
            }
        }
    }

    /// Waits for `pause`, or less when the bell rings.
    pub async fn rest(&self, pause: Duration) {
        let _ = tokio::time::timeout(pause, self.bell.notified()).await;
    }
}
