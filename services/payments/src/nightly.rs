//! Compares the ledger with the provider's report each night, once for all replicas.

use crate::{commands::Commands, reconcile};
use ::store::{Database, Time, now};
use bson::{Document, doc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The comparisons, by day.
pub const COLLECTION: &str = "reconciliations";

const DAY_MS: i64 = 24 * 3600 * 1000;

/// When, after midnight UTC: three hours, in which authorizations that end with the day have ended.
const AT_MS: i64 = 3 * 3600 * 1000;

/// How far back: two days, so that a night that failed is made up for by the next.
const BACK_MS: i64 = 2 * DAY_MS;

pub async fn run(commands: Commands, database: Database, stop: CancellationToken) {
    let comparisons = database.collection::<Document>(COLLECTION);
    while stop.run_until_cancelled(tokio::time::sleep(until_next(now()))).await.is_some() {
        let day = now().timestamp_millis() / DAY_MS;
        let began = doc! { "_id": day, "began_at": now() };
        // The document of the day is the lock: the replica that inserts it compares.
        match comparisons.insert_one(began).await.map_err(::store::Error::from) {
            Ok(_) => {}
            Err(::store::Error::Duplicate) => continue, // another replica compares
            Err(error) => {
                tracing::warn!(%error, "this night's comparison with the provider cannot begin");
                continue;
            }
        }
        let since = Time::from_millis(now().timestamp_millis() - BACK_MS);
        let Some(found) = stop.run_until_cancelled(reconcile::run(&commands, since)).await else { return };
        let result = match found {
            Ok(found) => told(&found),
            Err(error) => {
                tracing::error!(%error, "the ledger could not be compared with the provider; run `comptoir payments reconcile`");
                doc! { "error": error.to_string() }
            }
        };
        let ended = doc! { "$set": { "ended_at": now(), "result": result } };
        if let Err(error) = comparisons.update_one(doc! { "_id": day }, ended).await {
            tracing::warn!(%error, "what this night's comparison has found is in the log only");
        }
    }
}

fn told(found: &reconcile::Reconciliation) -> Document {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let (payments, differences) = (count(found.payments), count(found.differences.len()));
    if differences == 0 {
        tracing::info!(payments, "the ledger is what the provider reports");
    } else {
        tracing::error!(
            payments,
            differences,
            "the provider reports something else; see `comptoir payments reconcile`"
        );
    }
    // A document has 16 MiB; beyond a thousand the number of differences says enough.
    let ids: Vec<&str> =
        found.differences.iter().take(1_000).map(|difference| difference.payment_id.as_str()).collect();
    doc! { "payments": payments, "differences": differences, "payment_ids": ids }
}

/// How long until the next three o'clock, UTC.
fn until_next(now: Time) -> Duration {
    let since_midnight = now.timestamp_millis().rem_euclid(DAY_MS);
    let pause = (AT_MS - since_midnight).rem_euclid(DAY_MS);
    Duration::from_millis(u64::try_from(if pause == 0 { DAY_MS } else { pause }).unwrap_or(0))
}
