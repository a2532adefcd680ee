//! The watcher of a change stream: it tells which documents changed, and the token to resume from. Never what changed.
//!
//! The server wakes every waiting stream for every write of any database. So a watcher whose process writes much, and of
//! whose writes there are hints, polls the stream instead of awaiting it, unless other processes write too.

use crate::{Error, source::Source};
use bson::{Document, Timestamp, doc};
use mongodb::{Database, change_stream::ChangeStream, change_stream::event::ResumeToken};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};

/// Notices that wait to be read. The stream pauses when the queue is full, so that a backlog stays in the database.
const QUEUE: usize = 4096;

/// Notices in one answer of the server: while the first of a backlog are handled, the server looks for the next.
const BATCH: u32 = 1000;

/// How the watcher asks the server for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchMode {
    /// The server answers as soon as there is a change.
    Await,
    /// The server is asked a few times a second.
    Poll,
}

impl WatchMode {
    /// Longest wait of the server for a change; then its answer is a token up to which nothing happened.
    fn max_await(self) -> Duration {
        match self {
            WatchMode::Await => Duration::from_millis(1000),
            WatchMode::Poll => Duration::from_millis(1),
        }
    }

    fn pause(self) -> Duration {
        match self {
            WatchMode::Await => Duration::ZERO,
            WatchMode::Poll => Duration::from_millis(200),
        }
    }

    /// Longest read before a pause or a change of mode: under load there is always one more change.
    fn longest_read(self) -> Duration {
        match self {
            WatchMode::Await => Duration::from_secs(1),
            WatchMode::Poll => Duration::from_millis(20),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum ChangeNotice {
    /// A document may have new events.
    Changed {
        collection: String,
        id: String,
        /// Its `seq` after the change, if the change set it.
        seq: Option<i64>,
        /// Time of the change by the cluster's clock.
        time: Option<Timestamp>,
        /// Everything up to here has been forwarded.
        token: ResumeToken,
    },
    /// Nothing happened; everything up to here has been forwarded.
    Quiet(Option<ResumeToken>),
    /// A document was deleted, or a collection dropped or renamed, by hand.
    Destroyed(Destroyed),
}

#[derive(Debug, Clone)]
pub(crate) struct Destroyed {
    pub operation: String,
    pub collection: String,
    /// The document; none when a whole collection was removed.
    pub id: Option<String>,
    /// Time of the removal by the cluster's clock.
    pub time: Option<Timestamp>,
}

/// A removal, and whether every change before it is known.
pub(crate) struct Removal {
    pub destroyed: Destroyed,
    pub is_certain: bool,
}

/// An open watcher. Dropping it ends its task.
pub(crate) struct Watcher {
    /// Closed when the stream has broken.
    pub notices: mpsc::Receiver<Result<ChangeNotice, Error>>,
    pub mode: watch::Sender<WatchMode>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens the stream after `token`, or from now.
pub(crate) async fn open(database: &Database, source: &Source, token: Option<ResumeToken>) -> Result<Watcher, Error> {
    let first = stream(database, source, token, WatchMode::Await).await?;
    let (sender, notices) = mpsc::channel(QUEUE);
    let (mode, mut wanted) = watch::channel(WatchMode::Await);
    let (database, source) = (database.clone(), source.clone());
    let task = tokio::spawn(async move {
        // The stream stays in this task: a driver future that is dropped half-way leaves it unusable.
        let mut opened = Ok(first);
        while let Ok(open) = opened {
            let Some(token) = forward(open, &sender, &mut wanted).await else { return };
            let mode = *wanted.borrow();
            opened = stream(&database, &source, Some(token), mode).await;
        }
        if let Err(error) = opened {
            let _ = sender.send(Err(error)).await; // the term may be over
        }
    });
    Ok(Watcher { notices, mode, task })
}

/// Forwards changes until another mode is wanted; then it returns the token to go on from.
async fn forward(
    mut open: ChangeStream<Document>,
    sender: &mpsc::Sender<Result<ChangeNotice, Error>>,
    wanted: &mut watch::Receiver<WatchMode>,
) -> Option<ResumeToken> {
    let mode = *wanted.borrow_and_update();
    let mut read_began = Instant::now();
    loop {
        let notice = match open.next_if_any().await {
            Ok(Some(change)) => parse(&change),
            Ok(None) => Ok(ChangeNotice::Quiet(open.resume_token())),
            Err(error) => Err(error.into()),
        };
        let (is_quiet, has_broken) = (matches!(notice, Ok(ChangeNotice::Quiet(_))), notice.is_err());
        if sender.send(notice).await.is_err() || has_broken {
            return None;
        }
        if is_quiet || read_began.elapsed() > mode.longest_read() {
            // Nobody wants another mode once the watcher is dropped: then this task is aborted.
            let _ = tokio::time::timeout(mode.pause(), wanted.changed()).await;
            if *wanted.borrow() != mode
                && let Some(token) = open.resume_token()
            {
                return Some(token);
            }
            read_began = Instant::now();
        }
    }
}

async fn stream(
    database: &Database,
    source: &Source,
    token: Option<ResumeToken>,
    mode: WatchMode,
) -> Result<ChangeStream<Document>, Error> {
    let watch = database.watch().pipeline(pipeline(source)).max_await_time(mode.max_await()).batch_size(BATCH);
    let watch = match token {
        Some(token) => watch.resume_after(token),
        None => watch,
    };
    Ok(watch.await?.with_type::<Document>())
}

/// Selects the writes that carry events, which set the top-level `seq`, and removals.
fn pipeline(source: &Source) -> [Document; 2] {
    let collections: Vec<&String> = source.aggregates.keys().collect();
    let carries_events = doc! { "$or": [
        { "operationType": { "$in": ["insert", "replace", "delete", "drop", "rename", "dropDatabase", "invalidate"] } },
        { "updateDescription.updatedFields.seq": { "$exists": true } },
    ] };
    let of_ours = doc! { "$or": [{ "ns.coll": { "$in": collections } }, { "operationType": "invalidate" }] };
    let seq = doc! { "$ifNull": ["$updateDescription.updatedFields.seq", "$fullDocument.seq"] };
    [
        doc! { "$match": { "$and": [of_ours, carries_events] } },
        doc! { "$project": { "operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1, "seq": seq } },
    ]
}

fn parse(change: &Document) -> Result<ChangeNotice, Error> {
    let collection = change.get_document("ns").and_then(|ns| ns.get_str("coll")).unwrap_or_default().to_owned();
    let id = change.get_document("documentKey").and_then(|key| key.get_str("_id")).unwrap_or_default().to_owned();
    Ok(match change.get_str("operationType").unwrap_or_default() {
        "insert" | "update" | "replace" => {
            let token = change.get("_id").cloned().unwrap_or_default();
            let (seq, time) = (change.get_i64("seq").ok(), change.get_timestamp("clusterTime").ok());
            ChangeNotice::Changed { collection, id, seq, time, token: bson::deserialize_from_bson(token)? }
        }
        "invalidate" => return Err(Error::Invalidated),
        operation => ChangeNotice::Destroyed(Destroyed {
            operation: operation.to_owned(),
            collection,
            id: Some(id).filter(|id| !id.is_empty()),
            time: change.get_timestamp("clusterTime").ok(),
        }),
    })
}
