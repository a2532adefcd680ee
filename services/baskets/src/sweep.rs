//! Finishes checkouts that were cut off, and opens the baskets of those that have come to nothing.

use crate::commands::{CALLS_END, Commands};
use ::store::{Time, now};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks. A reader of a basket does not wait for it, as a read looks too.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Baskets of one look; the others are older in the next one.
const BATCH: i64 = 100;

/// Looks until `shutdown`.
pub async fn run(commands: Commands, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        let ends = i64::try_from(CALLS_END.as_millis()).unwrap_or(i64::MAX);
        let late = Time::from_millis(now().timestamp_millis().saturating_sub(ends));
        match commands.baskets.cut_off(late, BATCH).await {
            Ok(baskets) => {
                for basket in baskets {
                    commands.settle(basket).await;
                }
            }
            Err(error) => tracing::warn!(%error, "checkouts that were cut off cannot be found"),
        }
    }
}
