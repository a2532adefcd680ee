//! The events that tell of an erasure.

use crate::domain::Erasure;
use ::store::NewEvent;
use contracts::privacy::v1::{ErasureCompleted, ErasureStarted};

pub fn started(user_id: &str) -> NewEvent {
    NewEvent::of("started", &ErasureStarted { user_id: user_id.to_owned() })
}

/// The events of a change, if anything changed that others see.
pub fn between(user_id: &str, old: &Erasure, new: &Erasure) -> Vec<NewEvent> {
    let completed = new.completed_at.filter(|_| old.completed_at.is_none());
    let event = ErasureCompleted { user_id: user_id.to_owned(), pass_count: new.passes };
    completed.map(|_| NewEvent::of("completed", &event)).into_iter().collect()
}
