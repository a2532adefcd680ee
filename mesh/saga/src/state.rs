//! What an outcome does to a saga. Pure: the time and the jitter are arguments.

use crate::{Definition, Step};
use bson::DateTime;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long a runner may hold a saga without writing to it.
const LEASE: Duration = Duration::from_secs(15);

/// First pause between two attempts.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Longest pause between two attempts.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// Attempts of a compensation, or of a step after the pivot, before a person is called.
const ATTEMPTS_BEFORE_PARKED: i32 = 200;

/// Where a saga is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Going forward.
    Running,
    /// Going back.
    Compensating,
    /// Every step is done.
    Completed,
    /// Every effect is undone.
    Compensated,
    /// Waits for a person; `error` of the current step tells why.
    Parked,
}

/// Where a step is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    /// Not called.
    Pending,
    /// Called or about to be; the outcome is not known.
    Attempted,
    /// Done.
    Done,
    /// Refused by the participant: it had no effect.
    Rejected,
    /// Undone.
    Compensated,
}

/// A step of a running saga.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    /// Name from the definition.
    pub name: String,
    /// Where it is in its life.
    pub progress: Progress,
    /// Attempts in the current direction.
    pub attempt: i32,
    /// What the last failed attempt said.
    pub error: Option<String>,
}

/// A saga, stored in the aggregate that it moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    /// Kind from the definition.
    pub kind: String,
    /// Version of the definition.
    pub version: i32,
    /// Where it is in its life.
    pub status: Status,
    /// Index of the current step.
    pub step: i32,
    /// The steps.
    pub steps: Vec<StepState>,
    /// Why it goes back.
    pub reason: Option<String>,
    /// When somebody must look again: a timer and the end of the runner's lease in one. `None` when it has ended.
    pub wake_at: Option<DateTime>,
    /// Who makes the current call.
    pub owner: String,
    /// Grows with each claim.
    pub epoch: i64,
    /// When it is undone unless it has passed its pivot.
    pub deadline_at: DateTime,
}

/// Forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The step itself.
    Do,
    /// What undoes it.
    Undo,
}

/// The call that a saga is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Index of the step.
    pub step: usize,
    /// Its name.
    pub name: String,
    /// Forward or back.
    pub direction: Direction,
    /// The same for every attempt: `<aggregate>/<kind>/<step>/<direction>`.
    pub key: String,
}

/// What a call led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done.
    Done,
    /// Refused: it had no effect and never will.
    Rejected(String),
    /// Done, but the saga must go back, this step included.
    Refused(String),
    /// No answer, or one that may change: repeat the same call.
    Transient(String),
    /// Not yet decided, by nobody's fault: ask again later.
    Waiting,
    /// An answer that should not be possible.
    Bug(String),
}

impl Saga {
    /// A saga whose first call `owner` is about to make.
    pub fn start(definition: &Definition, owner: &str, now: DateTime) -> Self {
        let steps = definition.steps.iter().map(|step| StepState {
            name: step.name.to_owned(),
            progress: Progress::Pending,
            attempt: 0,
            error: None,
        });
        let mut saga = Self {
            kind: definition.kind.to_owned(),
            version: definition.version,
            status: Status::Running,
            step: 0,
            steps: steps.collect(),
            reason: None,
            wake_at: None,
            owner: owner.to_owned(),
            epoch: 1,
            deadline_at: after(now, definition.deadline),
        };
        saga.intend(0, now);
        saga
    }

    /// Whether no call will follow.
    pub fn has_ended(&self) -> bool {
        match self.status {
            Status::Completed | Status::Compensated => true,
            Status::Running | Status::Compensating | Status::Parked => false,
        }
    }

    /// Whether the pivot is behind it.
    pub fn is_past_pivot(&self, definition: &Definition) -> bool {
        let done = self.steps.iter().take_while(|step| step.progress == Progress::Done).count();
        definition.is_past_pivot(done)
    }

    /// The call to make now for the aggregate `id`.
    pub fn call(&self, id: &str) -> Option<Call> {
        let direction = match self.status {
            Status::Running => Direction::Do,
            Status::Compensating => Direction::Undo,
            Status::Completed | Status::Compensated | Status::Parked => return None,
        };
        let step = self.index();
        let name = self.steps.get(step)?.name.clone();
        let suffix = match direction {
            Direction::Do => "do",
            Direction::Undo => "undo",
        };
        Some(Call { step, key: format!("{id}/{}/{name}/{suffix}", self.kind), name, direction })
    }

    /// Takes over a saga whose runner has not written in time.
    pub fn claim(&mut self, owner: &str, now: DateTime) {
        owner.clone_into(&mut self.owner);
        self.epoch += 1;
        self.wake_at = Some(after(now, LEASE));
    }

    /// Has somebody look at it at once.
    pub fn wake(&mut self, now: DateTime) {
        if self.wake_at.is_some() {
            self.wake_at = Some(now);
        }
    }

    /// Turns a saga back that has not passed its pivot. Returns whether it goes back now.
    pub fn abort(&mut self, definition: &Definition, reason: &str, now: DateTime) -> bool {
        if self.status != Status::Running || self.is_past_pivot(definition) {
            return false;
        }
        self.go_back(definition, reason, now);
        self.wake(now);
        true
    }

