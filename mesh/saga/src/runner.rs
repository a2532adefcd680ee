//! Makes the calls of sagas: those started here at once, those that are due (a timer, or a runner that died) by polling,
//! one lane a peer, so that a slow or dead peer holds up its own calls alone.

use crate::{
    Answer, Call, Direction, Host, Outcome, Registry, Saga, Status,
    host::{Due, UNKNOWN_GRACE, Whose},
    lane::Lane,
};
use bson::DateTime;
use futures::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

/// Mean pause between two looks for sagas that are due.
const POLL: Duration = Duration::from_millis(250);

/// The same for those of unknown definitions, and for counting alarms.
const SLOW_POLL: Duration = Duration::from_secs(15);

/// With more due than one look takes, looks start up to so many sagas behind the longest due.
const SPREAD: u64 = 1_000;

/// Runs the sagas of one host. Cheap to clone.
pub struct Runner<H: Host>(Arc<Inner<H>>);

struct Inner<H: Host> {
    host: Arc<H>,
    owner: String,
    lanes: Vec<Lane>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// An aggregate after a step, and whether there is more to do now.
struct Step<T> {
    item: T,
    goes_on: bool,
}

impl<H: Host> Clone for Runner<H> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<H: Host> Runner<H> {
    /// A runner that claims as `owner` and starts nothing after `shutdown`.
    pub fn new(host: Arc<H>, owner: &str, shutdown: CancellationToken) -> Self {
        let peers = host.registry().peers().into_iter().map(Whose::Peer);
        let lanes = peers.chain([Whose::Unknown]).map(Lane::new).collect();
        Self(Arc::new(Inner { host, owner: owner.to_owned(), lanes, tasks: TaskTracker::new(), shutdown }))
    }

    /// Name that this runner claims under.
    pub fn owner(&self) -> &str {
        &self.0.owner
    }

    /// Moves a saga that this runner has just started or adopted. The task ends with the aggregate as this runner last
    /// knew it, when the saga has ended, waits, or is no longer this runner's.
    pub fn spawn(&self, item: H::Item) -> JoinHandle<H::Item> {
        let runner = self.clone();
        self.0.tasks.spawn(async move { runner.drive(item).await }.in_current_span())
    }

    /// Looks for due sagas until shutdown, then waits for the calls under way.
    pub async fn run(self) {
        let lanes = (0..self.0.lanes.len()).map(|lane| self.watch(lane));
        tokio::join!(join_all(lanes), self.count_alarms());
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Claims what is due in one lane, page after page while there is more than one page.
    async fn watch(&self, lane: usize) {
        let Some(lane) = self.0.lanes.get(lane) else { return };
        let mut is_full = false;
        while !self.0.shutdown.is_cancelled() {
            let room = lane.room();
            let skip = if is_full { rand::random_range(0..=SPREAD) } else { 0 };
            let found = if room == 0 { 0 } else { self.look(lane, room, skip).await };
            is_full = found == room && room > 0;
            let goes_on = (is_full || skip > 0) && !lane.is_down();
            let rest = async {
                if room == 0 {
                    lane.has_room().await;
                } else if !goes_on {
                    lane.rest(pause(lane)).await;
                }
            };
            self.0.shutdown.run_until_cancelled(rest).await;
        }
    }

    /// Claims up to `room` sagas side by side and moves them; how many were found.
    async fn look(&self, lane: &Lane, room: usize, skip: u64) -> usize {
        let now = self.0.host.now();
        let until = match lane.whose {
            Whose::Peer(_) => now,
            Whose::Unknown => before(now, UNKNOWN_GRACE),
        };
        let due = Due { whose: lane.whose, until, skip, limit: i64::try_from(room).unwrap_or(i64::MAX) };
        match self.0.host.due(due).await {
            Ok(items) => {
                let found = items.len();
                join_all(items.into_iter().map(|item| self.take_over(item))).await;
                tokio::task::yield_now().await; // those that were taken over get their permits before the next look
                found
            }
            Err(error) => {
                tracing::debug!(%error, "due sagas cannot be read");
                0
            }
        }
    }

    async fn take_over(&self, item: H::Item) {
        match self.0.host.claim(item, &self.0.owner).await {
            Ok(Some(item)) => drop(self.spawn(item)),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "a due saga cannot be claimed"),
        }
    }

    /// Makes one call after another until the saga ends, waits, or the store fails; then `wake_at` brings it back.
    async fn drive(&self, item: H::Item) -> H::Item {
        let mut newest = item;
        while !self.0.shutdown.is_cancelled() {
            match self.step(&newest).await {
                Some(Step { item, goes_on: true }) => newest = item,
                Some(Step { item, goes_on: false }) => return item,
                None => break,
            }
        }
        newest
    }

