//! A saga as data: its steps, whom they call, which can be undone, which one is the pivot, and every bound.

use std::{collections::BTreeSet, time::Duration};

/// How long and how often something is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Longest wait for one answer. Shorter than a runner's lease.
    pub attempt: Duration,
    /// Failed attempts in a row.
    pub failures: i32,
    /// From the first attempt on.
    pub total: Duration,
}

/// One call of a saga.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Name, stable over versions; part of the call's key.
    pub name: &'static str,
    /// Whom it calls; calls to one peer share a bound, and none with another.
    pub peer: &'static str,
    /// Whether there is a call that undoes it.
    pub is_compensable: bool,
    /// Once this step is done nothing is undone any more: later steps are repeated until they work.
    pub is_pivot: bool,
    /// Whether the participant may say no. A no from one that may not is a bug.
    pub may_refuse: bool,
    /// Whether leaving it out leaves the world different; then only somebody who says so may skip it.
    pub has_effect: bool,
    /// Whether its result is written together with that of the next step, whose intent is then written with its own: a
    /// crash in between leads to the same calls again, and going back undoes both.
    pub is_recorded_with_next: bool,
    /// When it is given up, before the pivot: the saga goes back.
    pub bounds: Bounds,
}

impl Step {
    /// A step that can neither be undone nor refused.
    pub const fn new(name: &'static str, peer: &'static str) -> Self {
        Self {
            name,
            peer,
            is_compensable: false,
            is_pivot: false,
            may_refuse: false,
            has_effect: true,
            is_recorded_with_next: false,
            bounds: A_DAY,
        }
    }

    /// With a call that undoes it.
    pub const fn compensable(self) -> Self {
        Self { is_compensable: true, ..self }
    }

    /// As the pivot.
    pub const fn pivot(self) -> Self {
        Self { is_pivot: true, ..self }
    }

    /// As one that the participant may refuse.
    pub const fn refusable(self) -> Self {
        Self { may_refuse: true, ..self }
    }

    /// As one that only asks.
    pub const fn without_effect(self) -> Self {
        Self { has_effect: false, ..self }
    }

    /// As one whose result is written with that of the next.
    pub const fn recorded_with_next(self) -> Self {
        Self { is_recorded_with_next: true, ..self }
    }

    /// With other bounds.
    pub const fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }
}

/// The steps of one kind of saga, in one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Kind, as stored in the saga.
    pub kind: &'static str,
    /// Version; a running saga keeps the one that it started with. A change of steps is a new version beside the old.
    pub version: i32,
    /// The steps, in order.
    pub steps: &'static [Step],
    /// Whether the pivot lies before its first step: nothing of it is ever undone.
    pub starts_past_pivot: bool,
    /// A saga that has not passed its pivot by then is undone.
    pub deadline: Duration,
    /// Undoing, and steps after the pivot: beyond it a person is needed.
    pub patience: Bounds,
    /// Failed attempts in a row of those after which people are told.
    pub alarm_after: i32,
}

impl Definition {
    /// Whether the saga has passed its pivot when its first `done` steps are done.
    pub(crate) fn is_past_pivot(&self, done: usize) -> bool {
        self.starts_past_pivot || self.steps.iter().take(done).any(|step| step.is_pivot)
    }
}

/// For what must not be given up: a day.
pub const A_DAY: Bounds =
    Bounds { attempt: Duration::from_secs(5), failures: 10_000, total: Duration::from_secs(24 * 3600) };

/// Every definition that may still be running.
#[derive(Debug, Clone, Copy)]
pub struct Registry(pub &'static [&'static Definition]);

impl Registry {
    /// The definition that a saga was started with. Another version is another saga: there is no nearest one.
    pub fn find(&self, kind: &str, version: i32) -> Option<&'static Definition> {
        self.0.iter().find(|known| known.kind == kind && known.version == version).copied()
    }

    /// Whom the steps call.
    pub fn peers(&self) -> BTreeSet<&'static str> {
        self.0.iter().flat_map(|known| known.steps).map(|step| step.peer).collect()
    }
}
