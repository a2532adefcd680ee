//! mongod and nats-server together: started side by side, watched, stopped after everything that uses them.

use super::{credentials::Credentials, data::DataDir, mongod, nats, programs, progress::Progress};
use crate::Environment;
use std::time::{Duration, Instant};

/// How long each may take to end after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(15);

pub struct Stores {
    pub mongod: mongod::Mongod,
    pub nats: nats::Nats,
}

impl Stores {
    pub async fn start(
        data: &DataDir,
        credentials: &Credentials,
        environment: &Environment,
        progress: &Progress,
    ) -> anyhow::Result<Self> {
        let began = Instant::now();
        // Both are found before either starts, so that a missing program leaves nothing running.
        let mongod_program = programs::find("mongod", "MONGOD_BIN", environment)?;
        let nats_program = programs::find("nats-server", "NATS_SERVER_BIN", environment)?;
        let mongod = async {
            let mongod = mongod::start(data, credentials, &mongod_program, mongod::OPLOG).await?;
            progress.done("start", "mongod", &format!("127.0.0.1:{}", mongod.port), began);
            anyhow::Ok(mongod)
        };
        let nats = async {
            let nats = nats::start(data, credentials, &nats_program).await?;
            progress.done("start", "nats-server", nats.url.trim_start_matches("nats://"), began);
            anyhow::Ok(nats)
        };
        let (mongod, nats) = tokio::try_join!(mongod, nats)?;
        Ok(Self { mongod, nats })
    }

    /// Waits until one ends by itself, and tells how.
    pub async fn failed(&self) -> anyhow::Error {
        let dead = tokio::select! {
            _ = self.mongod.child.exited() => &self.mongod.child,
            _ = self.nats.child.exited() => &self.nats.child,
        };
        anyhow::anyhow!("a store is gone: {}", dead.end_report())
    }

    /// Stops both: SIGTERM, a bounded wait, SIGKILL.
    pub async fn stop(&self, progress: &Progress) {
        let began = Instant::now();
        tokio::join!(self.mongod.child.stop(STOP_GRACE), self.nats.child.stop(STOP_GRACE));
        progress.done("stop", "stores", "", began);
    }
}
