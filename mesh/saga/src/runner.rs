//! Makes the calls of sagas: of those started here at once, of those that are due (a timer, or a runner that died) by
//! polling. Each peer has a bulkhead and a poll of its own, so that a slow or dead peer holds up its own calls alone.

use crate::{
    Answer, Call, Direction, Outcome, Saga, SagaStore, Status, Step, StepExecutor, StepSpec,
    bulkhead::Bulkhead,
    store::{Due, UNKNOWN_GRACE, Whose},
};
use bson::DateTime;
use futures::future::join_all;
use std::{sync::Arc, time::Duration};
use telemetry::metrics::{SAGA_FAILING, SAGA_PARKED};
use tokio::sync::{Notify, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Least mean pause between two looks for the next `wake_at`.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Longest mean pause on top of that. A saga that this runner moves tells when it waits; this is how late a saga is found
/// whose runner has died.
const IDLE_INTERVAL: Duration = Duration::from_secs(2);

/// Mean pause between two polls for sagas of unknown definitions, and between two counts of alarms.
const SLOW_POLL_INTERVAL: Duration = Duration::from_secs(15);

/// With more sagas due than one poll claims, polls start up to this many sagas behind the longest due.
const SPREAD: u64 = 1_000;

/// Runs the sagas of one service. Cheap to clone.
pub struct Runner<S: SagaStore>(Arc<Inner<S>>);

struct Inner<S: SagaStore> {
    store: S,
    executor: Box<dyn StepExecutor<S>>,
    owner: String,
    bulkheads: Vec<Bulkhead>,
    /// Tells that a saga of this runner waits for its next attempt.
    waiting: Notify,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// An aggregate after a step, and whether there is more to do now.
struct Moved<T> {
    item: T,
    goes_on: bool,
}

impl<S: SagaStore> Clone for Runner<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: SagaStore> Runner<S> {
    /// A runner that claims as `owner` and starts nothing after `shutdown`.
    pub fn new(store: S, executor: impl StepExecutor<S>, owner: &str, shutdown: CancellationToken) -> Self {
        let peers = store.registry().peers().into_iter().map(Whose::Peer);
        let bulkheads = peers.chain([Whose::Unknown]).map(Bulkhead::new).collect();
        let (executor, tasks) = (Box::new(executor), TaskTracker::new());
        let (owner, waiting) = (owner.to_owned(), Notify::new());
        Self(Arc::new(Inner { store, executor, owner, bulkheads, waiting, tasks, shutdown }))
    }

    pub fn owner(&self) -> &str {
        &self.0.owner
    }

    /// Moves a saga that this runner has just started or adopted. The receiver has the aggregate as this runner has last
    /// written it; it closes when the saga has ended, waits, or is no longer this runner's.
    pub fn spawn(&self, item: S::Item) -> watch::Receiver<S::Item> {
        let (newest, moving) = watch::channel(item);
        let runner = self.clone();
        self.0.tasks.spawn(async move { runner.drive(newest).await }.in_current_span());
        moving
    }

    /// Looks for due sagas until shutdown, then waits for the calls under way.
    pub async fn run(self) {
        let polls = self.0.bulkheads.iter().map(|bulkhead| self.poll(bulkhead));
        tokio::join!(join_all(polls), self.look(), self.count_alarms());
        // The calls under way are waited for, so that a planned stop leaves no attempt without its outcome.
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Claims what is due behind one bulkhead, page after page while there is more than one page.
    async fn poll(&self, bulkhead: &Bulkhead) {
        let mut is_full = false;
        while !self.0.shutdown.is_cancelled() {
            let room = bulkhead.room();
            // More sagas are due than one page has: runners begin at random places, so that they do not fight for the
            // same ones.
            let skip = if is_full { rand::random_range(0..=SPREAD) } else { 0 };
            let found = if room == 0 { 0 } else { self.poll_once(bulkhead, room, skip).await };
            is_full = found == room && room > 0;
            let goes_on = (is_full || skip > 0) && !bulkhead.is_down();
            let rest = async {
                if room == 0 {
                    bulkhead.has_room().await;
                } else if !goes_on {
                    bulkhead.rest(longest_rest(bulkhead)).await;
                }
            };
            self.0.shutdown.run_until_cancelled(rest).await;
        }
    }

    /// Looks when the next saga is due and lets the polls look for it then. So a service at rest asks once for all peers.
    async fn look(&self) {
        while !self.0.shutdown.is_cancelled() {
            let now = self.0.store.now();
            let due_in = match self.0.store.next_wake().await {
                Ok(None) => jittered(IDLE_INTERVAL),
                Ok(Some(next)) => {
                    let millis = next.timestamp_millis().saturating_sub(now.timestamp_millis());
                    Duration::from_millis(u64::try_from(millis).unwrap_or(0)).min(jittered(IDLE_INTERVAL))
                }
                Err(error) => {
                    tracing::debug!(%error, "the next due saga cannot be read");
                    POLL_INTERVAL
                }
            };
            if due_in.is_zero() {
                let peers = self.0.bulkheads.iter().filter(|bulkhead| bulkhead.whose != Whose::Unknown);
                peers.for_each(Bulkhead::wake);
            }
            let rest = async {
                tokio::time::sleep(jittered(POLL_INTERVAL)).await; // many that begin to wait are one look
                let _ = tokio::time::timeout(due_in, self.0.waiting.notified()).await;
            };
            self.0.shutdown.run_until_cancelled(rest).await;
        }
    }

    /// Claims up to `room` sagas side by side and moves them; how many were found.
    async fn poll_once(&self, bulkhead: &Bulkhead, room: usize, skip: u64) -> usize {
        let now = self.0.store.now();
        let until = match bulkhead.whose {
            Whose::Peer(_) => now,
            Whose::Unknown => before(now, UNKNOWN_GRACE),
        };
        let due = Due { whose: bulkhead.whose, until, skip, limit: i64::try_from(room).unwrap_or(i64::MAX) };
        match self.0.store.due(due).await {
            Ok(items) => {
                let found = items.len();
                join_all(items.into_iter().map(|item| self.take_over(item))).await;
                tokio::task::yield_now().await; // those that were taken over get their permits before the next poll
                found
            }
            Err(error) => {
                tracing::debug!(%error, "due sagas cannot be read");
                0
            }
        }
    }

    async fn take_over(&self, item: S::Item) {
        match self.0.store.claim(&item, &self.0.owner).await {
            Ok(Some(claimed)) => {
                let (id, saga) = self.0.store.saga(&item);
                sound_alarm(id, saga, self.0.store.saga(&claimed).1);
                drop(self.spawn(claimed));
            }
            // Another runner was first.
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a due saga cannot be claimed"),
        }
    }

    /// Makes one call after another until the saga ends, waits, or the store fails; then `wake_at` brings it back.
    async fn drive(&self, newest: watch::Sender<S::Item>) {
        let mut goes_on = true;
        // Stopping between two calls loses nothing: the intent is stored, and the end of the lease brings the saga to
        // another runner.
        while goes_on && !self.0.shutdown.is_cancelled() {
            let item = newest.borrow().clone();
            let Some(moved) = self.step(&item).await else { return };
            goes_on = moved.goes_on;
            newest.send_replace(moved.item);
        }
    }

    /// Makes the call that the saga waits for and writes what it led to. `None` when nothing was written.
    async fn step(&self, item: &S::Item) -> Option<Moved<S::Item>> {
        let (id, saga) = self.0.store.saga(item);
        if saga.owner != self.0.owner {
            return None; // somebody else has claimed it
        }
        let answers = self.ask(item, id, saga).await?;
        let last = answers.last()?;
        let (outcome, call) = (last.outcome.clone(), last.call.clone());
        if let Outcome::Bug(error) = &outcome {
            tracing::error!(%id, step = %call.name, %error, "a participant gave an answer that should not be possible");
        }
        match self.0.store.record(item.clone(), answers).await {
            Ok(recorded) => {
                crash_point(&call, "recorded");
                if !recorded.counted {
                    let step = call.name;
                    tracing::info!(%id, %step, ?outcome, "an answer came too late: the saga has moved on without it");
                }
                sound_alarm(id, saga, self.0.store.saga(&recorded.item).1);
                let is_over = matches!(
                    outcome,
                    Outcome::Transient(_) | Outcome::Undecided(_) | Outcome::Waiting | Outcome::Later(_)
                );
                if is_over {
                    self.0.waiting.notify_one();
                }
                Some(Moved { goes_on: recorded.counted && !is_over, item: recorded.item })
            }
            Err(error) => {
                tracing::warn!(%id, step = %call.name, %error, "the outcome of a saga step was not written");
                None
            }
        }
    }

    /// Makes the saga's call, and the next one too while results are to be written together. `None` when it may not be
    /// made now.
    async fn ask(&self, item: &S::Item, id: &str, saga: &Saga) -> Option<Vec<Answer<S::Fact>>> {
        let registry = self.0.store.registry();
        let definition = saga.definition(registry)?;
        let (mut item, mut ahead) = (item.clone(), saga.clone());
        let mut answers = Vec::new();
        loop {
            let call = ahead.call(id)?;
            let spec = definition.steps.get(call.step)?;
            let (outcome, facts) = self.call(&item, &ahead, spec, &call).await?;
            let goes_on = outcome == Outcome::Done && call.direction == Direction::Do && spec.is_recorded_with_next;
            if goes_on {
                // Only this copy moves ahead; both answers are written in one record. A crash before it repeats both
                // calls under their keys.
                ahead.record(registry, &call, Outcome::Done, self.0.store.now(), 0.0);
                ahead.wake_at = saga.wake_at; // the lease is the one that was written
                item = self.0.store.with_facts(item, &facts);
            }
            answers.push(Answer { call, outcome, facts });
            if !goes_on {
                return Some(answers);
            }
        }
    }

    async fn call(
        &self,
        item: &S::Item,
        saga: &Saga,
        spec: &StepSpec<S::Step>,
        call: &Call,
    ) -> Option<(Outcome, Vec<S::Fact>)> {
        let peer = Whose::Peer(spec.step.peer());
        let bulkhead = self.0.bulkheads.iter().find(|bulkhead| bulkhead.whose == peer)?;
        let permit = bulkhead.permit().await?;
        if saga.is_due(self.0.store.now()) {
            return None; // the lease has run out while this process stood still, or waited for the permit
        }
        crash_point(call, "calling");
        let longest = spec.retry.attempt_timeout;
        let answer = tokio::time::timeout(longest, self.0.executor.execute(item, spec.step, call)).await;
        drop(permit);
        crash_point(call, "called");
        let late = || (Outcome::Transient(format!("no answer within {longest:?}")), Vec::new());
        let (outcome, facts) = answer.unwrap_or_else(|_| late());
        // A time-out counts as a failure of the peer, as an error does.
        bulkhead.record(&outcome);
        Some((outcome, facts))
    }

    async fn count_alarms(&self) {
        while !self.0.shutdown.is_cancelled() {
            match self.0.store.alarms().await {
                Ok((parked, failing)) => {
                    SAGA_PARKED.record(parked, []);
                    SAGA_FAILING.record(failing, []);
                }
                Err(error) => tracing::debug!(%error, "parked sagas cannot be counted"),
            }
            self.0.shutdown.run_until_cancelled(tokio::time::sleep(SLOW_POLL_INTERVAL)).await;
        }
    }
}

/// How long a poll rests unless it is woken: sagas of unknown definitions are not among those that are looked for.
fn longest_rest(bulkhead: &Bulkhead) -> Duration {
    match bulkhead.whose {
        Whose::Peer(_) => Duration::MAX,
        Whose::Unknown => jittered(SLOW_POLL_INTERVAL),
    }
}

/// From half to one and a half of the mean, so that replicas do not look at the same moment.
fn jittered(mean: Duration) -> Duration {
    mean.mul_f64(rand::random_range(0.5..1.5))
}

fn before(now: DateTime, pause: Duration) -> DateTime {
    let millis = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    DateTime::from_millis(now.timestamp_millis().saturating_sub(millis))
}

/// Tells people once when a saga keeps failing, and once when it waits for them.
fn sound_alarm(id: &str, before: &Saga, after: &Saga) {
    let step = after.current().map_or("", |step| step.name.as_str());
    if after.status == Status::Parked && before.status != Status::Parked {
        let reason = after.parked.as_deref().unwrap_or_default();
        tracing::error!(%id, kind = %after.kind, step, reason, "a saga is parked: see `comptoir saga show`");
    } else if after.alarm_at.is_some() && before.alarm_at.is_none() {
        let error = after.current().and_then(|step| step.error.as_deref()).unwrap_or_default();
        tracing::error!(%id, kind = %after.kind, step, error, "a saga step keeps failing and must not be given up");
    }
}

/// `saga.<step>.<direction>.<moment>`, for tests that kill or stop the process there.
fn crash_point(call: &Call, moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("saga.{}.{}.{moment}", call.name, call.direction));
    }
}
