//! How a saga moves: what a claim, an outcome or an abort does to it. Pure: the time and the jitter are arguments.

use crate::{
    Call, Definition, Direction, Outcome, Progress, Registry, Saga, Status, Step, StepSpec, StepState,
    state::{LEASE, after},
};
use bson::DateTime;
use std::time::Duration;

/// Bound of the first pause between two attempts; it doubles with each. Short, for most failures are one lost connection.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// Bound of the longest pause between two attempts: after an outage a saga goes on within half a minute.
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// The moment of an answer, and a random number from 0 to 1 for the pause that may follow.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: DateTime,
    jitter: f64,
}

impl Saga {
    /// Takes over a saga that is due, to repeat its call. A saga whose definition is not in `registry` is parked: no call of
    /// it is made.
    pub fn claim(&mut self, registry: &Registry<impl Step>, owner: &str, now: DateTime) {
        if self.definition(registry).is_none() {
            self.epoch += 1; // a runner that does know the definition may be making the call
            let (kind, version) = (&self.kind, self.version);
            return self.park(&format!("UNKNOWN_DEFINITION: {kind} version {version} is not known here"), now);
        }
        self.count_attempt();
        self.adopt(owner, now);
    }

    /// Takes over a saga in the same write that made it due.
    pub fn adopt(&mut self, owner: &str, now: DateTime) {
        owner.clone_into(&mut self.owner);
        self.epoch += 1;
        self.wake_at = Some(after(now, LEASE));
    }

    /// Makes its call due at once, as one more attempt.
    pub fn ask_again(&mut self, now: DateTime) {
        self.count_attempt();
        self.wake(now);
    }

    /// Counts for the current step, and for those whose intent was written with its own.
    fn count_attempt(&mut self) {
        let (direction, index) = (self.direction(), self.index());
        match direction {
            Direction::Do => {
                let intended = |state: &&mut StepState| state.progress == Progress::Attempted;
                for state in self.steps.iter_mut().skip(index).take_while(intended) {
                    state.attempts = state.attempts.saturating_add(1);
                }
            }
            Direction::Undo => {
                if let Some(state) = self.current_mut() {
                    state.undo_attempts = state.undo_attempts.saturating_add(1);
                }
            }
        }
    }

    /// Makes it due at once, unless it has ended or is parked.
    pub fn wake(&mut self, now: DateTime) {
        if self.wake_at.is_some() {
            self.wake_at = Some(now);
        }
    }

    /// Turns a saga back that has not passed its pivot. Returns whether it goes back now.
    pub fn abort(&mut self, registry: &Registry<impl Step>, reason: &str, now: DateTime) -> bool {
        let Some(definition) = self.definition(registry) else { return false };
        if self.status != Status::Running || self.is_past_pivot(registry) {
            return false;
        }
        self.go_back(definition, reason, now);
        self.wake(now);
        true
    }

    /// Records what `call` led to. False, and nothing changed, when the saga does not wait for that answer: somebody has
    /// claimed it since, or turned it back.
    pub fn record(
        &mut self,
        registry: &Registry<impl Step>,
        call: &Call,
        outcome: Outcome,
        now: DateTime,
        jitter: f64,
    ) -> bool {
        if !self.expects(call) {
            return false;
        }
        let Some(definition) = self.definition(registry) else { return false };
        let moment = Moment { now, jitter };
        match call.direction {
            Direction::Do => self.forward(definition, outcome, moment),
            Direction::Undo => self.back(definition, outcome, moment),
        }
        true
    }

