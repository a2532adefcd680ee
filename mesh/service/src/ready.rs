//! Readiness: SERVING while MongoDB answers and NATS is connected. Liveness does not depend on either.

use events::Nats;
use mongodb::{Database, bson::doc};
use rpc::server::Readiness;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// Longest wait for MongoDB's answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Keeps `readiness` true to the stores until `shutdown`.
pub(crate) async fn watch(database: Database, nats: Nats, readiness: Readiness, shutdown: CancellationToken) {
    let mut was_ready = false;
    loop {
        let ping = tokio::time::timeout(PATIENCE, database.run_command(doc! { "ping": 1 })).await;
        let is_ready = nats.is_connected() && matches!(ping, Ok(Ok(_)));
        if is_ready != was_ready {
            readiness.set(is_ready && !shutdown.is_cancelled());
            was_ready = is_ready;
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
    }
}
