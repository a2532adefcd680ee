//! Why the events of a source are not read, for operators, for the log, and for readiness.

use crate::Error;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A problem that lasts longer makes the service not ready. A session that breaks begins again within a second, and a
/// broker that restarts is back within some seconds.
const LASTING: Duration = Duration::from_secs(10);

/// The problems of one service's consumers, by source. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Problems(Arc<Mutex<BTreeMap<String, Problem>>>);

struct Problem {
    why: String,
    since: Instant,
    /// A source that has published nothing yet has no stream, and around one message others go on: readiness stays.
    is_minor: bool,
}

impl Problems {
    /// Records why `source` is not read. False when the reason is known already.
    pub fn record(&self, source: &str, error: &Error) -> bool {
        let is_minor = matches!(error, Error::NoStream(_) | Error::Unacknowledged { .. });
        let why = error.to_string();
        let mut problems = self.lock();
        let known = problems.get(source);
        let is_new = known.is_none_or(|known| known.why != why);
        let since = known.map_or_else(Instant::now, |known| known.since);
        problems.insert(source.to_owned(), Problem { why, since, is_minor });
        is_new
    }

    pub fn clear(&self, source: &str) {
        self.lock().remove(source);
    }

    pub fn of(&self, source: &str) -> Option<String> {
        self.lock().get(source).map(|problem| problem.why.clone())
    }

    /// Whether one has been there for a while.
    pub fn are_lasting(&self) -> bool {
        self.lock().values().any(|problem| !problem.is_minor && problem.since.elapsed() > LASTING)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Problem>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
