//! What a person may do to a saga. Pure; each refusal says what to do instead.

use crate::{Direction, Intervention, Progress, Registry, Saga, Status};
use bson::DateTime;

/// Interventions that a saga remembers; older ones are in the log of events.
const REMEMBERED: usize = 100;

/// What a person wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make the call that is waited for now, with its bounds anew.
    Retry,
    /// Go on with a parked saga, in the direction in which it was going.
    Resume,
    /// Turn back a saga that has not passed its pivot.
    Compensate,
    /// Count the current step as done, or as undone, without its call.
    Skip {
        /// Whether the person knows that the step's effect will be missing, or stay.
        acknowledged: bool,
    },
}

impl Action {
    /// The word in records and events.
    pub fn name(self) -> &'static str {
        match self {
            Action::Retry => "RETRY",
            Action::Resume => "RESUME",
            Action::Compensate => "COMPENSATE",
            Action::Skip { .. } => "SKIP",
        }
    }
}

/// Why an intervention is not possible, and what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is left to do.
    #[error("the saga has ended: there is nothing to intervene in")]
    Ended,
    /// Retry of a parked saga.
    #[error("the saga is parked: resume it, or skip its step, or compensate")]
    Parked,
    /// Resume of a live saga.
    #[error("the saga is not parked: retry makes its call now")]
    NotParked,
    /// Compensation after the pivot.
    #[error("the saga has passed its pivot: what it did cannot be undone; resume it, or cancel the order")]
    PastPivot,
    /// Compensation of a saga that goes back.
    #[error("the saga goes back already: retry or resume it, or skip its step")]
    GoingBack,
    /// Skip of a step that has not failed.
    #[error("the step has not failed: wait for its outcome, or retry it")]
    NotFailing,
    /// Skip of the pivot.
    #[error("the pivot cannot be skipped: resume the saga, or compensate")]
    Pivot,
    /// Skip without acknowledgement.
    #[error("skipping this step leaves its effect missing, or in place: acknowledge that if you mean it")]
    NotAcknowledged,
    /// A definition that this build does not have.
    #[error("this build does not know the saga's definition: deploy one that does, then resume it")]
    UnknownDefinition,
}

impl Refusal {
    /// The reason for programs.
    pub fn code(self) -> &'static str {
        match self {
            Refusal::Ended => "SAGA_ENDED",
            Refusal::Parked => "SAGA_PARKED",
            Refusal::NotParked => "SAGA_NOT_PARKED",
            Refusal::PastPivot => "SAGA_PAST_PIVOT",
            Refusal::GoingBack => "SAGA_GOING_BACK",
            Refusal::NotFailing => "SAGA_STEP_NOT_FAILING",
            Refusal::Pivot => "SAGA_PIVOT",
            Refusal::NotAcknowledged => "SAGA_SKIP_NOT_ACKNOWLEDGED",
            Refusal::UnknownDefinition => "SAGA_DEFINITION_UNKNOWN",
        }
    }
}

/// Who intervenes, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Saga {
    /// Does what a person wants and notes it. Unless that ended the saga, it is due at once.
    pub fn intervene(
        &mut self,
        registry: &Registry,
        action: Action,
        operator: &Operator,
        now: DateTime,
    ) -> Result<(), Refusal> {
        if self.has_ended() {
            return Err(Refusal::Ended);
        }
        let definition = registry.find(&self.kind, self.version).ok_or(Refusal::UnknownDefinition)?;
        let step = self.current().map_or_else(String::new, |step| step.name.clone());
        let is_parked = self.status == Status::Parked;
        match action {
            Action::Retry if is_parked => return Err(Refusal::Parked),
            Action::Resume if !is_parked => return Err(Refusal::NotParked),
            Action::Retry | Action::Resume => {
                self.unpark(registry, now);
                self.ask_again(now);
            }
            Action::Compensate => {
                self.may_turn_back(registry)?;
                self.unpark(registry, now);
                self.go_back(definition, "COMPENSATED_BY_OPERATOR", now);
            }
            Action::Skip { acknowledged } => {
                self.may_skip(registry, acknowledged)?;
                self.unpark(registry, now);
                self.mark(Progress::Skipped, None, now);
                match self.direction() {
                    Direction::Do => self.advance(definition, now),
                    Direction::Undo => self.undo_below(definition, self.index(), now),
                }
            }
        }
        self.epoch += 1; // who is making the call now does not know of this
        self.wake(now);
        self.note(action, step, operator, now);
        Ok(())
    }

    /// Makes the current step's call possible again, with its bounds anew.
    fn unpark(&mut self, registry: &Registry, now: DateTime) {
        let direction = self.direction();
        self.status = match direction {
            Direction::Do => Status::Running,
            Direction::Undo => Status::Compensating,
        };
        (self.parked, self.alarm_at, self.wake_at) = (None, None, Some(now));
        let definition = registry.find(&self.kind, self.version);
        let step = definition.and_then(|definition| definition.steps.get(self.index()));
        self.peer = step.map(|step| step.peer.to_owned());
        if let Some(state) = self.current_mut() {
            (state.failures, state.started_at, state.ended_at) = (0, Some(now), None);
        }
    }

    fn may_turn_back(&self, registry: &Registry) -> Result<(), Refusal> {
        match self.direction() {
            Direction::Undo => Err(Refusal::GoingBack),
            Direction::Do if self.is_past_pivot(registry) => Err(Refusal::PastPivot),
            Direction::Do => Ok(()),
        }
    }

    fn may_skip(&self, registry: &Registry, acknowledged: bool) -> Result<(), Refusal> {
        let is_failing = self.current().is_some_and(|step| step.failures > 0);
        if self.status != Status::Parked && !is_failing {
            return Err(Refusal::NotFailing);
        }
        let definition = registry.find(&self.kind, self.version).ok_or(Refusal::UnknownDefinition)?;
        let step = definition.steps.get(self.index()).ok_or(Refusal::UnknownDefinition)?;
        if step.is_pivot && self.direction() == Direction::Do {
            return Err(Refusal::Pivot);
        }
        if step.has_effect && !acknowledged { Err(Refusal::NotAcknowledged) } else { Ok(()) }
    }

    fn note(&mut self, action: Action, step: String, operator: &Operator, now: DateTime) {
        let Operator { actor, reason } = operator.clone();
        self.interventions.push(Intervention { action: action.name().to_owned(), step, actor, reason, at: now });
        let excess = self.interventions.len().saturating_sub(REMEMBERED);
        self.interventions.drain(..excess);
    }
}
