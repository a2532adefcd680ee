//! Durable sagas: a sequence of calls to other services that ends done or undone, whatever crashes in between.
//!
//! A saga lives in the aggregate that it moves, as a [`Saga`] value: one write advances both. `definition` is the list of
//! steps with every bound, in versions: a running saga keeps its own. `state` is what is stored, `moves` decides what an
//! outcome leads to, `intervene` what a person may do (all pure). `runner` makes the calls, through one `bulkhead` a peer:
//! the runner that wrote an intent makes its call; when that runner dies, `wake_at` passes and another one claims the saga
//! and makes the same call with the same key. `store` is what the service that owns the aggregates implements: its store,
//! and one total match from step and direction to a call. `participant` is what the called services keep of a call.
//!
//! Invariants
//! - An intent is durable before its call; the result of one step and the intent of the next are one write.
//! - An answer counts only in the epoch in which its call was made: a runner that stood still and was replaced writes
//!   nothing, and a participant that its successor has reached refuses its call.
//! - A call whose outcome is unknown is repeated, never assumed; undoing includes the step whose outcome is unknown.
//! - After the pivot nothing is undone. What must not be given up is repeated for a day, with an alarm after some
//!   failures, then parked with its reason; it is never skipped but by a person.
//! - A saga whose definition is not known here is left alone for five minutes; the claim then parks it. Nothing is guessed.
//! - A step without a call does not compile, and a stored step that is not known makes its definition unknown.
//! - A peer that does not answer holds up its own calls alone.
//!
//! A crash at any point: the intent is in the aggregate; participants answer a repeated key with the same result.

mod bulkhead;
mod definition;
mod intervene;
mod moves;
mod participant;
mod runner;
mod state;
mod store;

pub use definition::{A_DAY, Definition, Registry, RetryPolicy, Step, StepSpec};
pub use intervene::{Action, InterventionError, Operator};
pub use participant::{Stale, StepCall, StepCalls};
pub use runner::Runner;
pub use state::{Answer, Call, Direction, Intervention, LEASE, Outcome, Progress, Saga, Status, StepState};
pub use store::{Due, Recorded, SagaStore, StepExecutor, Whose};