    /// Records what the call in `direction` of step `step` led to; an answer to another call than the current is ignored.
    pub fn record(&mut self, definition: &Definition, call: &Call, outcome: Outcome, now: DateTime, jitter: f64) {
        let is_current = self.index() == call.step
            && match self.status {
                Status::Running => call.direction == Direction::Do,
                Status::Compensating => call.direction == Direction::Undo,
                Status::Completed | Status::Compensated | Status::Parked => false,
            };
        if !is_current {
            return;
        }
        match call.direction {
            Direction::Do => self.forward(definition, outcome, now, jitter),
            Direction::Undo => self.back(definition, outcome, now, jitter),
        }
    }

    fn forward(&mut self, definition: &Definition, outcome: Outcome, now: DateTime, jitter: f64) {
        let past_pivot = self.is_past_pivot(definition);
        match outcome {
            Outcome::Done => {
                self.mark(Progress::Done, None);
                let next = self.index() + 1;
                if next == self.steps.len() {
                    self.end(Status::Completed);
                } else {
                    self.intend(next, now);
                }
            }
            Outcome::Rejected(reason) | Outcome::Refused(reason) | Outcome::Bug(reason) if past_pivot => {
                self.park(reason);
            }
            Outcome::Rejected(reason) => {
                // An earlier attempt whose answer was lost may have had an effect after all.
                let attempts = self.steps.get(self.index()).map_or(0, |step| step.attempt);
                let progress = if attempts > 1 { Progress::Attempted } else { Progress::Rejected };
                self.mark(progress, Some(reason.clone()));
                self.go_back(definition, &reason, now);
            }
            Outcome::Refused(reason) => {
                self.mark(Progress::Done, None);
                self.go_back(definition, &reason, now);
            }
            Outcome::Bug(reason) => {
                self.mark(Progress::Attempted, Some(reason));
                self.go_back(definition, "INTERNAL", now);
            }
            Outcome::Transient(_) | Outcome::Waiting if !past_pivot && now >= self.deadline_at => {
                self.go_back(definition, "DEADLINE_EXCEEDED", now);
            }
            Outcome::Transient(error) => self.try_again(Some(error), now, jitter),
            Outcome::Waiting => self.try_again(None, now, jitter),
        }
    }

    fn back(&mut self, definition: &Definition, outcome: Outcome, now: DateTime, jitter: f64) {
        match outcome {
            Outcome::Done => {
                self.mark(Progress::Compensated, None);
                self.undo_below(definition, self.index(), now);
            }
            Outcome::Transient(error) => self.try_again(Some(error), now, jitter),
            Outcome::Waiting => self.try_again(None, now, jitter),
            Outcome::Rejected(reason) | Outcome::Refused(reason) | Outcome::Bug(reason) => self.park(reason),
        }
    }

    fn go_back(&mut self, definition: &Definition, reason: &str, now: DateTime) {
        self.status = Status::Compensating;
        self.reason = Some(reason.to_owned());
        self.undo_below(definition, self.index() + 1, now);
    }

    /// Intends to undo the last step before `end` that may have had an effect.
    fn undo_below(&mut self, definition: &Definition, end: usize, now: DateTime) {
        let may_have_effect = |(step, state): &(&Step, &StepState)| {
            step.is_compensable && matches!(state.progress, Progress::Attempted | Progress::Done)
        };
        let mut steps = definition.steps.iter().zip(&self.steps).take(end).enumerate();
        let last = steps.rfind(|(_, pair)| may_have_effect(pair)).map(|(index, _)| index);
        match last {
            Some(index) => {
                let progress = self.steps[index].progress;
                self.intend(index, now);
                self.steps[index].progress = progress;
            }
            None => self.end(Status::Compensated),
        }
    }

    fn intend(&mut self, step: usize, now: DateTime) {
        self.step = i32::try_from(step).unwrap_or(i32::MAX);
        if let Some(state) = self.steps.get_mut(step) {
            state.progress = Progress::Attempted;
            state.attempt = 1;
            state.error = None;
        }
        self.wake_at = Some(after(now, LEASE));
    }

    fn try_again(&mut self, error: Option<String>, now: DateTime, jitter: f64) {
        let step = self.index();
        let Some(state) = self.steps.get_mut(step) else { return };
        let is_failure = error.is_some();
        if is_failure {
            state.error = error;
        }
        state.attempt += 1;
        if is_failure && state.attempt > ATTEMPTS_BEFORE_PARKED {
            let error = state.error.clone().unwrap_or_default();
            return self.park(error);
        }
        let doublings = u32::try_from(state.attempt.clamp(2, 20) - 2).unwrap_or(0);
        let longest = FIRST_BACKOFF.saturating_mul(1 << doublings.min(16)).min(LAST_BACKOFF);
        let pause = FIRST_BACKOFF / 2 + longest.mul_f64(jitter.clamp(0.0, 1.0));
        self.wake_at = Some(after(now, pause));
    }

    fn park(&mut self, error: String) {
        let step = self.index();
        if let Some(state) = self.steps.get_mut(step) {
            state.error = Some(error);
        }
        self.status = Status::Parked;
        self.wake_at = None;
    }

    fn end(&mut self, status: Status) {
        self.status = status;
        self.wake_at = None;
    }

    fn mark(&mut self, progress: Progress, error: Option<String>) {
        let step = self.index();
        if let Some(state) = self.steps.get_mut(step) {
            state.progress = progress;
            state.error = error;
        }
    }

    fn index(&self) -> usize {
        usize::try_from(self.step).unwrap_or(usize::MAX)
    }
}

fn after(now: DateTime, pause: Duration) -> DateTime {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now.timestamp_millis().saturating_add(millis))
}
