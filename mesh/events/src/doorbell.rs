//! The change stream as a doorbell: which documents changed, and the token to resume from. Never what changed.

use crate::{Error, relay::Source};
use bson::{Document, Timestamp, doc};
use mongodb::{Database, change_stream::event::ResumeToken};
use std::time::Duration;
use tokio::sync::mpsc;

/// Rings that wait to be read; the stream pauses when it is full.
const QUEUE: usize = 4096;

/// Rings in one answer of the server: of a backlog the first are answered while the next are looked for.
const BATCH: u32 = 1000;

/// Longest wait of the server for a ring; then it tells how far it has looked.
const MAX_AWAIT: Duration = Duration::from_millis(1000);

/// What the bell tells.
#[derive(Debug, Clone)]
pub(crate) enum Ring {
    /// A document may have new events.
    Changed {
        /// Its collection.
        collection: String,
        /// Its identifier.
        id: String,
        /// When, by the cluster's clock.
        time: Option<Timestamp>,
        /// Everything up to here has been rung.
        token: ResumeToken,
    },
    /// Nothing happened; everything up to here has been rung.
    Quiet(Option<ResumeToken>),
    /// A document was deleted, or a collection dropped or renamed, by hand: what was pending in it is gone.
    Destroyed(String),
}

/// An open bell. Dropping it ends its task.
pub(crate) struct Doorbell {
    /// What it rings; closed when the stream has broken.
    pub rings: mpsc::Receiver<Result<Ring, Error>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Doorbell {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens the stream after `token`, or from now.
pub(crate) async fn open(database: &Database, source: &Source, token: Option<ResumeToken>) -> Result<Doorbell, Error> {
    let watch = database.watch().pipeline(pipeline(source)).max_await_time(MAX_AWAIT).batch_size(BATCH);
    let watch = match token {
        Some(token) => watch.resume_after(token),
        None => watch,
    };
    let mut stream = watch.await?.with_type::<Document>();
    let (sender, rings) = mpsc::channel(QUEUE);
    let task = tokio::spawn(async move {
        // The stream stays in this task: a driver future that is dropped half-way leaves it unusable.
        loop {
            let next = stream.next_if_any().await;
            let ring = match next {
                Ok(Some(change)) => parse(&change),
                Ok(None) => Ok(Ring::Quiet(stream.resume_token())),
                Err(error) => Err(error.into()),
            };
            let broken = ring.is_err();
            if sender.send(ring).await.is_err() || broken {
                return;
            }
        }
    });
    Ok(Doorbell { rings, task })
}

/// Only writes that carry events ring: they set the top-level `seq`.
fn pipeline(source: &Source) -> [Document; 2] {
    let collections: Vec<&String> = source.aggregates.keys().collect();
    let carries_events = doc! { "$or": [
        { "operationType": { "$in": ["insert", "replace", "delete", "drop", "rename", "dropDatabase", "invalidate"] } },
        { "updateDescription.updatedFields.seq": { "$exists": true } },
    ] };
    let of_ours = doc! { "$or": [{ "ns.coll": { "$in": collections } }, { "operationType": "invalidate" }] };
    [
        doc! { "$match": { "$and": [of_ours, carries_events] } },
        doc! { "$project": { "operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1 } },
    ]
}

fn parse(change: &Document) -> Result<Ring, Error> {
    let collection = change.get_document("ns").and_then(|ns| ns.get_str("coll")).unwrap_or_default().to_owned();
    let id = change.get_document("documentKey").and_then(|key| key.get_str("_id")).unwrap_or_default().to_owned();
    Ok(match change.get_str("operationType").unwrap_or_default() {
        "insert" | "update" | "replace" => {
            let token = change.get("_id").cloned().unwrap_or_default();
            let time = change.get_timestamp("clusterTime").ok();
            Ring::Changed { collection, id, time, token: bson::deserialize_from_bson(token)? }
        }
        "invalidate" => return Err(Error::Invalidated),
        operation => Ring::Destroyed(format!("{operation} of {collection} {id}")),
    })
}
