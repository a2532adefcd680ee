//! The participant's side: the fencing token of a call, and what a document keeps of the calls that changed it. Pure.

use serde::{Deserialize, Serialize};

/// The step that calls, with the fencing token of its runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepCall {
    /// Its key, the same on every attempt.
    pub step_key: String,
    /// Epoch of the claim under which its runner calls, from 1; grows over all sagas of an aggregate.
    pub epoch: i64,
}

/// What a participant's document keeps of the steps that changed it, written together with what they changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepCalls {
    keys: Vec<String>,
    /// The highest epoch under which one of them called.
    epoch: i64,
}

/// The call of a runner that has been replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a runner of epoch {newest} has been here, and this call is of epoch {called}")]
pub struct Stale {
    called: i64,
    newest: i64,
}

impl StepCalls {
    /// Refuses a call of an earlier epoch than one that has had an effect: what it knows of the saga is no longer true.
    pub fn admit(&self, call: &StepCall) -> Result<(), Stale> {
        if call.epoch < self.epoch { Err(Stale { called: call.epoch, newest: self.epoch }) } else { Ok(()) }
    }

    /// With one more, which changes the document.
    pub fn with(mut self, call: &StepCall) -> Self {
        // A repeated call has its key already, so the list grows with the steps and not with their attempts.
        if !self.keys.contains(&call.step_key) {
            self.keys.push(call.step_key.clone());
        }
        self.epoch = self.epoch.max(call.epoch);
        self
    }
}
