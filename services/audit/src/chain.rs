//! Appends entries to the chain of the present day: those that come at the same time in one transaction.

use crate::{
    domain::{Anchor, Entry, Head},
    error::Error,
    store::{Entries, NEWEST, Range},
    stored,
};
use ::store::{BatchWorker, Database, Error as StoreError, Time, Transaction, now, transaction::retry};
use bson::{Bson, RawDocumentBuf, doc};
use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How often a batch is appended anew when another process of this service did so in between.
const ATTEMPTS: u32 = 16;

/// Most entries of others that are passed over at the end of a day.
const MAX_TAKEN: i64 = 10_000;

/// What an entry counts in a batch; all of them are about as long.
pub const ENTRY_BYTES: usize = 1024;

/// What became of an entry: [`Error::Gap`] when an earlier event of its aggregate has none yet.
type Outcome = Result<(), Error>;

/// The end of the chain. Only one batch at a time is on its way in a process.
pub struct Chain {
    database: Database,
    entries: Entries,
}

impl Chain {
    pub fn new(database: &Database, entries: Entries) -> Self {
        Self { database: database.clone(), entries }
    }

    async fn append(&self, entries: &[Entry]) -> Result<Vec<Outcome>, Error> {
        // Somebody else has appended, to the day or the same event.
        let is_conflict = |error: &Error| matches!(error, Error::Store(StoreError::Conflict | StoreError::Duplicate));
        let is_repeat = AtomicBool::new(false);
        retry(ATTEMPTS, is_conflict, || self.append_once(entries, is_repeat.swap(true, Ordering::Relaxed))).await
    }

    async fn append_once(&self, entries: &[Entry], is_repeat: bool) -> Result<Vec<Outcome>, Error> {
        let mut recorded = self.entries.recorded(entries).await?;
        let anchor = self.entries.stored_anchor().await?;
        let newest = match anchor.as_deref().and_then(stored::anchor) {
            Some(newest) => Some(newest),
            None => self.newest_without_anchor().await?,
        };
        let mut head = head(newest, now());
        // Those that another process has appended since are in the way, too, and then the anchor is another one.
        let taken = if is_repeat { self.entries.behind(&head, MAX_TAKEN).await? } else { Vec::new() };
        let (mut transaction, mut outcomes, before) = (Transaction::new(&self.database), Vec::new(), head.count);
        let mut appended = 0;
        for entry in entries {
            let outcome = self.admit(entry, &recorded).await?;
            if outcome.is_ok() && recorded.insert(entry.key(entry.seq)) {
                transaction.insert_raw(&self.entries.entries, &head.append(entry.clone(), &taken))?;
                appended += 1;
            }
            outcomes.push(outcome);
        }
        if appended > 0 {
            let (day, passed_over) = (head.day.clone(), head.count - before - appended);
            self.write(&mut transaction, anchor, head).await?;
            transaction.commit("audit.append").await?;
            if passed_over > 0 {
                tracing::error!(%day, passed_over, "somebody has put entries into the audit trail; verify the day");
            }
        }
        Ok(outcomes)
    }

    /// Whether the event before that of `entry` has its entry.
    async fn admit(&self, entry: &Entry, recorded: &HashSet<String>) -> Result<Outcome, Error> {
        if entry.seq <= 1 || [entry.seq - 1, entry.seq].iter().any(|seq| recorded.contains(&entry.key(*seq))) {
            return Ok(Ok(()));
        }
        let expected = self.entries.last_before(entry).await? + 1;
        Ok(Err(Error::Gap { expected, seq: entry.seq }))
    }

    /// The newest day where there is no anchor: before the first entry, or since somebody has removed the anchor.
    async fn newest_without_anchor(&self) -> Result<Option<Head>, Error> {
        let newest = self.entries.newest(&Range::default()).await?.and_then(|day| stored::head(&day));
        if newest.is_some() {
            tracing::error!("somebody has removed or changed the anchor of the audit trail; verify all of its days");
        }
        Ok(newest)
    }

    /// The anchor is what a batch follows, and what says that another one was first. The day is a copy of it, and is written
    /// anew should somebody have removed it; so the trail goes on, and the fault stays to be found.
    async fn write(
        &self,
        transaction: &mut Transaction,
        anchor: Option<RawDocumentBuf>,
        head: Head,
    ) -> Result<(), Error> {
        let Entries { days, anchor: anchors, .. } = &self.entries;
        if self.entries.day(&head.day).await?.is_some() {
            let set = doc! { "count": head.count, "start": &head.start, "hash": &head.hash };
            transaction.update_raw(days, doc! { "_id": &head.day }, doc! { "$set": set })?;
        } else {
            transaction.insert_raw(days, &head)?;
        }
        let next = Anchor { id: NEWEST.to_owned(), head };
        let Some(before) = anchor else { return Ok(transaction.insert_raw(anchors, &next)?) };
        let unchanged = match before.get("head").map_err(StoreError::from)? {
            Some(head) => doc! { "$eq": Bson::try_from(head).map_err(StoreError::from)? },
            None => doc! { "$exists": false },
        };
        let next = bson::serialize_to_document(&next).map_err(StoreError::from)?;
        Ok(transaction.update_raw(anchors, doc! { "_id": NEWEST, "head": unchanged }, next)?)
    }
}

/// The day to append to. A clock that is behind that of another process begins no earlier day.
fn head(newest: Option<Head>, now: Time) -> Head {
    let today = day(now);
    match newest {
        Some(newest) if newest.day >= today => newest,
        newest => Head::new(today, newest.as_ref()),
    }
}

/// The day of a time, UTC.
fn day(time: Time) -> String {
    time.try_to_rfc3339_string().unwrap_or_default().chars().take(10).collect()
}

impl BatchWorker for Chain {
    type Request = Entry;
    type Outcome = Outcome;
    // A transaction costs the server some milliseconds, for one entry as for hundreds.
    const MIN_INTERVAL: Duration = Duration::from_millis(10);
    const MAX_BATCH: usize = 256;

    async fn run(&self, entries: Vec<Entry>) -> Vec<Outcome> {
        match self.append(&entries).await {
            Ok(outcomes) => outcomes,
            Err(error) => entries.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}