    fn forward(&mut self, definition: &Definition<impl Step>, outcome: Outcome, moment: Moment) {
        let now = moment.now;
        let past_pivot = definition.is_past_pivot(self.index());
        let may_reject = definition.steps.get(self.index()).is_some_and(|spec| spec.may_reject);
        match outcome {
            Outcome::Done => {
                self.mark(Progress::Done, None, now);
                self.advance(definition, now);
            }
            Outcome::Rejected(reason) | Outcome::GoBack(reason) | Outcome::Bug(reason) if past_pivot => {
                self.park(&reason, now);
            }
            Outcome::Rejected(reason) if may_reject => {
                // An earlier attempt whose answer was lost may have had an effect after all.
                let is_first = self.current().is_some_and(|step| step.attempts == 1 && step.failures == 0);
                let progress = if is_first { Progress::Rejected } else { Progress::Attempted };
                self.mark(progress, Some(reason.clone()), now);
                if is_first {
                    self.forget_intents();
                }
                self.go_back(definition, &reason, now);
            }
            Outcome::GoBack(reason) => {
                self.mark(Progress::Done, None, now);
                self.go_back(definition, &reason, now);
            }
            // An answer that the definition does not expect may hide an effect, so this step is undone with the
            // others.
            Outcome::Bug(reason) | Outcome::Rejected(reason) => {
                self.mark(Progress::Attempted, Some(reason), now);
                self.go_back(definition, "INTERNAL", now);
            }
            Outcome::Transient(error) | Outcome::Undecided(error) => self.try_again(definition, Some(error), moment),
            Outcome::Waiting => self.try_again(definition, None, moment),
            Outcome::Later(at) => self.sleep(at),
        }
    }

    fn back(&mut self, definition: &Definition<impl Step>, outcome: Outcome, moment: Moment) {
        match outcome {
            Outcome::Done => {
                self.mark(Progress::Compensated, None, moment.now);
                self.undo_below(definition, self.index(), moment.now);
            }
            Outcome::Transient(error) | Outcome::Undecided(error) => self.try_again(definition, Some(error), moment),
            Outcome::Waiting => self.try_again(definition, None, moment),
            Outcome::Later(at) => self.sleep(at),
            Outcome::Rejected(reason) | Outcome::GoBack(reason) | Outcome::Bug(reason) => {
                self.park(&reason, moment.now);
            }
        }
    }

    pub(crate) fn advance(&mut self, definition: &Definition<impl Step>, now: DateTime) {
        let next = self.index() + 1;
        if next == self.steps.len() { self.end(Status::Completed) } else { self.intend(definition, next, now) }
    }

    /// Undoes the current step and those before it, and those after it whose intent was written with its own.
    pub(crate) fn go_back(&mut self, definition: &Definition<impl Step>, reason: &str, now: DateTime) {
        self.status = Status::Compensating;
        self.reason = Some(reason.to_owned());
        self.undo_below(definition, self.steps.len(), now);
    }

    /// The current step was refused at its first attempt, so those whose intent was written with its own were not called.
    fn forget_intents(&mut self) {
        let current = self.index();
        for state in self.steps.iter_mut().skip(current + 1) {
            (state.progress, state.attempts) = (Progress::Pending, 0);
        }
    }

    /// Intends to undo the last step before `end` that may have had an effect.
    pub(crate) fn undo_below(&mut self, definition: &Definition<impl Step>, end: usize, now: DateTime) {
        let may_have_effect = |(spec, state): &(&StepSpec<_>, &StepState)| {
            spec.is_compensable && matches!(state.progress, Progress::Attempted | Progress::Done | Progress::Skipped)
        };
        let mut steps = definition.steps.iter().zip(&self.steps).take(end).enumerate();
        match steps.rfind(|(_, pair)| may_have_effect(pair)).map(|(index, _)| index) {
            Some(index) => self.intend(definition, index, now),
            None => self.end(Status::Compensated),
        }
    }

    /// Makes `step` current, in the present direction, for the runner that owns the saga.
    pub(crate) fn intend(&mut self, definition: &Definition<impl Step>, step: usize, now: DateTime) {
        self.step = i32::try_from(step).unwrap_or(i32::MAX);
        self.peer = definition.steps.get(step).map(|spec| spec.step.peer().to_owned());
        self.alarm_at = None;
        let direction = self.direction();
        if let Some(state) = self.current_mut() {
            if direction == Direction::Undo {
                state.undo_attempts = 1;
            }
            (state.failures, state.started_at, state.ended_at) = (0, Some(now), None);
        }
        if direction == Direction::Do {
            self.intend_calls(definition, step);
        }
        self.wake_at = Some(after(now, LEASE));
    }

