//! Readiness: SERVING while MongoDB answers, NATS is connected and the events that replies need are read. Liveness does not
//! depend on any.

use events::{Nats, Reads};
use mongodb::{Database, bson::doc};
use rpc::server::Readiness;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks: shorter than that between two probes, so that each probe sees the present state.
const PING_INTERVAL: Duration = Duration::from_secs(1);

/// Longest wait for MongoDB's answer: less than the driver waits for a primary, so that an election shows.
const PING_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Watched {
    pub database: Database,
    pub nats: Nats,
    /// What replies need.
    pub reads: Reads,
}

/// Keeps `readiness` true to what is watched until `shutdown`.
pub(crate) async fn watch(watched: Watched, readiness: Readiness, shutdown: CancellationToken) {
    let Watched { database, nats, reads } = watched;
    let mut was_ready = false;
    loop {
        let ping = tokio::time::timeout(PING_TIMEOUT, database.run_command(doc! { "ping": 1 })).await;
        let is_ready = nats.is_connected() && !reads.are_stuck() && matches!(ping, Ok(Ok(_)));
        if is_ready != was_ready {
            // Readiness never comes back during a shutdown, whatever the stores say.
            readiness.set(is_ready && !shutdown.is_cancelled());
            was_ready = is_ready;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(PING_INTERVAL)).await.is_none() {
            return;
        }
    }
}
