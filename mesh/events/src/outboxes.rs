//! Pending events: from the hints of this process, or read from the documents that changed, or from all documents.

use crate::{
    Error,
    append::{Found, Outbox},
    change_stream::{ChangeNotice, Destroyed, Removal, Watcher},
    hints::HintTracker,
    source::Source,
};
use bson::{Bson, Document, Timestamp, doc};
use mongodb::{ClientSession, change_stream::event::ResumeToken, options::ReadConcern};
use std::{collections::BTreeMap, time::Duration};
use store::Database;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Documents in one read: as many as entries in one batch of the publisher, so that a read becomes one sync of the broker.
const BATCH: usize = 500;

/// Shortest time between two reads. The first notice after a pause is answered at once; notices that come faster share a
/// read, an append and a sync of the broker.
const READ_INTERVAL: Duration = Duration::from_micros(2500);

/// Shortest time between two batches of hints: longer, for a hint costs no read, and an append costs less the more hints
/// share it.
const HINT_INTERVAL: Duration = Duration::from_millis(15);

/// Reads outboxes and passes them on. A resume token never goes before the events that it covers.
pub(crate) struct Outboxes {
    database: Database,
    source: Source,
    session: ClientSession,
    hints: HintTracker,
    found: mpsc::Sender<Result<Found, Error>>,
    /// When everything was read at the beginning of the term.
    scanned_at: Option<Timestamp>,
}

#[derive(Default)]
struct Batch {
    /// The documents of each collection, with the `seq` that the change stream had for each.
    changed: BTreeMap<String, BTreeMap<String, i64>>,
    destroyed: Vec<Destroyed>,
    latest: Option<Timestamp>,
    token: Option<ResumeToken>,
    error: Option<Error>,
}

impl Outboxes {
    /// One session for all reads: the driver then never reads before what it has seen.
    pub async fn new(
        database: &Database,
        source: &Source,
        found: mpsc::Sender<Result<Found, Error>>,
    ) -> Result<Self, Error> {
        let session = database.client().start_session().causal_consistency(true).await?;
        let hints = HintTracker::new(database.hints().subscribe());
        Ok(Self { database: database.clone(), source: source.clone(), session, hints, found, scanned_at: None })
    }

    /// Reads on every notice until `shutdown`; with `scan`, everything first. An error goes to the appender.
    pub async fn run(mut self, watcher: Watcher, scan: bool, shutdown: &CancellationToken) {
        let scanned = if scan { self.scan().await } else { Ok(()) };
        let read = match scanned {
            Ok(()) => self.follow(watcher, shutdown).await,
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            let _ = self.found.send(Err(error)).await; // the appender may have ended
        }
    }

