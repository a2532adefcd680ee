//! Carries out, in the background, what a silent provider, a caller that left, or a crash has left open, and asks about
//! what ends by itself.

use crate::{commands::Commands, domain::Payment, error::Error};
use ::store::{Versioned, now};
use futures::{StreamExt, stream};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Pause between two looks.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Payments of one look; the rest waits for the next, so that a long outage is worked off in order and not all at once.
const BATCH: i64 = 64;

/// Questions at a time.
const PARALLEL: usize = 8;

/// Looks until `stop`. A question that is cut off is asked again after the next start: its intent is durable.
pub async fn run(commands: Commands, stop: CancellationToken) {
    let looking = async {
        loop {
            tokio::time::sleep(POLL_INTERVAL).await;
            if let Err(error) = poll_once(&commands).await {
                tracing::warn!(%error, "open payments cannot be listed; looking again soon");
            }
        }
    };
    stop.run_until_cancelled(looking).await;
}

async fn poll_once(commands: &Commands) -> Result<(), Error> {
    let due = commands.payments.due(now(), BATCH).await?;
    let resume = async |found: Versioned<Payment>| {
        if let Err(error) = commands.resume(found.clone()).await {
            tracing::warn!(payment = %found.id, %error, "an open payment was not resolved; it is asked again");
            put_off(commands, found).await;
        }
    };
    stream::iter(due).for_each_concurrent(PARALLEL, resume).await;
    let ended = commands.payments.to_check(now(), BATCH).await?;
    let check = async |found: Versioned<Payment>| {
        if let Err(error) = commands.check(found.clone()).await {
            tracing::warn!(payment = %found.id, %error, "whether a payment has run out is not known; it is asked again");
            put_off(commands, found).await;
        }
    };
    stream::iter(ended).for_each_concurrent(PARALLEL, check).await;
    Ok(())
}

/// What failed is not due any more, or it would hold up what is due behind it.
async fn put_off(commands: &Commands, found: Versioned<Payment>) {
    let id = found.id.clone();
    if let Err(error) = commands.payments.change(found, |payment| Ok(payment.put_off(now()))).await {
        tracing::warn!(payment = %id, %error, "a payment cannot be asked about later; it is due again at once");
    }
}
