//! Why the events of a source are not read, for operators, for the log, and for readiness.

use crate::Error;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Sessions break and begin anew; one that does not for so long is a lasting problem.
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
    /// Notes why `source` is not read. False when it is the same as of the one before.
    pub fn note(&self, source: &str, error: &Error) -> bool {
        let is_minor = matches!(error, Error::NoStream(_) | Error::Unacknowledged { .. });
        let why = error.to_string();
        let mut problems = self.lock();
        let known = problems.get(source);
        let is_news = known.is_none_or(|known| known.why != why);
        let since = known.map_or_else(Instant::now, |known| known.since);
        problems.insert(source.to_owned(), Problem { why, since, is_minor });
        is_news
    }

    pub fn clear(&self, source: &str) {
        self.lock().remove(source);
    }

    /// Why `source` is not read.
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
