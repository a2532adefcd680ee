//! What the engine asks of the service that owns the aggregates: its store, and the calls of its steps.

use crate::{Answer, Call, Outcome, Registry, Saga, Step};
use bson::DateTime;
use std::time::Duration;

/// How long a saga of an unknown definition is left to replicas that may know it; then it is parked.
pub const UNKNOWN_GRACE: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// Those of known definitions whose current step calls this peer.
    Peer(&'static str),
    /// Those of definitions that are not known here.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub struct Due {
    pub whose: Whose,
    /// Latest `wake_at`.
    pub until: DateTime,
    /// Sagas to leave out from the longest due on: runners that begin at different places do not claim the same sagas.
    pub skip: u64,
    pub limit: i64,
}

#[derive(Debug, Clone)]
pub struct Recorded<T> {
    pub item: T,
    /// Whether the first answer counted; it does not once another runner has claimed the saga.
    pub counted: bool,
}

/// The store of the aggregates that sagas move. Cheap to clone.
#[tonic::async_trait]
pub trait SagaStore: Send + Sync + 'static {
    type Item: Clone + Send + Sync + 'static;
    /// What a participant tells, for the aggregate to keep.
    type Fact: Send + Sync;
    type Step: Step;
    type Error: std::fmt::Display + Send;

    /// Every definition that may still be running.
    fn registry(&self) -> &'static Registry<Self::Step>;
    fn saga<'a>(&self, item: &'a Self::Item) -> (&'a str, &'a Saga);
    fn now(&self) -> DateTime {
        DateTime::now()
    }
    /// Aggregates whose `wake_at` has passed, longest first.
    async fn due(&self, due: Due) -> Result<Vec<Self::Item>, Self::Error>;
    /// The earliest `wake_at` of the sagas of known definitions; `None` when none runs.
    async fn next_wake(&self) -> Result<Option<DateTime>, Self::Error>;
    /// Claims the saga for `owner`; `None` when another runner was first.
    async fn claim(&self, item: &Self::Item, owner: &str) -> Result<Option<Self::Item>, Self::Error>;
    /// The aggregate with these facts, not yet written: the next call may depend on them.
    fn with_facts(&self, item: Self::Item, facts: &[Self::Fact]) -> Self::Item;
    /// Writes outcomes, next intent and the aggregate's own change in one; decided on the newest version.
    async fn record(
        &self,
        item: Self::Item,
        answers: Vec<Answer<Self::Fact>>,
    ) -> Result<Recorded<Self::Item>, Self::Error>;
    /// How many sagas are parked, and how many others keep failing.
    async fn alarms(&self) -> Result<(u64, u64), Self::Error>;
}

#[tonic::async_trait]
pub trait StepExecutor<S: SagaStore>: Send + Sync + 'static {
    /// Makes the call of `step` and says what it led to, with what the aggregate keeps of it.
    async fn execute(&self, item: &S::Item, step: S::Step, call: &Call) -> (Outcome, Vec<S::Fact>);
}
