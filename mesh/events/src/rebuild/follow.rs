//! Fills the copy in use, whichever it is, and cleans the other one up after a switch or a rebuild that was cut off.

use super::{
    model::ReadModel,
    state::{LEASE_MS, Seen},
};
use crate::Error;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Pause between two looks at which copy is in use.
pub(super) const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Longest time for tidying up: within its lease. It is tried again.
const TIDY_TIMEOUT: Duration = Duration::from_millis(LEASE_MS.unsigned_abs() / 2);

struct Running {
    generation: i64,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl ReadModel {
    /// Keeps the model up to date until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut running: Option<Running> = None;
        let mut is_tidy = false;
        loop {
            match self.state().read().await {
                Ok(seen) => {
                    is_tidy &= running.as_ref().is_none_or(|running| running.generation == seen.generation);
                    running = self.steer(running, &seen).await;
                    if !is_tidy && !seen.is_rebuilding {
                        is_tidy = self.tidy().await;
                    }
                }
                Err(error) => tracing::debug!(%error, "which read model is in use cannot be read"),
            }
            if shutdown.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_none() {
                break;
            }
        }
        if let Some(running) = running {
            running.end().await;
        }
    }

    /// Ends the consumers of a copy that is no longer in use, starts those of the one that is.
    async fn steer(&self, running: Option<Running>, seen: &Seen) -> Option<Running> {
        match running {
            Some(running) if running.generation == seen.generation && !seen.is_handover => return Some(running),
            Some(running) => running.end().await,
            None => {}
        }
        if seen.is_handover {
            return None;
        }
        match self.start(seen) {
            Ok(running) => Some(running),
            Err(error) => {
                tracing::error!(service = %self.0.service, %error, "the consumers of the read model cannot be started");
                None
            }
        }
    }

    fn start(&self, seen: &Seen) -> Result<Running, Error> {
        let consumers = self.consumers_of(seen.color, self.0.projection.handler(seen.color), seen.from)?;
        *self.0.current.lock().expect("no holder panics") = Some(consumers.clone());
        let stop = CancellationToken::new();
        let task = tokio::spawn(consumers.run(stop.clone()));
        Ok(Running { generation: seen.generation, stop, task })
    }

    /// Removes what a rebuild that was cut off, or the model before the last switch, left behind. True when it is gone.
    async fn tidy(&self) -> bool {
        let tidied = tokio::time::timeout(TIDY_TIMEOUT, async {
            let owner = format!("tidy-{:016x}", rand::random::<u64>());
            let Some(lease) = self.state().lease(&owner).await? else { return Ok(false) };
            let cleared = self.clear(lease.seen.color.other()).await;
            lease.release().await?;
            cleared.map(|()| true)
        });
        match tidied.await {
            Ok(Ok(is_tidy)) => is_tidy,
            Ok(Err(error)) => {
                let error: Error = error;
                tracing::debug!(%error, "the idle copy of the read model cannot be cleared now");
                false
            }
            Err(_) => false,
        }
    }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the consumers of the read model ended badly");
        }
    }
}
