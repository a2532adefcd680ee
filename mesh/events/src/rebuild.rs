//! A read model that can be built anew beside the one in use, and put into its place without downtime.
//!
//! It lives in one of two copies, each of a [`crate::Color`]. A rebuild empties the idle copy, folds the logs of the sources
//! into it, follows their streams with consumers of its own until nothing is left, compares both copies, and switches.
//! Nothing is read from the new copy before the switch, and nothing is lost when a rebuild ends in the middle: the next one
//! starts clean.

mod build;
mod compare;
mod follow;
mod model;
mod state;

pub use model::{Parts, Projection, ReadModel, Table};
pub use state::InUse;

use crate::Error;
use ::rpc::status;
use build::Build;
use contracts::events::v1::RebuildProgress;
use model::Failure;
use state::Lease;
use std::time::Duration;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// Reports that wait for a slow reader; further ones are dropped, for the next report says more.
const REPORTS: usize = 64;

/// Longest wait for the lease: a process that tidies up holds it for a moment only.
const LEASE_TIMEOUT: Duration = Duration::from_secs(1);

/// After a switch nobody reads or fills the old copy any more: longer than [`state::FRESH`] and [`follow::POLL_INTERVAL`].
const SETTLED: Duration = Duration::from_millis(1500);

impl ReadModel {
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
            if began.elapsed() > LEASE_TIMEOUT {
                let why = "a rebuild of this read model is running; wait for its end";
                return Err(status::precondition("REBUILD_RUNNING", why));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn rebuild_with(self, lease: Lease, reports: mpsc::Sender<Result<RebuildProgress, Status>>) {
        tracing::info!(service = %self.0.service, color = ?lease.seen.color.other(), "the read model is built anew");
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

    /// Empties the copy that is not in use, once nobody uses it any more.
    async fn settle(&self, has_switched: bool) -> Result<(), Error> {
        if has_switched {
            tokio::time::sleep(SETTLED).await;
        }
        let idle = self.state().read().await?.color.other();
        self.clear(idle).await
    }
}
