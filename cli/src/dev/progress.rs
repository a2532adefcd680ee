//! A line on standard error for each step, with the time that it took.

use std::time::Instant;

pub struct Progress {
    began: Instant,
}

impl Progress {
    pub fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// Tells that a step is done. `since` is when it began.
    pub fn done(&self, phase: &str, what: &str, detail: &str, since: Instant) {
        eprintln!("  {phase:<7} {what:<12} {detail:<16} {:>8} ms", since.elapsed().as_millis());
    }

    /// Tells something that takes no time.
    pub fn note(&self, phase: &str, what: &str, detail: &str) {
        eprintln!("  {phase:<7} {what:<12} {detail}");
    }

    pub fn elapsed_ms(&self) -> u128 {
        self.began.elapsed().as_millis()
    }
}
