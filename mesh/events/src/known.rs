//! What the log is known to have of each aggregate, so that it is asked only once. Bounded; forgetting costs a question.

use std::collections::HashMap;

/// Aggregates in one of the two generations.
const CAPACITY: usize = 32_768;

/// The highest archived `seq` by aggregate id. What is not used while `CAPACITY` others are is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Known {
    young: HashMap<String, i64>,
    old: HashMap<String, i64>,
}

impl Known {
    /// The highest `seq` of `id` that is known to be in the log.
    pub fn get(&self, id: &str) -> Option<i64> {
        self.young.get(id).or_else(|| self.old.get(id)).copied()
    }

    /// Notes that the log has everything of `id` up to `seq`.
    pub fn set(&mut self, id: &str, seq: i64) {
        if let Some(known) = self.young.get_mut(id) {
            *known = seq;
            return;
        }
        if self.young.len() >= CAPACITY {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id.to_owned(), seq);
    }
}
