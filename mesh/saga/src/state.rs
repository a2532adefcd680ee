//! What is stored of a saga, and what can be read off it. Pure.

use crate::{Definition, Registry, Step, StepCall};
use bson::DateTime;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// How long a runner may hold a saga without writing to it: longer than any attempt, and the delay after a crash.
pub const LEASE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Running,
    /// Its steps are undone, the last one first.
    Compensating,
    Completed,
    Compensated,
    /// It waits for a person; `parked` says why.
    Parked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Progress {
    Pending,
    /// Its intent is written; whether the call had an effect is not known.
    Attempted,
    Done,
    /// The participant has refused it: it had no effect.
    Rejected,
    Compensated,
    /// A person has left it out.
    Skipped,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepState {
    pub name: String,
    pub progress: Progress,
    pub attempts: i32,
    pub undo_attempts: i32,
    /// Failed attempts in a row, in the present direction.
    pub failures: i32,
    /// First attempt in the present direction.
    pub started_at: Option<DateTime>,
    /// When its last outcome was known.
    pub ended_at: Option<DateTime>,
    /// What the last failed attempt said.
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervention {
    /// What: RETRY, RESUME, COMPENSATE or SKIP.
    pub action: String,
    pub step: String,
    pub actor: String,
    pub reason: String,
    pub at: DateTime,
}

/// A saga, stored in the aggregate that it moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saga {
    pub kind: String,
    pub version: i32,
    pub status: Status,
    pub step: i32,
    /// The service that the current step calls. `None` when it has ended or is parked.
    pub peer: Option<String>,
    pub steps: Vec<StepState>,
    /// Why it goes back. `None` while it goes forward.
    pub reason: Option<String>,
    pub parked: Option<String>,
    /// When the alarm was raised: the current step keeps failing, or the saga is parked.
    pub alarm_at: Option<DateTime>,
    /// When a runner must look at it: the next attempt, or the end of the present runner's lease. `None` when it has ended or
    /// is parked.
    pub wake_at: Option<DateTime>,
    pub owner: String,
    /// Grows with each claim; an answer of an earlier epoch is refused.
    pub epoch: i64,
    pub started_at: DateTime,
    /// When it is undone unless it has passed its pivot.
    pub deadline_at: DateTime,
    pub interventions: Vec<Intervention>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Do,
    Undo,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Do => "do",
            Direction::Undo => "undo",
        })
    }
}

/// The call that a saga is about to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub step: usize,
    pub name: String,
    pub direction: Direction,
    /// The same for every attempt: `<aggregate>/<kind>/<step>/<direction>`.
    pub key: String,
    /// Epoch of the claim under which it is made.
    pub epoch: i64,
}

impl Call {
    /// The call as its participant sees it.
    pub fn step_call(&self) -> StepCall {
        StepCall { step_key: self.key.clone(), epoch: self.epoch }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The participant has done it, or undone it.
    Done,
    /// The participant refuses: the call had no effect and never will have one.
    Rejected(String),
    /// The step is done, but the saga must go back, this step included.
    GoBack(String),
    /// There is no answer, or the peer is in trouble: the same call is repeated.
    Transient(String),
    /// The attempt failed although the peer works: it waits for another service, or was asked at a bad moment. The same call
    /// is repeated.
    Undecided(String),
    /// Nothing is decided yet, and nothing failed: the same call is repeated later.
    Waiting,
    /// The same call is to be made at this moment, and nothing failed. It may be weeks away: no bound runs until then.
    Later(DateTime),
    /// The answer should not be possible.
    Bug(String),
}

/// What a call led to, with what the aggregate keeps of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer<F> {
    pub call: Call,
    pub outcome: Outcome,
    pub facts: Vec<F>,
}