    /// Makes the call that the saga waits for and writes what it led to. `None` when nothing was written.
    async fn step(&self, item: &H::Item) -> Option<Step<H::Item>> {
        let (id, saga) = self.0.host.saga(item)?;
        if saga.owner != self.0.owner {
            return None; // somebody else has claimed it
        }
        let answers = self.ask(item, id, saga).await?;
        let last = answers.last()?;
        let (outcome, call) = (last.outcome.clone(), last.call.clone());
        if let Outcome::Bug(error) = &outcome {
            tracing::error!(%id, step = %call.name, %error, "a participant gave an answer that should not be possible");
        }
        match self.0.host.record(item.clone(), answers).await {
            Ok(recorded) => {
                crash_point(&call, "recorded");
                if !recorded.counted {
                    let step = call.name;
                    tracing::info!(%id, %step, ?outcome, "an answer came too late: the saga has moved on without it");
                }
                sound_alarm(id, saga, self.0.host.saga(&recorded.item)?.1);
                let is_over = matches!(outcome, Outcome::Transient(_) | Outcome::Undecided(_) | Outcome::Waiting);
                Some(Step { goes_on: recorded.counted && !is_over, item: recorded.item })
            }
            Err(error) => {
                tracing::warn!(%id, step = %call.name, %error, "the outcome of a saga step was not written");
                None
            }
        }
    }

    /// Makes the saga's call, and the next one too while results are to be written together. `None` when it may not be
    /// made now.
    async fn ask(&self, item: &H::Item, id: &str, saga: &Saga) -> Option<Vec<Answer<H::Fact>>> {
        let registry = self.0.host.registry();
        let (mut item, mut ahead) = (item.clone(), saga.clone());
        let mut answers = Vec::new();
        loop {
            let call = ahead.call(id)?;
            let (outcome, facts) = self.call(&item, &ahead, &call).await?;
            let goes_on = outcome == Outcome::Done && is_recorded_with_next(registry, saga, &call);
            if goes_on {
                ahead.record(registry, &call, Outcome::Done, self.0.host.now(), 0.0);
                ahead.wake_at = saga.wake_at; // the lease is the one that was written
                item = self.0.host.learned(item, &facts);
            }
            answers.push(Answer { call, outcome, facts });
            if !goes_on {
                return Some(answers);
            }
        }
    }

    async fn call(&self, item: &H::Item, saga: &Saga, call: &Call) -> Option<(Outcome, Vec<H::Fact>)> {
        let Some(definition) = self.0.host.registry().find(&saga.kind, saga.version) else {
            return Some((Outcome::Bug("UNKNOWN_DEFINITION".to_owned()), Vec::new()));
        };
        let step = definition.steps.get(call.step)?;
        let lane = self.0.lanes.iter().find(|lane| lane.whose == Whose::Peer(step.peer))?;
        let permit = lane.permit().await?;
        if saga.is_due(self.0.host.now()) {
            return None; // the lease has run out while this process stood still, or waited for the permit
        }
        crash_point(call, "calling");
        let longest = step.bounds.attempt;
        let answer = tokio::time::timeout(longest, self.0.host.call(item, call)).await;
        drop(permit);
        crash_point(call, "called");
        let late = || (Outcome::Transient(format!("no answer within {longest:?}")), Vec::new());
        let (outcome, facts) = answer.unwrap_or_else(|_| late());
        lane.note(&outcome);
        Some((outcome, facts))
    }

    async fn count_alarms(&self) {
        while !self.0.shutdown.is_cancelled() {
            match self.0.host.alarms().await {
                Ok((parked, failing)) => {
                    telemetry::gauge("comptoir.saga.parked", i64::try_from(parked).unwrap_or(i64::MAX), &[]);
                    telemetry::gauge("comptoir.saga.failing", i64::try_from(failing).unwrap_or(i64::MAX), &[]);
                }
                Err(error) => tracing::debug!(%error, "parked sagas cannot be counted"),
            }
            self.0.shutdown.run_until_cancelled(tokio::time::sleep(SLOW_POLL)).await;
        }
    }
}

fn is_recorded_with_next(registry: &Registry, saga: &Saga, call: &Call) -> bool {
    let step = registry.find(&saga.kind, saga.version).and_then(|definition| definition.steps.get(call.step));
    call.direction == Direction::Do && step.is_some_and(|step| step.is_recorded_with_next)
}

/// From half to one and a half of the mean, so that replicas do not look at the same moment.
fn pause(lane: &Lane) -> Duration {
    let mean = match lane.whose {
        Whose::Peer(_) => POLL,
        Whose::Unknown => SLOW_POLL,
    };
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
