//! The steps of a rebuild: read the logs, follow the streams, compare, hand over, switch.

use super::{
    compare,
    model::{Failure, ReadModel},
    state::Lease,
};
use crate::{
    Color, Error, Event, Handler, HandlerError,
    dead_letters::{self, DeadLetters},
    durable::present,
    lane::Settler,
};
use async_nats::jetstream::consumer::{Info, PullConsumer};
use contracts::events::v1::{RebuildProgress, rebuild_progress::Phase};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use store::Time;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// The consumers of the new copy begin this long before the rebuild, for the clocks of service and broker differ.
const CLOCK_MARGIN: Duration = Duration::from_secs(60);

/// Attempts to read a page of a log, a second apart: a source that restarts is back by then.
const ATTEMPTS: u32 = 20;

/// How long nothing may arrive, and how long documents may differ in their events, before a rebuild ends without a switch.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// In this time everyone has noticed that the old copy must not be filled: longer than [`super::follow::POLL_INTERVAL`].
const HANDOVER: Duration = Duration::from_millis(2500);

/// Pause between two looks at the consumers.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

pub(super) struct Build {
    model: ReadModel,
    lease: Lease,
    color: Color,
    reports: mpsc::Sender<Result<RebuildProgress, Status>>,
    reached: Reached,
}

/// The last event of each log that has been folded.
#[derive(Clone, Default)]
struct Reached(Arc<Mutex<BTreeMap<String, i64>>>);

impl Reached {
    fn note(&self, event: &Event) {
        let mut reached = self.0.lock().expect("no holder panics");
        let last = reached.entry(event.service.clone()).or_default();
        *last = event.log_sequence.max(*last);
    }

    /// Logs have no gaps, so the places add up to the number of events.
    fn events(&self) -> i64 {
        self.0.lock().expect("no holder panics").values().sum()
    }
}

/// Folds into the new copy; counts, and skips what operators have given up.
struct Folding {
    handler: Arc<dyn Handler>,
    given_up: HashSet<String>,
    reached: Reached,
}

#[tonic::async_trait]
impl Handler for Folding {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        if self.given_up.contains(&event.id) {
            self.handler.skip(event).await?;
        } else {
            self.handler.apply(event).await?;
        }
        self.reached.note(event);
        Ok(())
    }

    fn stores_seq(&self) -> bool {
        self.handler.stores_seq()
    }

    async fn skip(&self, event: &Event) -> Result<(), HandlerError> {
        self.handler.skip(event).await
    }
}

impl Build {
    pub fn new(model: ReadModel, lease: Lease, reports: mpsc::Sender<Result<RebuildProgress, Status>>) -> Self {
        let color = lease.seen.color.other();
        Self { model, lease, color, reports, reached: Reached::default() }
    }

    /// Builds the new model and puts it into use. Dropping the future leaves the old one in use.
    pub async fn run(&self) -> Result<RebuildProgress, Failure> {
        let start = store::now();
        let from = Time::from_millis(start.timestamp_millis() - CLOCK_MARGIN.as_millis() as i64);
        self.model.clear(self.color).await?;
        dead_letters::keep_foreign(&self.model.0.database, self.lease.seen.color, self.color).await?;
        let folding: Arc<dyn Handler> = Arc::new(Folding {
            handler: self.model.0.projection.handler(self.color),
            given_up: dead_letters::given_up(&self.model.0.database).await?,
            reached: self.reached.clone(),
        });
        self.read(folding.clone(), start).await?;
        // The consumers begin before the rebuild began, so that no event falls between the end of a log and the start
        // of a stream.
        let consumers = self.model.consumers_of(self.color, folding, Some(from))?;
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        let mut following = JoinSet::new(); // aborted when it is dropped
        following.spawn(consumers.run(stop));
        self.catch_up(&self.ends_of_streams().await?).await?;
        let parts = &self.model.0;
        let (tables, deadline) = (parts.projection.tables(), Instant::now() + STALL_TIMEOUT);
        let hashes = compare::compare(&parts.database, tables, self.lease.seen.color, deadline).await?;
        self.hand_over(from).await?;
        let done = report(Phase::Done, self.reached.events());
        Ok(RebuildProgress { old_hash: hashes.old, new_hash: hashes.new, ..done })
    }

