//! How many calls of an upstream are under way: a counter, and the places that it has given.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Pause between two lines in the log about one bound.
const LOG_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Bound {
    uri: String,
    limit: usize,
    taken: AtomicUsize,
    logged_at: Mutex<Option<Instant>>,
}

/// A call under way, until it is dropped.
pub(super) struct Place(Arc<Bound>);

impl Bound {
    pub(super) fn new(uri: &str, limit: usize) -> Self {
        Self { uri: uri.to_owned(), limit, taken: AtomicUsize::new(0), logged_at: Mutex::default() }
    }

    /// A place for a call; none when all are taken, which is logged once a minute.
    pub(super) fn take(this: &Arc<Self>) -> Option<Place> {
        let add = |taken| (taken < this.limit).then_some(taken + 1);
        if this.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok() {
            return Some(Place(this.clone()));
        }
        this.log();
        None
    }

    fn log(&self) {
        let mut logged_at = self.logged_at.lock().expect("no holder panics");
        if logged_at.is_none_or(|logged_at| logged_at.elapsed() >= LOG_EVERY) {
            *logged_at = Some(Instant::now());
            tracing::warn!(peer = self.uri, limit = self.limit, "calls are refused: as many as may be are under way");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}
