//! What is pending: from the hints of this process, or read, in the documents that rang, or in all of them.

use crate::{
    Error,
    archive::{Found, Outbox},
    doorbell::{Destroyed, Doorbell, Ear, Ring},
    hints::HintTracker,
    source::Source,
};
use bson::{Bson, Document, Timestamp, doc};
use mongodb::{ClientSession, change_stream::event::ResumeToken, options::ReadConcern};
use std::{collections::BTreeMap, time::Duration};
use store::Database;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Documents that one read covers.
const BATCH: usize = 500;

/// Reads begin at least so far apart: the first ring after a pause is answered at once, and those that come fast share a
/// read, an append and a sync of the broker.
const PACE: Duration = Duration::from_micros(2500);

/// The same for hints, which are cheaper the more of them come together.
const HINTS_PACE: Duration = Duration::from_millis(15);

/// Reads outboxes and passes them on, in an order that keeps each resume token behind what it stands for.
pub(crate) struct Outboxes {
    database: Database,
    source: Source,
    session: ClientSession,
    hints: HintTracker,
    found: mpsc::Sender<Result<Found, Error>>,
    /// When everything was read at the beginning of the term.
    scanned_at: Option<Timestamp>,
}

/// Rings that are answered together.
#[derive(Default)]
struct Rung {
    /// The documents of each collection, and the `seq` that each was said to have.
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

    /// Reads on every ring until `shutdown`; with `scan`, everything first. What ends it early goes to the archive.
    pub async fn run(mut self, bell: Doorbell, scan: bool, shutdown: &CancellationToken) {
        let scanned = if scan { self.scan().await } else { Ok(()) };
        let read = match scanned {
            Ok(()) => self.answer(bell, shutdown).await,
            Err(error) => Err(error),
        };
        if let Err(error) = read {
            // The archive has ended when it does not take it.
            let _ = self.found.send(Err(error)).await;
        }
    }

    async fn answer(&mut self, mut bell: Doorbell, shutdown: &CancellationToken) -> Result<(), Error> {
        let mut rings = Vec::new();
        let mut next_read = Instant::now();
        loop {
            tokio::time::sleep_until(next_read).await;
            let (mut error, mut pace) = (None, PACE);
            let found = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                hinted = self.hints.next() => {
                    pace = HINTS_PACE;
                    Found { outboxes: hinted.into_iter().collect(), ..Found::default() }
                }
                received = bell.rings.recv_many(&mut rings, BATCH) => {
                    if received == 0 {
                        return Ok(());
                    }
                    let mut rung = Rung::of(rings.drain(..), &mut self.hints);
                    error = rung.error.take();
                    self.read(rung).await?
                }
            };
            next_read = Instant::now() + pace;
            self.listen(&bell);
            if self.found.send(Ok(found)).await.is_err() {
                return Ok(());
            }
            if let Some(error) = error {
                return Err(error);
            }
        }
    }

    async fn read(&mut self, rung: Rung) -> Result<Found, Error> {
        let mut found = Found { token: rung.token, ..Found::default() };
        for (collection, changed) in rung.changed {
            let outboxes = self.of(&collection, changed.keys(), rung.latest).await?;
            found.outboxes.push((collection.clone(), outboxes));
            found.rung.push((collection, changed));
        }
        // What was removed before everything was read may have changed before the bell was there to tell.
        let is_certain = |each: &Destroyed| each.time > self.scanned_at;
        found.destroyed = rung.destroyed.into_iter().map(|each| (is_certain(&each), each)).collect();
        Ok(found)
    }

    /// Has the bell listen as it should from now on.
    fn listen(&mut self, bell: &Doorbell) {
        let wanted = self.hints.ear();
        if bell.ear.send_if_modified(|ear: &mut Ear| std::mem::replace(ear, wanted) != wanted) {
            tracing::debug!(service = %self.source.service, ?wanted, "the bell listens in another way");
        }
    }

    /// Everything that is pending anywhere: the recovery after a lost resume token.
    async fn scan(&mut self) -> Result<(), Error> {
        // The bell rings for writes after its opening, and a majority read may lag behind. The reply of any command
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

impl Rung {
    /// The token is that of the last ring before any error. What hints cover need not be read: it is on its way to the
    /// log, before the token.
    fn of(rings: impl Iterator<Item = Result<Ring, Error>>, hints: &mut HintTracker) -> Self {
        let mut rung = Self::default();
        for ring in rings {
            match ring {
                Ok(Ring::Changed { collection, id, seq, time, token }) => {
                    rung.token = Some(token);
                    if seq.is_some_and(|seq| hints.covers(&collection, &id, seq)) {
                        continue;
                    }
                    hints.note_ring(&collection, &id, seq.unwrap_or(i64::MAX));
                    rung.latest = rung.latest.max(time);
                    let rang = rung.changed.entry(collection).or_default().entry(id).or_default();
                    *rang = seq.unwrap_or(0).max(*rang);
                }
                Ok(Ring::Quiet(token)) => rung.token = token.or(rung.token),
                Ok(Ring::Destroyed(destroyed)) => rung.destroyed.push(destroyed),
                Err(error) => rung.error = Some(error),
            }
        }
        rung
    }
}
