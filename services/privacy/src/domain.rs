//! An erasure: its receipts, its passes, and what an answer makes of it. Pure.

pub mod definition;
#[cfg(test)]
mod tests;

use ::store::Time;
use definition::{ERASE_USER, SAGAS, Step};
use saga::{Answer, Direction, Outcome, Saga, Status};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Fewest passes: a call that had read the account before it was deleted may have written after the first one.
const FEWEST_PASSES: i32 = 2;

/// The pause grows with each pass up to this many times the first one: a parcel may be on its way for weeks.
const LONGEST_PAUSE: i32 = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// A pass is under way.
    Erasing,
    /// A pass is over, and another one will follow.
    Waiting,
    Completed,
}

/// What a service has told last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub service: String,
    /// Documents that it has erased, in all passes.
    pub erased: i64,
    /// Documents that it must keep for now.
    pub remaining: i64,
    pub at: Time,
}

/// The erasure of a user, under the user's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    pub state: State,
    /// In the order in which the services are asked.
    pub receipts: Vec<Receipt>,
    /// Passes that are over.
    pub passes: i32,
    /// When the last of them was over.
    pub passed_at: Option<Time>,
    pub created_at: Time,
    pub updated_at: Time,
    pub completed_at: Option<Time>,
    /// The pass that is under way, with the pause after it; the last one once the erasure is complete.
    pub saga: Saga,
}

impl Erasure {
    /// An erasure whose first call `owner` is about to make.
    pub fn start(owner: &str, now: Time) -> Self {
        Self {
            state: State::Erasing,
            receipts: Vec::new(),
            passes: 0,
            passed_at: None,
            created_at: now,
            updated_at: now,
            completed_at: None,
            saga: Saga::start(&ERASE_USER, owner, now),
        }
    }

    /// Whether no service has personal data any more.
    fn is_done(&self) -> bool {
        self.passes >= FEWEST_PASSES && self.receipts.iter().all(|receipt| receipt.remaining == 0)
    }

    /// What comes of the pause that this erasure is in: its end, at once when nothing is left to do, or that it goes on.
    pub fn pause(&self, first: Duration, now: Time) -> Outcome {
        let millis = i64::try_from(first.as_millis()).unwrap_or(i64::MAX);
        let pause = millis.saturating_mul(i64::from(self.passes.clamp(1, LONGEST_PAUSE)));
        let since = self.passed_at.unwrap_or(now).timestamp_millis();
        let next = Time::from_millis(since.saturating_add(pause));
        if self.is_done() || next <= now { Outcome::Done } else { Outcome::Later(next) }
    }

    /// This erasure with the receipts of an answer.
    pub fn with(mut self, receipts: &[Receipt]) -> Self {
        for receipt in receipts {
            match self.receipts.iter_mut().find(|known| known.service == receipt.service) {
                Some(known) => {
                    *known = Receipt { erased: known.erased.saturating_add(receipt.erased), ..receipt.clone() }
                }
                None => self.receipts.push(receipt.clone()),
            }
        }
        self
    }

    /// This erasure after an answer to its saga. None when the answer does not count.
    pub fn record(&self, answer: &Answer<Receipt>, now: Time, jitter: f64) -> Option<Self> {
        let Answer { call, outcome, facts } = answer;
        let mut next = self.clone();
        if !next.saga.record(SAGAS, call, outcome.clone(), now, jitter) {
            return None;
        }
        next = next.with(facts);
        next.updated_at = now;
        let was_paused = self.saga.awaits(Step::Pause, Direction::Do);
        let is_paused = next.saga.awaits(Step::Pause, Direction::Do);
        if is_paused && !was_paused {
            (next.passes, next.passed_at) = (self.passes.saturating_add(1), Some(now));
        }
        if next.saga.status != Status::Completed {
            next.state = if is_paused { State::Waiting } else { State::Erasing };
        } else if next.is_done() {
            (next.state, next.completed_at) = (State::Completed, Some(now));
        } else {
            next.state = State::Erasing;
            next.saga = next.saga.followed_by(&ERASE_USER, now);
        }
        Some(next)
    }
}