    /// Folds the log of each source as it was at `start`; what was appended later, the consumers deliver.
    async fn read(&self, handler: Arc<dyn Handler>, start: Time) -> Result<(), Failure> {
        let letters = DeadLetters::new(&self.model.0.database, self.color);
        letters.open().await?;
        let settler = Settler { handler, event_sources: self.model.0.event_sources.clone(), letters };
        for source in &self.model.0.sources {
            let mut after = 0;
            loop {
                let page = self.page(source, after).await?;
                let applied = settler.apply_together(&page.iter().collect::<Vec<_>>()).await;
                for (event, _) in page.iter().zip(applied).filter(|(_, is_applied)| !is_applied) {
                    settler.settle(event, None).await?;
                }
                self.report(Phase::Reading).await;
                match page.last() {
                    Some(last) if last.at < start => after = last.log_sequence,
                    _ => break,
                }
            }
        }
        Ok(())
    }

    async fn page(&self, source: &str, after: i64) -> Result<Vec<Event>, Failure> {
        let mut attempt = 1;
        loop {
            match self.model.0.event_sources.after(source, after).await {
                Ok(page) => return Ok(page),
                Err(status) if attempt == ATTEMPTS => {
                    return Err(Failure::Source { service: source.to_owned(), status });
                }
                Err(status) => tracing::debug!(%source, %status, "a log cannot be read now"),
            }
            attempt += 1;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Waits until the new copy has everything up to these places of the streams.
    async fn catch_up(&self, targets: &[(String, u64)]) -> Result<(), Failure> {
        let (mut moved, mut moved_at) = (0, Instant::now());
        loop {
            let (mut sum, mut missing) = (0, None);
            for (source, target) in targets {
                let info = self.info(source, self.color).await?;
                sum += info.as_ref().map_or(0, |info| info.ack_floor.stream_sequence);
                if !info.is_some_and(|info| has_reached(&info, *target)) {
                    missing = Some(source);
                }
            }
            self.report(Phase::CatchingUp).await;
            let Some(missing) = missing else { return Ok(()) };
            if sum > moved {
                (moved, moved_at) = (sum, Instant::now());
            }
            if moved_at.elapsed() > STALL_TIMEOUT {
                return Err(Failure::Stalled(missing.clone()));
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
    }

    /// Stops the filling of the old copy, lets the new one draw level, switches.
    async fn hand_over(&self, from: Time) -> Result<(), Failure> {
        self.lease.hand_over().await?;
        tokio::time::sleep(HANDOVER).await;
        // From here on the old copy stands still, and the new one can draw level with it.
        let mut delivered = Vec::new();
        for source in &self.model.0.sources {
            let info = self.info(source, self.lease.seen.color).await?;
            delivered.push((source.clone(), info.map_or(0, |info| info.delivered.stream_sequence)));
        }
        self.catch_up(&delivered).await?;
        telemetry::crash_point("rebuild.switching");
        self.lease.switch(from).await?;
        telemetry::crash_point("rebuild.switched");
        Ok(())
    }

    async fn ends_of_streams(&self) -> Result<Vec<(String, u64)>, Error> {
        let mut ends = Vec::new();
        for source in &self.model.0.sources {
            let stream = self.model.0.nats.jetstream.get_stream(topology::stream(source)).await.map_err(Error::nats)?;
            ends.push((source.clone(), stream.cached_info().state.last_sequence));
        }
        Ok(ends)
    }

    /// The consumer of `source` for a copy; none when it is not there.
    async fn info(&self, source: &str, color: Color) -> Result<Option<Info>, Error> {
        let (durable, stream) = (color.durable(&self.model.0.service), topology::stream(source));
        let found = self.model.0.nats.jetstream.get_consumer_from_stream(durable, stream).await;
        Ok(present(found)?.map(|consumer: PullConsumer| consumer.cached_info().clone()))
    }

    /// A reader that does not keep up misses reports, and nothing else.
    async fn report(&self, phase: Phase) {
        let _ = self.reports.try_send(Ok(report(phase, self.reached.events())));
    }
}

fn has_reached(info: &Info, target: u64) -> bool {
    info.ack_floor.stream_sequence >= target || (info.num_pending == 0 && info.num_ack_pending == 0)
}

fn report(phase: Phase, applied: i64) -> RebuildProgress {
    RebuildProgress { phase: phase.into(), applied, ..Default::default() }
}
