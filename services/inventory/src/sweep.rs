//! Gives back holds that ran out. Compare-and-set in the combiner: a hold that was committed meanwhile stays.

use crate::{combine::Combiner, domain::Command, store::Store};
use ::store::{Time, now};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Holds that one look gives back.
const BATCH: i64 = 100;

/// Part of its life for which a hold is honoured beyond its end: an order that was confirmed just before may commit it.
const GRACE_PART: u32 = 15;

/// Sweeps until `shutdown`. The first look waits for the grace too, so that after an outage commits come first.
pub async fn run(store: Store, combiner: Combiner, hold: Duration, shutdown: CancellationToken) {
    let grace = hold / GRACE_PART;
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    shutdown.run_until_cancelled(tokio::time::sleep(grace)).await;
    while !shutdown.is_cancelled() {
        let late = Time::from_millis(now().timestamp_millis() - grace_ms);
        match store.expired(late, BATCH).await {
            Ok(ids) => {
                let expire = |id| combiner.send(Command::Expire(id));
                for result in futures::future::join_all(ids.into_iter().map(expire)).await {
                    if let Err(error) = result {
                        tracing::warn!(%error, "a hold that ran out was not given back; trying again");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "holds that ran out cannot be found"),
        }
        shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await;
    }
}
