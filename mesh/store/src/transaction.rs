//! What transactions need beside their writes: a commit that may be repeated, and an end for those of dead processes.
//!
//! mongod keeps the transaction of a process that died before its commit open for a minute, and nobody can write its
//! documents for so long.

use crate::Error;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{Client, ClientSession, options::ReadConcern};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A transaction takes some milliseconds. One that is idle and has been open for so long is nobody's; should its process
/// come back after all, its commit is refused and the change decided anew.
const OPEN_MICROS: i64 = 3_000_000;

/// Pause between two looks for transactions that nobody will end.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Commits; when the answer was lost, asks again: a commit can be repeated.
pub async fn commit(session: &mut ClientSession) -> Result<(), Error> {
    for _ in 0..3 {
        match session.commit_transaction().await {
            Ok(()) => return Ok(()),
            Err(error) if error.contains_label(mongodb::error::UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                tracing::warn!(%error, "the answer to a commit was lost; committing again");
            }
            Err(error) => return Err(transient(error)),
        }
    }
    session.commit_transaction().await.map_err(transient)
}

/// A transaction that the server gave up can be decided anew: a conflict.
pub fn transient(error: mongodb::error::Error) -> Error {
    if error.contains_label(mongodb::error::TRANSIENT_TRANSACTION_ERROR) { Error::Conflict } else { error.into() }
}

/// Looks for those that dead processes have left open and ends them, until `stop`.
pub async fn keep_ending_abandoned(client: Client, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
        match end_abandoned(&client).await {
            Ok(0) => {}
            Ok(ended) => tracing::warn!(ended, "transactions that a dead process had left open were ended"),
            Err(error) => tracing::debug!(%error, "transactions that a dead process may have left open were not found"),
        }
    }
}

/// Ends those that a dead process of this service's own user has left open, which needs no privilege; how many.
pub async fn end_abandoned(client: &Client) -> Result<usize, Error> {
    let admin = client.database("admin");
    let stages = [
        doc! { "$currentOp": { "allUsers": false, "idleSessions": true } },
        doc! { "$match": { "type": "idleSession", "transaction.timeOpenMicros": { "$gte": OPEN_MICROS } } },
        doc! { "$project": { "id": "$lsid.id" } },
    ];
    let open = admin.aggregate(stages).read_concern(ReadConcern::local()).await?;
    let open: Vec<Document> = open.try_collect().await?;
    if !open.is_empty() {
        admin.run_command(doc! { "killSessions": &open }).await?;
    }
    Ok(open.len())
}
