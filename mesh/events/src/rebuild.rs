//! A read model that can be built anew beside the one in use, and put into its place without downtime.
//!
//! It lives in one of two [`Slot`]s. A rebuild empties the idle slot, folds the logs of the sources into it, follows
//! their streams with consumers of its own until nothing is left, compares both slots, and switches. Nothing is read
//! from the new slot before the switch, and nothing is lost when a rebuild ends in the middle: the next one starts clean.

mod build;
mod compare;
mod follow;
mod state;

pub use state::InUse;

use crate::{Consumers, Error, Handler, Nats, Owners, Settling, Slot, dead_letters};
use ::rpc::status;
use async_nats::{
    datetime,
    jetstream::{
        ErrorCode,
        consumer::DeliverPolicy,
        stream::{ConsumerError, ConsumerErrorKind},
    },
};
use bson::{Document, doc};
use build::Build;
use contracts::events::v1::{RebuildProgress, rebuild_progress::Phase};
use mongodb::Database;
use state::{Lease, State};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use store::Time;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

/// Reports that wait for a slow reader.
const REPORTS: usize = 64;

/// How long to wait for the lease: whoever tidies up has it for a moment only.
const LEASE_PATIENCE: Duration = Duration::from_secs(1);

/// After a switch nobody reads or fills the old slot any more: longer than [`state::FRESH`] and [`follow::LOOK`].
const SETTLED: Duration = Duration::from_millis(1500);

/// A collection of a read model. Each document is a fold of its own events alone, in the order of each source.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name in slot A.
    pub collection: &'static str,
    /// The field that tells which events are in a document: a `seq`, or one for each aggregate that it is folded from.
    pub applied: &'static str,
    /// Further fields that depend on how a document came about and not on its events.
    pub bookkeeping: &'static [&'static str],
}

/// What a service tells of its read model.
pub trait Projection: Send + Sync + 'static {
    /// The collections that the events are folded into; there is one of each in both slots.
    fn tables(&self) -> &'static [Table];

    /// Folds events into `slot`.
    fn handler(&self, slot: Slot) -> Arc<dyn Handler>;
}

/// The read model of one service. Cheap to clone.
#[derive(Clone)]
pub struct ReadModel(Arc<Parts>);

/// What a read model is made of.
pub struct Parts {
    /// The broker.
    pub nats: Nats,
    /// The service's database.
    pub database: Database,
    /// The service, as in the topology.
    pub service: String,
    /// The services whose events are folded.
    pub sources: Vec<String>,
    /// Their logs.
    pub owners: Owners,
    /// What is made of the events.
    pub projection: Arc<dyn Projection>,
    /// Ends a rebuild that is under way.
    pub shutdown: CancellationToken,
    /// The consumers of the slot in use, once there are any.
    pub current: Mutex<Option<Consumers>>,
}

/// Why a rebuild ended without a switch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A log could not be read.
    #[error("the log of {service} cannot be read: {}", .status.message())]
    Source { service: String, status: Status },
    /// The new model lacks events that the old one has.
    #[error(
        "the document {id} of {collection} lacks events in the new read model; look at the dead letters and the log"
    )]
    Behind { collection: &'static str, id: String },
    /// The streams could not be followed to their end.
    #[error("the events of {0} do not arrive")]
    Stalled(String),
    /// The caller.
    #[error("the caller left")]
    Left,
    /// This process.
    #[error("the service is stopping")]
    Stopped,
    /// A store.
    #[error(transparent)]
    Events(#[from] Error),
}

impl From<mongodb::error::Error> for Failure {
    fn from(error: mongodb::error::Error) -> Self {
        Self::Events(error.into())
    }
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Source { .. } | Failure::Stalled(_) | Failure::Stopped => {
                status::unavailable("REBUILD_INTERRUPTED", failure.to_string())
            }
            Failure::Behind { .. } => status::precondition("REBUILD_BEHIND", failure.to_string()),
            Failure::Left => status::error(Code::Cancelled, "REBUILD_CANCELLED", failure.to_string()),
            Failure::Events(error) => error.into(),
        }
    }
}

impl ReadModel {
    /// The read model of these parts; [`ReadModel::run`] keeps it up to date.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The consumers of the slot in use.
    pub(crate) fn consumers(&self) -> Option<Consumers> {
        self.0.current.lock().expect("no holder panics").clone()
    }