    async fn follow(&mut self, mut watcher: Watcher, shutdown: &CancellationToken) -> Result<(), Error> {
        let mut notices = Vec::new();
        let mut next_read = Instant::now();
        loop {
            tokio::time::sleep_until(next_read).await;
            let (mut error, mut interval) = (None, READ_INTERVAL);
            let found = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                hinted = self.hints.next() => {
                    interval = HINT_INTERVAL;
                    Found { outboxes: hinted.into_iter().collect(), ..Found::default() }
                }
                received = watcher.notices.recv_many(&mut notices, BATCH) => {
                    if received == 0 {
                        return Ok(());
                    }
                    let mut batch = Batch::of(notices.drain(..), &mut self.hints);
                    error = batch.error.take();
                    self.read(batch).await?
                }
            };
            next_read = Instant::now() + interval;
            self.set_mode(&watcher);
            if self.found.send(Ok(found)).await.is_err() {
                return Ok(());
            }
            if let Some(error) = error {
                return Err(error);
            }
        }
    }

    async fn read(&mut self, batch: Batch) -> Result<Found, Error> {
        let mut found = Found { token: batch.token, ..Found::default() };
        for (collection, changed) in batch.changed {
            let outboxes = self.of(&collection, changed.keys(), batch.latest).await?;
            found.outboxes.push((collection.clone(), outboxes));
            found.changed.push((collection, changed));
        }
        // A document that was removed before the scan ended may have changed before the watcher was there to see it.
        let removal = |destroyed: Destroyed| Removal { is_certain: destroyed.time > self.scanned_at, destroyed };
        found.removals = batch.destroyed.into_iter().map(removal).collect();
        Ok(found)
    }

    /// The watcher polls while this process is busy and hints cover everything.
    fn set_mode(&mut self, watcher: &Watcher) {
        let wanted = self.hints.mode();
        if *watcher.mode.borrow() != wanted {
            watcher.mode.send_replace(wanted);
            tracing::debug!(service = %self.source.service, ?wanted, "the mode of the watcher changes");
        }
    }

    /// Reads every pending event: the recovery after a lost resume token.
    async fn scan(&mut self) -> Result<(), Error> {
        // The watcher tells of writes after its opening, and a majority read may lag behind. The reply of any command
        // takes the session to the present: a write that was applied before the opening is then read.
        self.database.run_command(doc! { "ping": 1 }).session(&mut self.session).await?;
        for collection in self.source.aggregates.clone().into_keys() {
            let mut after = String::new();
            loop {
                let pending = doc! { "_id": { "$gt": &after }, "outbox.0": { "$exists": true } };
                let outboxes = self.find(&collection, pending).await?;
                let Some(last) = outboxes.last() else { break };
                after.clone_from(&last.id);
                let found = Found { outboxes: vec![(collection.clone(), outboxes)], ..Found::default() };
                if self.found.send(Ok(found)).await.is_err() {
                    return Ok(());
                }
            }
        }
        self.scanned_at = self.session.operation_time();
        Ok(())
    }

    /// The outboxes of these documents, as they are at `time` or later.
    async fn of(
        &mut self,
        collection: &str,
        ids: impl Iterator<Item = &String>,
        time: Option<Timestamp>,
    ) -> Result<Vec<Outbox>, Error> {
        if let Some(time) = time {
            self.session.advance_operation_time(time);
        }
        let ids: Vec<Bson> = ids.map(Bson::from).collect();
        self.find(collection, doc! { "_id": { "$in": ids } }).await
    }

    async fn find(&mut self, collection: &str, filter: Document) -> Result<Vec<Outbox>, Error> {
        let limit = u32::try_from(BATCH).unwrap_or(u32::MAX);
        let mut cursor = self
            .database
            .collection::<Outbox>(collection)
            .find(filter)
            .projection(doc! { "outbox": 1 })
            .sort(doc! { "_id": 1 })
            .limit(i64::from(limit))
            .batch_size(limit + 1) // one more, so that the answer is one message and closes the cursor
            .read_concern(ReadConcern::majority())
            .session(&mut self.session)
            .await?;
        let mut found = Vec::new();
        while cursor.advance(&mut self.session).await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }
}

impl Batch {
    /// The token is that of the last notice before any error. A document that hints cover need not be read: its events are
    /// on their way to the log, before the token.
    fn of(notices: impl Iterator<Item = Result<ChangeNotice, Error>>, hints: &mut HintTracker) -> Self {
        let mut batch = Self::default();
        for notice in notices {
            match notice {
                Ok(ChangeNotice::Changed { collection, id, seq, time, token }) => {
                    batch.token = Some(token);
                    if seq.is_some_and(|seq| hints.covers(&collection, &id, seq)) {
                        continue;
                    }
                    hints.record_change(&collection, &id, seq.unwrap_or(i64::MAX));
                    batch.latest = batch.latest.max(time);
                    let known = batch.changed.entry(collection).or_default().entry(id).or_default();
                    *known = seq.unwrap_or(0).max(*known);
                }
                Ok(ChangeNotice::Quiet(token)) => batch.token = token.or(batch.token),
                Ok(ChangeNotice::Destroyed(destroyed)) => batch.destroyed.push(destroyed),
                Err(error) => batch.error = Some(error),
            }
        }
        batch
    }
}
