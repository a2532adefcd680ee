//! A saga as data: its steps, which of them can be undone, which one is the pivot, and how long each is tried.

use std::{collections::BTreeSet, fmt::Debug, time::Duration};

/// How long and how often a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Longest wait for one answer; shorter than a runner's lease.
    pub attempt_timeout: Duration,
    /// Failed attempts in a row after which the call is given up.
    pub max_attempts: i32,
    /// Time since the first attempt after which the call is given up.
    pub total_timeout: Duration,
}

/// The policy of calls that must not be given up: they are repeated for a day.
pub const A_DAY: RetryPolicy = RetryPolicy {
    attempt_timeout: Duration::from_secs(5),
    max_attempts: 10_000,
    total_timeout: Duration::from_secs(24 * 3600),
};

/// The steps of one service's sagas. An enum implements it, so that a `match` on it has a call for each step.
pub trait Step: Copy + Debug + PartialEq + Send + Sync + 'static {
    /// Stored name, stable over versions; part of the key of the step's calls.
    fn name(self) -> &'static str;
    /// Service that the step calls. Calls to one peer share a bound, which calls to other peers do not touch.
    fn peer(self) -> &'static str;
}

/// What a definition says of one of its steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepSpec<S> {
    pub step: S,
    /// Whether there is a call that undoes it.
    pub is_compensable: bool,
    /// Once this step is done nothing is undone any more: later steps are repeated until they work.
    pub is_pivot: bool,
    /// Whether the participant may refuse it. The refusal of a step that may not be refused is a bug.
    pub may_reject: bool,
    /// Whether its result is written together with the result of the next step, whose intent is then written with its own.
    /// After a crash in between both calls are made again, and going back undoes both.
    pub is_recorded_with_next: bool,
    /// When the step is given up before the pivot, so that the saga goes back.
    pub retry: RetryPolicy,
}

impl<S: Step> StepSpec<S> {
    /// A step that can neither be undone nor refused.
    pub const fn new(step: S) -> Self {
        Self {
            step,
            is_compensable: false,
            is_pivot: false,
            may_reject: false,
            is_recorded_with_next: false,
            retry: A_DAY,
        }
    }

    pub const fn compensable(self) -> Self {
        Self { is_compensable: true, ..self }
    }

    pub const fn pivot(self) -> Self {
        Self { is_pivot: true, ..self }
    }

    pub const fn rejectable(self) -> Self {
        Self { may_reject: true, ..self }
    }

    /// As one whose result is written with the result of the next step.
    pub const fn recorded_with_next(self) -> Self {
        Self { is_recorded_with_next: true, ..self }
    }

    pub const fn retried(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }
}

/// The steps of one kind of saga, in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition<S: 'static> {
    pub kind: &'static str,
    /// Version; a running saga keeps the one that it started with. A change of steps is a new version beside the old one.
    pub version: i32,
    pub steps: &'static [StepSpec<S>],
    /// Whether the pivot lies before the first step: nothing of the saga is ever undone.
    pub starts_past_pivot: bool,
    /// A saga that has not passed its pivot by then is undone.
    pub deadline: Duration,
    /// For undoing, and for steps after the pivot: a saga that has used it up waits for a person.
    pub after_pivot: RetryPolicy,
    /// Failed attempts in a row, of undoing or after the pivot, after which an alarm is raised.
    pub alarm_after: i32,
}

impl<S: Step> Definition<S> {
    /// Whether the saga has passed its pivot when its first `done` steps are done.
    pub(crate) fn is_past_pivot(&self, done: usize) -> bool {
        self.starts_past_pivot || self.steps.iter().take(done).any(|spec| spec.is_pivot)
    }
}

/// Every definition that may still be running.
#[derive(Debug, Clone, Copy)]
pub struct Registry<S: 'static>(pub &'static [&'static Definition<S>]);

impl<S: Step> Registry<S> {
    /// The version in which new sagas of the kind of `any` start.
    pub fn newest(&self, any: &'static Definition<S>) -> &'static Definition<S> {
        let versions = self.0.iter().copied().filter(|known| known.kind == any.kind);
        versions.max_by_key(|known| known.version).unwrap_or(any)
    }

    pub fn peers(&self) -> BTreeSet<&'static str> {
        self.0.iter().flat_map(|known| known.steps).map(|spec| spec.step.peer()).collect()
    }
}
