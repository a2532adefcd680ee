//! How far behind relay and consumers are, as gauges.

use crate::{Consumers, Error, Source, lease, log::Log, rpc::Reads};
use mongodb::Database;
use std::time::Duration;
use telemetry::metrics::{EVENTS_DEAD_LETTERS, EVENTS_LAG, RELAY_LAG};
use tokio_util::sync::CancellationToken;

/// Pause between two recordings, each of which reads the ends of the log and of the streams.
const RECORD_EVERY: Duration = Duration::from_secs(10);

/// Records the gauges of one service until `shutdown`.
pub async fn record(database: Database, source: Source, reads: Reads, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(RECORD_EVERY)).await.is_some() {
        if let Err(error) = once(&database, &source, reads.consumers().as_ref()).await {
            tracing::debug!(service = %source.service, %error, "the lag cannot be read");
        }
    }
}

async fn once(database: &Database, source: &Source, consumers: Option<&Consumers>) -> Result<(), Error> {
    let service = source.service.as_str();
    if !source.aggregates.is_empty() {
        let logged = Log::unchecked(database).last().await?;
        let published = lease::known(database).await?.published;
        RELAY_LAG.record(logged - published, [service]);
    }
    let Some(consumers) = consumers else { return Ok(()) };
    let letters = consumers.letters().count_by_source().await?;
    for lag in consumers.lags().await? {
        let attributes = [service, lag.source.as_str()];
        EVENTS_LAG.record(lag.pending.saturating_add(lag.unacknowledged), attributes);
        EVENTS_DEAD_LETTERS.record(letters.get(&lag.source).copied().unwrap_or(0), attributes);
    }
    Ok(())
}