impl Saga {
    /// A saga whose first call `owner` is about to make.
    pub fn start(definition: &Definition<impl Step>, owner: &str, now: DateTime) -> Self {
        let steps = definition.steps.iter().map(|spec| StepState {
            name: spec.step.name().to_owned(),
            progress: Progress::Pending,
            attempts: 0,
            undo_attempts: 0,
            failures: 0,
            started_at: None,
            ended_at: None,
            error: None,
        });
        let mut saga = Self {
            kind: definition.kind.to_owned(),
            version: definition.version,
            status: Status::Running,
            step: 0,
            peer: None,
            steps: steps.collect(),
            reason: None,
            parked: None,
            alarm_at: None,
            wake_at: None,
            owner: owner.to_owned(),
            epoch: 1,
            started_at: now,
            deadline_at: after(now, definition.deadline),
            interventions: Vec::new(),
        };
        saga.intend(definition, 0, now);
        saga
    }

    /// The saga that comes after this one in the same aggregate, moved on by the same runner.
    pub fn followed_by(&self, definition: &Definition<impl Step>, now: DateTime) -> Self {
        let next = Self::start(definition, &self.owner, now);
        Self { epoch: self.epoch + 1, interventions: self.interventions.clone(), ..next }
    }

    /// Whether no call will follow.
    pub fn has_ended(&self) -> bool {
        match self.status {
            Status::Completed | Status::Compensated => true,
            Status::Running | Status::Compensating | Status::Parked => false,
        }
    }

    /// Whether it goes forward or back, or did when it was parked.
    pub fn direction(&self) -> Direction {
        if self.reason.is_some() { Direction::Undo } else { Direction::Do }
    }

    /// Whether it is time to look at it.
    pub fn is_due(&self, now: DateTime) -> bool {
        self.wake_at.is_some_and(|wake_at| wake_at <= now)
    }

    /// Whether the pivot is behind it: then nothing is undone. A saga of an unknown definition may have passed it.
    pub fn is_past_pivot(&self, registry: &Registry<impl Step>) -> bool {
        if self.direction() == Direction::Undo {
            return false; // what was skipped on the way back was not done
        }
        let is_over = |step: &&StepState| matches!(step.progress, Progress::Done | Progress::Skipped);
        let over = self.steps.iter().take_while(is_over).count();
        self.definition(registry).is_none_or(|definition| definition.is_past_pivot(over))
    }

    /// The definition that it was started with. Another version is not that definition, nor is one without a stored step:
    /// nothing is guessed.
    pub fn definition<S: Step>(&self, registry: &Registry<S>) -> Option<&'static Definition<S>> {
        let stored = || self.steps.iter().map(|state| state.name.as_str());
        let mut versions =
            registry.0.iter().copied().filter(|known| (known.kind, known.version) == (&self.kind, self.version));
        versions.find(|known| known.steps.iter().map(|spec| spec.step.name()).eq(stored()))
    }

    pub fn current(&self) -> Option<&StepState> {
        self.steps.get(self.index())
    }

    /// The call to make now for the aggregate `id`.
    pub fn call(&self, id: &str) -> Option<Call> {
        if !self.is_live() {
            return None;
        }
        let (direction, name) = (self.direction(), self.current()?.name.clone());
        // The epoch is not part of the key: a participant must recognize the call of a runner that has been replaced.
        let key = format!("{id}/{}/{name}/{direction}", self.kind);
        Some(Call { step: self.index(), key, name, direction, epoch: self.epoch })
    }

    /// Whether an answer to `call` still counts: nobody has claimed the saga since, and it waits for that answer.
    pub fn expects(&self, call: &Call) -> bool {
        let is_live = self.is_live();
        is_live && call.epoch == self.epoch && call.step == self.index() && call.direction == self.direction()
    }

    /// Whether it waits for the answer to a call of `step`.
    pub fn awaits(&self, step: impl Step, direction: Direction) -> bool {
        self.is_live()
            && direction == self.direction()
            && self.current().is_some_and(|current| current.name == step.name())
    }

    fn is_live(&self) -> bool {
        matches!(self.status, Status::Running | Status::Compensating)
    }

    pub(crate) fn index(&self) -> usize {
        usize::try_from(self.step).unwrap_or(usize::MAX)
    }

    pub(crate) fn current_mut(&mut self) -> Option<&mut StepState> {
        let index = self.index();
        self.steps.get_mut(index)
    }
}

pub(crate) fn after(now: DateTime, pause: Duration) -> DateTime {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now.timestamp_millis().saturating_add(millis))
}
