//! A breaker: calls of a peer that could not be reached several times in a row are refused at once, but for one each second
//! that finds out whether the peer is back.
//!
//! What a peer answers is no failure, whatever its code; UNAVAILABLE without details is not its answer but that of a proxy that
//! did not reach it. A call that ends by its deadline or with its caller says nothing about the peer.

mod outcome;

pub use outcome::Outcome;

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use telemetry::metrics::BREAKER_STATE;
use tokio::time::Instant;

/// From one probe to the next one, also when the first has not ended: some calls wait for long.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// The breaker of one peer. While it is closed and all is well, a call costs two loads.
pub struct Breaker {
    peer: String,
    /// Failures in a row that open it; 0 never does.
    limit: u32,
    /// Failures in a row, written under the lock alone. At the limit the breaker is open.
    failures: AtomicU32,
    next_probe: Mutex<Instant>,
}

/// As `BREAKER_STATE` tells it.
#[derive(Clone, Copy)]
enum State {
    Closed,
    HalfOpen,
    Open,
}

/// A call that may be made. Dropped without an end it says nothing, and a probe lets the next one follow at once.
pub struct Pass<'a> {
    breaker: &'a Breaker,
    /// When the call began.
    failures: u32,
    /// Of a probe, when the next one may follow.
    probe: Option<Instant>,
}

impl Breaker {
    /// A closed breaker that opens after `limit` failures in a row; 0 is never. `peer` stands in logs and metrics.
    pub fn new(peer: impl Into<String>, limit: u32) -> Self {
        let breaker =
            Self { peer: peer.into(), limit, failures: AtomicU32::new(0), next_probe: Mutex::new(Instant::now()) };
        breaker.tell(State::Closed);
        breaker
    }

    /// Lets a call pass; none while it is open.
    pub fn admit(&self) -> Option<Pass<'_>> {
        let failures = self.failures.load(Ordering::Relaxed);
        let pass = Pass { breaker: self, failures, probe: None };
        if self.is_open_after(failures) { self.probe(pass) } else { Some(pass) }
    }

    /// Closes it: somebody else has found the peer to answer.
    pub fn reached(&self) {
        self.succeeded(true);
    }

    fn probe<'a>(&self, pass: Pass<'a>) -> Option<Pass<'a>> {
        let mut next_probe = self.lock();
        if !self.is_open() {
            return Some(pass);
        }
        let now = Instant::now();
        if now < *next_probe {
            return None;
        }
        *next_probe = now + PROBE_INTERVAL;
        self.tell(State::HalfOpen);
        Some(Pass { probe: Some(*next_probe), ..pass })
    }

    /// Of what was under way when it opened, a late reply does not close it.
    fn succeeded(&self, closes: bool) {
        if self.failures.load(Ordering::Relaxed) == 0 {
            return;
        }
        let _next_probe = self.lock();
        let was_open = self.is_open();
        if was_open && !closes {
            return;
        }
        self.failures.store(0, Ordering::Relaxed);
        if was_open {
            self.tell(State::Closed);
            tracing::info!(peer = self.peer, "a peer is reached again; its breaker is closed");
        }
    }

    /// Of a call that began after `since` failures, if that matters: what has failed since then, this one has failed with.
    fn failed(&self, since: Option<u32>) {
        let mut next_probe = self.lock();
        let failures = self.failures.load(Ordering::Relaxed);
        if self.is_open() || since.is_some_and(|since| since != failures) {
            return;
        }
        let failures = failures.saturating_add(1);
        self.failures.store(failures, Ordering::Relaxed);
        if self.is_open() {
            *next_probe = Instant::now() + PROBE_INTERVAL;
            self.tell(State::Open);
            tracing::warn!(
                peer = self.peer,
                failures,
                "a peer cannot be reached; its breaker is open: calls are refused, but for one a second"
            );
        }
    }

    /// Ends the probe that the one at `next` may follow. Of one that is still the last one, the next follows at once if it
    /// has said nothing.
    fn probed(&self, next: Instant, is_failure: bool) {
        let mut next_probe = self.lock();
        if *next_probe == next && self.is_open() {
            self.tell(State::Open);
            if !is_failure {
                *next_probe = Instant::now();
            }
        }
    }

    fn is_open(&self) -> bool {
        self.is_open_after(self.failures.load(Ordering::Relaxed))
    }

    fn is_open_after(&self, failures: u32) -> bool {
        self.limit > 0 && failures >= self.limit
    }

    fn lock(&self) -> MutexGuard<'_, Instant> {
        self.next_probe.lock().expect("no holder panics")
    }

    fn tell(&self, state: State) {
        BREAKER_STATE.record(state as i64, [self.peer.as_str()]);
    }
}

impl Pass<'_> {
    /// Counts how the call has ended.
    pub fn end(mut self, outcome: Outcome) {
        match outcome {
            Outcome::Reached => {
                self.breaker.succeeded(self.probe.take().is_some());
            }
            Outcome::Unreachable | Outcome::Lost => match self.probe.take() {
                Some(next) => self.breaker.probed(next, true),
                // A connection that breaks loses all calls on it at once. Of those the first one counts, and then what
                // was begun after it.
                None => self.breaker.failed((outcome == Outcome::Lost).then_some(self.failures)),
            },
            Outcome::Unknown => {}
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if let Some(next) = self.probe {
            self.breaker.probed(next, false);
        }
    }
}