    /// Builds the model anew and reports on it; ends early, with the old model in use, when the reports are dropped.
    pub(crate) async fn rebuild(&self) -> Result<ReceiverStream<Result<RebuildProgress, Status>>, Status> {
        let lease = self.take_lease().await?;
        let (sender, reports) = mpsc::channel(REPORTS);
        let model = self.clone();
        tokio::spawn(async move { model.rebuild_with(lease, sender).await });
        Ok(ReceiverStream::new(reports))
    }

    async fn take_lease(&self) -> Result<Lease, Status> {
        let owner = format!("{}-{:016x}", self.0.service, rand::random::<u64>());
        let began = Instant::now();
        loop {
            if let Some(lease) = self.state().lease(&owner).await? {
                return Ok(lease);
            }
            if began.elapsed() > LEASE_PATIENCE {
                let why = "a rebuild of this read model is running; wait for its end";
                return Err(status::precondition("REBUILD_RUNNING", why));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn rebuild_with(self, lease: Lease, reports: mpsc::Sender<Result<RebuildProgress, Status>>) {
        tracing::info!(service = %self.0.service, slot = ?lease.seen.slot.other(), "the read model is built anew");
        let build = Build::new(self.clone(), lease.clone(), reports.clone());
        let outcome = tokio::select! {
            built = build.run() => built,
            error = lease.keep() => Err(error.into()),
            () = reports.closed() => Err(Failure::Left),
            () = self.0.shutdown.cancelled() => Err(Failure::Stopped),
        };
        let tidied = tokio::select! {
            tidied = self.settle(outcome.is_ok()) => tidied,
            error = lease.keep() => Err(error),
        };
        if let Err(error) = tidied {
            tracing::warn!(service = %self.0.service, %error, "what a rebuild left could not be removed; it will be later");
        }
        if let Err(error) = lease.release().await {
            tracing::debug!(%error, "the lease of a rebuild could not be given up; it runs out by itself");
        }
        match &outcome {
            Ok(done) => tracing::info!(old = %done.old_hash, new = %done.new_hash, "the new read model is in use"),
            Err(failure) => tracing::warn!(%failure, "a rebuild ended; the old read model stays in use"),
        }
        let _ = reports.send(outcome.map_err(Status::from)).await; // the caller may have left
    }

    /// Empties the slot that is not in use, once nobody uses it any more.
    async fn settle(&self, has_switched: bool) -> Result<(), Error> {
        if has_switched {
            tokio::time::sleep(SETTLED).await;
        }
        let idle = self.state().read().await?.slot.other();
        self.clear(idle).await
    }

    /// Removes the consumers of a slot and everything in it.
    async fn clear(&self, slot: Slot) -> Result<(), Error> {
        for source in &self.0.sources {
            let (durable, stream) = (slot.durable(&self.0.service), topology::stream(source));
            present(self.0.nats.jetstream.delete_consumer_from_stream(durable, stream).await)?;
        }
        let tables = self.0.projection.tables().iter().map(|table| table.collection);
        for name in tables.chain([dead_letters::COLLECTION]) {
            self.0.database.collection::<Document>(&slot.collection(name)).delete_many(doc! {}).await?;
        }
        Ok(())
    }

    /// Consumers that fill `slot` through `handler`.
    fn consumers_of(&self, slot: Slot, handler: Arc<dyn Handler>, from: Option<Time>) -> Result<Consumers, Error> {
        let from = match from {
            None => DeliverPolicy::All,
            Some(time) => {
                let nanos = i128::from(time.timestamp_millis()) * 1_000_000;
                DeliverPolicy::ByStartTime { start_time: datetime::from_nanos(nanos).map_err(Error::nats)? }
            }
        };
        let settling = Settling { handler, owners: self.0.owners.clone(), from, slot };
        let Parts { nats, database, service, sources, .. } = &*self.0;
        Ok(Consumers::new(nats.clone(), database, service, sources, settling))
    }

    fn state(&self) -> State {
        State::new(&self.0.database)
    }
}

/// What was found; none when there is no such consumer, or no such stream.
pub(crate) fn present<T>(found: Result<T, ConsumerError>) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) => match error.kind() {
            ConsumerErrorKind::JetStream(cause)
                if matches!(cause.error_code(), ErrorCode::CONSUMER_NOT_FOUND | ErrorCode::STREAM_NOT_FOUND) =>
            {
                Ok(None)
            }
            _ => Err(Error::nats(error)),
        },
    }
}

/// A report.
fn report(phase: Phase, applied: i64) -> RebuildProgress {
    RebuildProgress { phase: phase.into(), applied, ..Default::default() }
}
