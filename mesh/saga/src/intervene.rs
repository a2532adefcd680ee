//! What a person may do to a saga. Pure; each error says what to do instead.

use crate::{Definition, Direction, Intervention, Progress, Registry, Saga, Status, Step};
use bson::DateTime;

/// Most interventions that a saga keeps, for they are in its aggregate; older ones are in the log of events.
const REMEMBERED: usize = 100;

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
pub enum InterventionError {
    #[error("the saga has ended: there is nothing to intervene in")]
    Ended,
    #[error("the saga is parked: resume it, or skip its step, or compensate")]
    Parked,
    #[error("the saga is not parked: retry makes its call now")]
    NotParked,
    #[error(
        "the saga has passed its pivot: what it did cannot be undone; resume it, and let a later saga make up for it"
    )]
    PastPivot,
    #[error("the saga goes back already: retry or resume it, or skip its step")]
    GoingBack,
    /// Skip of a step that has not failed.
    #[error("the step has not failed: wait for its outcome, or retry it")]
    NotFailing,
    #[error("the pivot cannot be skipped: resume the saga, or compensate")]
    Pivot,
    #[error("skipping this step leaves its effect missing, or in place: acknowledge that if you mean it")]
    NotAcknowledged,
    /// A definition that this build does not have.
    #[error("this build does not know the saga's definition: deploy one that does, then resume it")]
    UnknownDefinition,
}

impl InterventionError {
    pub fn code(self) -> &'static str {
        match self {
            InterventionError::Ended => "SAGA_ENDED",
            InterventionError::Parked => "SAGA_PARKED",
            InterventionError::NotParked => "SAGA_NOT_PARKED",
            InterventionError::PastPivot => "SAGA_PAST_PIVOT",
            InterventionError::GoingBack => "SAGA_GOING_BACK",
            InterventionError::NotFailing => "SAGA_STEP_NOT_FAILING",
            InterventionError::Pivot => "SAGA_PIVOT",
            InterventionError::NotAcknowledged => "SAGA_SKIP_NOT_ACKNOWLEDGED",
            InterventionError::UnknownDefinition => "SAGA_DEFINITION_UNKNOWN",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub actor: String,
    pub reason: String,
}

impl Saga {
    /// Carries out the action of a person and keeps it with the saga, which is due at once unless it has ended.
    pub fn intervene(
        &mut self,
        registry: &Registry<impl Step>,
        action: Action,
        operator: &Operator,
        now: DateTime,
    ) -> Result<(), InterventionError> {
        if self.has_ended() {
            return Err(InterventionError::Ended);
        }
        let definition = self.definition(registry).ok_or(InterventionError::UnknownDefinition)?;
        let step = self.current().map_or_else(String::new, |step| step.name.clone());
        let is_parked = self.status == Status::Parked;
        match action {
            Action::Retry if is_parked => return Err(InterventionError::Parked),
            Action::Resume if !is_parked => return Err(InterventionError::NotParked),
            Action::Retry | Action::Resume => {
                self.unpark(definition, now);
                self.ask_again(now);
            }
            Action::Compensate => {
                self.may_turn_back(registry)?;
                self.unpark(definition, now);
                self.go_back(definition, "COMPENSATED_BY_OPERATOR", now);
            }
            Action::Skip { acknowledged } => {
                self.may_skip(definition, acknowledged)?;
                self.unpark(definition, now);
                self.mark(Progress::Skipped, None, now);
                match self.direction() {
                    Direction::Do => self.advance(definition, now),
                    Direction::Undo => self.undo_below(definition, self.index(), now),
                }
            }
        }
        self.epoch += 1; // the runner that is making the call now does not know of the intervention
        self.wake(now);
        self.keep_intervention(action, step, operator, now);
        Ok(())
    }

    /// Makes the current step's call possible again, with all of its attempts and time.
    fn unpark(&mut self, definition: &Definition<impl Step>, now: DateTime) {
        self.status = match self.direction() {
            Direction::Do => Status::Running,
            Direction::Undo => Status::Compensating,
        };
        (self.parked, self.alarm_at, self.wake_at) = (None, None, Some(now));
        self.peer = definition.steps.get(self.index()).map(|spec| spec.step.peer().to_owned());
        if let Some(state) = self.current_mut() {
            (state.failures, state.started_at, state.ended_at) = (0, Some(now), None);
        }
    }

    fn may_turn_back(&self, registry: &Registry<impl Step>) -> Result<(), InterventionError> {
        match self.direction() {
            Direction::Undo => Err(InterventionError::GoingBack),
            Direction::Do if self.is_past_pivot(registry) => Err(InterventionError::PastPivot),
            Direction::Do => Ok(()),
        }
    }

    fn may_skip(&self, definition: &Definition<impl Step>, acknowledged: bool) -> Result<(), InterventionError> {
        let is_failing = self.current().is_some_and(|step| step.failures > 0);
        if self.status != Status::Parked && !is_failing {
            return Err(InterventionError::NotFailing);
        }
        let is_pivot = definition.steps.get(self.index()).is_some_and(|spec| spec.is_pivot);
        if is_pivot && self.direction() == Direction::Do {
            return Err(InterventionError::Pivot);
        }
        if acknowledged { Ok(()) } else { Err(InterventionError::NotAcknowledged) }
    }

    fn keep_intervention(&mut self, action: Action, step: String, operator: &Operator, now: DateTime) {
        let Operator { actor, reason } = operator.clone();
        self.interventions.push(Intervention { action: action.name().to_owned(), step, actor, reason, at: now });
        let excess = self.interventions.len().saturating_sub(REMEMBERED);
        self.interventions.drain(..excess);
    }
}
