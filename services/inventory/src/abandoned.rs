//! Transactions of processes that died between their writes and the commit. mongod keeps each open for a minute, and
//! nobody can write its documents: a product would not be sold for so long.

use crate::error::Error;
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{Client, options::ReadConcern};

/// A transaction takes some milliseconds. One that is idle and has been open for so long is nobody's; should its process
/// come back after all, its commit is refused and the batch decided anew.
const OPEN_MICROS: i64 = 3_000_000;

/// Ends those of this service's own user, which needs no privilege; how many.
pub async fn end(client: &Client) -> Result<usize, Error> {
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
