//! Durable sagas: a sequence of calls to other services that ends done or undone, whatever crashes in between.
//!
//! A saga lives in the aggregate that it moves, as a [`Saga`] value: one write advances both. `definition` is the list
//! of steps, `state` decides what an outcome leads to (pure), `runner` makes the calls: whoever wrote the intent makes
//! the call; when it dies, `wake_at` passes and another runner claims the saga and makes the same call with the same key.
//!
//! Invariants: an intent is durable before its call; the result of one step and the intent of the next are one write; a
//! call whose outcome is unknown is repeated, never assumed; undoing includes the step whose outcome is unknown; after
//! the pivot nothing is undone. Participants answer a repeated key with the same result.

mod definition;
mod runner;
mod state;

pub use definition::{Definition, Step};
pub use runner::{Host, Runner};
pub use state::{Call, Direction, Outcome, Progress, Saga, Status, StepState};