    /// Writes down that `step` is about to be called, and those whose results are written together with its own.
    fn intend_calls(&mut self, definition: &Definition<impl Step>, step: usize) {
        for (spec, state) in definition.steps.iter().zip(&mut self.steps).skip(step) {
            state.progress = Progress::Attempted;
            state.attempts = state.attempts.max(1); // more when an intent that was written before led to attempts
            if !spec.is_recorded_with_next {
                return;
            }
        }
    }

    /// Repeats the call after a pause, or gives up: before the pivot by going back, else by asking for a person.
    fn try_again(&mut self, definition: &Definition<impl Step>, error: Option<String>, moment: Moment) {
        let (now, direction, index) = (moment.now, self.direction(), self.index());
        let may_give_up = direction == Direction::Do && !definition.is_past_pivot(index);
        // A step before the pivot has a policy of its own; undoing and what follows the pivot share the one that
        // never gives up early.
        let own = definition.steps.get(index).map_or(definition.after_pivot, |spec| spec.retry);
        let retry = if may_give_up { own } else { definition.after_pivot };
        let deadline_at = self.deadline_at;
        let Some(state) = self.current_mut() else { return };
        // A step that only waits, as for the payer, has no failures, and so raises no alarm; its time runs all the
        // same.
        if error.is_some() {
            state.failures += 1;
            state.error = error;
        }
        let is_late = state.started_at.is_some_and(|began| now >= after(began, retry.total_timeout));
        let (failures, said) = (state.failures, state.error.clone().unwrap_or_default());
        let is_spent = failures >= retry.max_attempts || is_late;
        if may_give_up && (is_spent || now >= deadline_at) {
            return self.go_back(definition, "DEADLINE_EXCEEDED", now);
        }
        if is_spent {
            return self.park(&said, now);
        }
        let attempts = match direction {
            Direction::Do => state.attempts,
            Direction::Undo => state.undo_attempts,
        };
        let pause = backoff(attempts, moment.jitter);
        // Before the pivot no person is alarmed: the saga gives up and goes back by itself.
        if !may_give_up && failures >= definition.alarm_after && self.alarm_at.is_none() {
            self.alarm_at = Some(now);
        }
        self.wake_at = Some(after(now, pause));
    }

    /// Repeats the call at `at`, as if that were the first attempt.
    fn sleep(&mut self, at: DateTime) {
        self.alarm_at = None;
        self.wake_at = Some(at);
        if let Some(state) = self.current_mut() {
            (state.failures, state.started_at) = (0, Some(at));
        }
    }

    pub(crate) fn park(&mut self, reason: &str, now: DateTime) {
        if let Some(state) = self.current_mut() {
            state.error = Some(reason.to_owned());
            state.ended_at = Some(now);
        }
        self.status = Status::Parked;
        self.parked = Some(reason.to_owned());
        self.alarm_at.get_or_insert(now);
        // Without a wake time no runner finds the saga; a person must move it on.
        (self.wake_at, self.peer) = (None, None);
    }

    fn end(&mut self, status: Status) {
        self.status = status;
        (self.wake_at, self.peer, self.alarm_at) = (None, None, None);
    }

    pub(crate) fn mark(&mut self, progress: Progress, error: Option<String>, now: DateTime) {
        if let Some(state) = self.current_mut() {
            state.progress = progress;
            state.ended_at = Some(now);
            if error.is_some() {
                state.error = error;
            }
        }
    }
}

/// Full jitter: anything from nothing to the bound, which doubles up to 30 s.
fn backoff(attempt: i32, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempt.clamp(1, 17) - 1).unwrap_or(0);
    FIRST_BACKOFF.saturating_mul(1 << doublings).min(LAST_BACKOFF).mul_f64(jitter.clamp(0.0, 1.0))
}
