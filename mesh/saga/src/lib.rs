//! Durable sagas: a sequence of calls to other services that ends done or undone, whatever crashes in between.
//!
//! A saga lives in the aggregate that it moves, as a [`Saga`] value: one write advances both. `definition` is the list
//! of steps with every bound, in versions: a running saga keeps its own. `state` is what is stored, `moves` decides what
//! an outcome leads to, `intervene` what a person may do (all pure). `runner` makes the calls, in one `lane` a peer:
//! whoever wrote the intent makes the call; when it dies, `wake_at` passes and another runner claims the saga and makes
//! the same call with the same key. `host` is what the owner of the aggregates does, `participant` what those who are
//! called keep of it.
//!
//! Invariants
//! - An intent is durable before its call; the result of one step and the intent of the next are one write.
//! - An answer counts only in the epoch in which its call was made: a runner that stood still and was replaced writes
//!   nothing, and a participant that its successor has reached refuses its call.
//! - A call whose outcome is unknown is repeated, never assumed; undoing includes the step whose outcome is unknown.
//! - After the pivot nothing is undone. What must not be given up is repeated for a day, with an alarm after some
//!   failures, then parked with its reason; it is never skipped but by a person.
//! - A saga whose definition is not known here is left alone for five minutes, then parked, never guessed.
//! - A peer that does not answer holds up its own calls alone.
//!
//! A crash at any point: the intent is in the aggregate; participants answer a repeated key with the same result.

mod definition;
mod host;
mod intervene;
mod lane;
mod moves;
mod participant;
mod runner;
mod state;

pub use definition::{A_DAY, Bounds, Definition, Registry, Step};
pub use host::{Due, Host, Recorded, UNKNOWN_GRACE, Whose};
pub use intervene::{Action, Operator, Refusal};
pub use participant::{Caller, Callers, Stale};
pub use runner::Runner;
pub use state::{Answer, Call, Direction, Intervention, LEASE, Outcome, Progress, Saga, Status, StepState};
