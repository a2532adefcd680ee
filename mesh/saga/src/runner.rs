//! Makes the calls of sagas: those started here at once, those that are due (a timer, or a runner that died) by polling.

use crate::{Call, Outcome, Saga};
use bson::DateTime;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Sagas that one process moves at the same time.
const CONCURRENCY: usize = 256;

/// Pause between two looks for sagas that are due.
const POLL: Duration = Duration::from_millis(250);

/// Sagas that one look takes.
const BATCH: i64 = 100;

/// The service that owns the aggregates.
#[tonic::async_trait]
pub trait Host: Send + Sync + 'static {
    /// An aggregate with its version.
    type Item: Send + Sync + 'static;
    /// What a participant tells, for the aggregate to keep.
    type Fact: Send + Sync;
    /// Why the store failed.
    type Error: std::fmt::Display + Send;

    /// Identifier and saga of an aggregate; no saga, nothing to do.
    fn saga<'a>(&self, item: &'a Self::Item) -> Option<(&'a str, &'a Saga)>;
    /// Aggregates whose `wake_at` has passed, longest first.
    async fn due(&self, now: DateTime, limit: i64) -> Result<Vec<Self::Item>, Self::Error>;
    /// Claims the saga for `owner`; `None` when somebody else was first.
    async fn claim(&self, item: Self::Item, owner: &str) -> Result<Option<Self::Item>, Self::Error>;
    /// Makes the call and says what it led to, with what the aggregate keeps of it.
    async fn call(&self, item: &Self::Item, call: &Call) -> (Outcome, Option<Self::Fact>);
    /// Writes outcome, next intent and the aggregate's own change in one; decided on the newest version.
    async fn record(
        &self,
        item: Self::Item,
        call: &Call,
        outcome: Outcome,
        fact: Option<Self::Fact>,
    ) -> Result<Self::Item, Self::Error>;
}

/// Runs the sagas of one host. Cheap to clone.
pub struct Runner<H: Host> {
    host: Arc<H>,
    owner: Arc<str>,
    permits: Arc<Semaphore>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl<H: Host> Clone for Runner<H> {
    fn clone(&self) -> Self {
        Self {
            host: self.host.clone(),
            owner: self.owner.clone(),
            permits: self.permits.clone(),
            tasks: self.tasks.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
}

impl<H: Host> Runner<H> {
    /// A runner that claims as `owner` and starts nothing after `shutdown`.
    pub fn new(host: Arc<H>, owner: &str, shutdown: CancellationToken) -> Self {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        Self { host, owner: owner.into(), permits, tasks: TaskTracker::new(), shutdown }
    }

    /// Name that this runner claims under.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Moves a saga whose intent this process has just written.
    pub fn spawn(&self, item: H::Item) {
        let runner = self.clone();
        self.tasks.spawn(async move {
            let Ok(_permit) = runner.permits.clone().acquire_owned().await else { return };
            runner.drive(item).await;
        });
    }

    /// Looks for due sagas until shutdown, then waits for the calls under way.
    pub async fn run(self) {
        while !self.shutdown.is_cancelled() {
            match self.host.due(DateTime::now(), BATCH).await {
                Ok(items) => {
                    for item in items {
                        self.take_over(item).await;
                    }
                }
                Err(error) => tracing::debug!(%error, "due sagas cannot be read"),
            }
            self.shutdown.run_until_cancelled(tokio::time::sleep(POLL)).await;
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn take_over(&self, item: H::Item) {
        match self.host.claim(item, &self.owner).await {
            Ok(Some(item)) => self.spawn(item),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a due saga cannot be claimed"),
        }
    }

    /// Makes one call after another until the saga ends, waits, or the store fails; then `wake_at` brings it back.
    async fn drive(&self, mut item: H::Item) {
        let Some(epoch) = self.host.saga(&item).map(|(_, saga)| saga.epoch) else { return };
        while !self.shutdown.is_cancelled() {
            let Some((id, saga)) = self.host.saga(&item) else { return };
            if saga.epoch != epoch {
                return; // somebody else has claimed it
            }
            let Some(call) = saga.call(id) else { return };
            let id = id.to_owned();
            let (outcome, fact) = self.host.call(&item, &call).await;
            let pause = matches!(outcome, Outcome::Transient(_) | Outcome::Waiting);
            match self.host.record(item, &call, outcome, fact).await {
                Ok(next) => item = next,
                Err(error) => {
                    tracing::warn!(%id, step = %call.name, %error, "the outcome of a saga step was not written");
                    return;
                }
            }
            if pause {
                return;
            }
        }
    }
}
