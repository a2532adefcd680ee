//! Appends entries to the chain of the present day: those that come at the same time in one transaction.

use crate::{
    domain::{Anchor, Entry, Head},
    error::Error,
    store::{Entries, NEWEST, Range},
    stored,
};
use ::store::{BatchWorker, Database, Error as StoreError, Time, Transaction, now, transaction::retry};
use bson::doc;
use std::{collections::HashSet, time::Duration};

/// How often a batch is appended anew when another process of this service did so in between.
const ATTEMPTS: u32 = 16;

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
        retry(ATTEMPTS, is_conflict, || self.append_once(entries)).await
    }

    async fn append_once(&self, entries: &[Entry]) -> Result<Vec<Outcome>, Error> {
        let mut recorded = self.entries.recorded(entries).await?;
        let anchor = self.entries.anchor().await?;
        let newest = match &anchor {
            Some(anchor) => Some(anchor.clone()),
            None => self.newest_without_anchor().await?,
        };
        let mut head = head(newest, now());
        let (mut transaction, mut outcomes, before) = (Transaction::new(&self.database), Vec::new(), head.count);
        for entry in entries {
            let outcome = self.admit(entry, &recorded).await?;
            if outcome.is_ok() && recorded.insert(entry.key(entry.seq)) {
                transaction.insert_raw(&self.entries.entries, &head.append(entry.clone()))?;
            }
            outcomes.push(outcome);
        }
        if head.count > before {
            self.write(&mut transaction, anchor, head).await?;
            transaction.commit("audit.append").await?;
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
    async fn write(&self, transaction: &mut Transaction, anchor: Option<Head>, head: Head) -> Result<(), Error> {
        let Entries { days, anchor: anchors, .. } = &self.entries;
        if self.entries.day(&head.day).await?.is_some() {
            let set = doc! { "count": head.count, "start": &head.start, "hash": &head.hash };
            transaction.update_raw(days, doc! { "_id": &head.day }, doc! { "$set": set })?;
        } else {
            transaction.insert_raw(days, &head)?;
        }
        let Some(before) = anchor else {
            transaction.insert_raw(anchors, &Anchor { id: NEWEST.to_owned(), head })?;
            return Ok(());
        };
        let unchanged = doc! { "_id": NEWEST, "head": bson::serialize_to_bson(&before).map_err(StoreError::from)? };
        let head = bson::serialize_to_bson(&head).map_err(StoreError::from)?;
        transaction.update_raw(anchors, unchanged, doc! { "$set": { "head": head } })?;
        Ok(())
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
