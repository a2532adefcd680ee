//! Gives back holds that ran out. Compare-and-set in its command: a hold that was committed meanwhile stays.

use crate::{commands::Commands, domain::Command, store::Store};
use ::store::{Time, now};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two polls: a hold is given back about a second late, which no customer notices.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

const BATCH: i64 = 100;

/// The grace is this part of a hold's life: an order that was confirmed just before the end of its hold may commit it.
const GRACE_PART: u32 = 15;

const START: Time = Time::from_millis(0);

/// Sweeps until `shutdown`. The first poll waits for the grace too, so that after an outage commits come first.
pub async fn run(store: Store, commands: Commands, hold: Duration, shutdown: CancellationToken) {
    let grace = hold / GRACE_PART;
    let grace_ms = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
    shutdown.run_until_cancelled(tokio::time::sleep(grace)).await;
    let mut from = START;
    while !shutdown.is_cancelled() {
        let late = Time::from_millis(now().timestamp_millis() - grace_ms);
        match store.expired(from, late, BATCH).await {
            Ok(holds) => from = give_back(&commands, holds).await,
            Err(error) => tracing::warn!(%error, "holds that ran out cannot be found"),
        }
        shutdown.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await;
    }
}

/// The start of the next poll: behind these holds when some of a full page were not given back, so that they hold up no
/// others; else the first hold.
async fn give_back(commands: &Commands, holds: Vec<(String, Time)>) -> Time {
    let is_full = i64::try_from(holds.len()).unwrap_or(i64::MAX) >= BATCH;
    let last = holds.last().map_or(START, |(_, expires_at)| *expires_at);
    let expire = holds.into_iter().map(|(id, _)| commands.send(Command::Expire(id)));
    let mut failed = 0_i64;
    for result in futures::future::join_all(expire).await {
        if let Err(error) = result {
            failed += 1;
            tracing::warn!(%error, "a hold that ran out was not given back; trying again");
        }
    }
    if is_full && failed > 0 { last } else { START }
}
