//! Finishes checkouts that were cut off, opens the baskets of those that have come to nothing, and removes what has expired.

use crate::commands::{CALLS_END, Commands};
use ::store::{Time, now};
use futures::{StreamExt, stream};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks. A reader of a basket does not wait for it, as a read looks too.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Baskets of one look; the others are older in the next one.
const BATCH: i64 = 1000;

/// Baskets that are looked at at a time.
const AT_A_TIME: usize = 8;

/// Looks until `shutdown`, which ends a look in the middle: whatever it has not done, the next one does.
pub async fn run(commands: Commands, shutdown: CancellationToken) {
    let look = async || {
        settle(&commands).await;
        remove(&commands).await;
    };
    while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        shutdown.run_until_cancelled(look()).await;
    }
}

async fn settle(commands: &Commands) {
    let ends = i64::try_from(CALLS_END.as_millis()).unwrap_or(i64::MAX);
    let late = Time::from_millis(now().timestamp_millis().saturating_sub(ends));
    match commands.baskets.cut_off(late, BATCH).await {
        Ok(baskets) => {
            let settled = stream::iter(baskets).map(|basket| commands.settle(basket));
            settled.buffer_unordered(AT_A_TIME).for_each(async |_| ()).await;
        }
        Err(error) => tracing::warn!(%error, "checkouts that were cut off cannot be found"),
    }
}

async fn remove(commands: &Commands) {
    let baskets = match commands.baskets.expired(BATCH).await {
        Ok(baskets) => baskets,
        Err(error) => return tracing::warn!(%error, "expired baskets cannot be found"),
    };
    let removed = stream::iter(baskets).map(|basket| async move {
        if let Err(error) = commands.baskets.remove(&basket).await {
            tracing::warn!(%error, basket_id = %basket.id, "an expired basket is not removed yet");
        }
    });
    removed.buffer_unordered(AT_A_TIME).for_each(async |()| ()).await;
}
