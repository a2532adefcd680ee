//! A saga as data: its steps, which of them can be undone, and which one is the pivot.

use std::time::Duration;

/// One call of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Name, stable over versions; part of the call's key.
    pub name: &'static str,
    /// Whether there is a call that undoes it.
    pub is_compensable: bool,
    /// Once this step is done nothing is undone any more: later steps are repeated until they work.
    pub is_pivot: bool,
}

/// The steps of one kind of saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Kind, as stored in the saga.
    pub kind: &'static str,
    /// Version; a running saga keeps the one that it started with.
    pub version: i32,
    /// The steps, in order.
    pub steps: &'static [Step],
    /// A saga that has not passed its pivot by then is undone.
    pub deadline: Duration,
}

impl Definition {
    /// Whether the saga has passed its pivot when `done` steps are done.
    pub(crate) fn is_past_pivot(&self, done: usize) -> bool {
        self.steps.iter().take(done).any(|step| step.is_pivot)
    }
}
