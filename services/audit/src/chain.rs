//! Appends entries to the chain of the present day: those that come at the same time in one transaction.

use crate::{
    domain::{Entry, Head},
    error::Error,
    store::Entries,
};
use ::store::{BatchWorker, Database, Error as StoreError, Time, Transaction, now, transaction::retry};
use bson::doc;
use std::{collections::HashSet, time::Duration};

/// How often a batch is appended anew when another process of this service did so in between.
const ATTEMPTS: u32 = 16;

/// What an entry counts in a batch; all of them are about as long.
pub const ENTRY_BYTES: usize = 1024;

/// The end of the chain. Only one batch at a time is on its way in a process.
pub struct Chain {
    database: Database,
    entries: Entries,
}

impl Chain {
    pub fn new(database: &Database, entries: Entries) -> Self {
        Self { database: database.clone(), entries }
    }

    async fn append(&self, entries: &[Entry]) -> Result<(), Error> {
        // Somebody else has appended, to the day or the same event.
        let is_conflict = |error: &Error| matches!(error, Error::Store(StoreError::Conflict | StoreError::Duplicate));
        retry(ATTEMPTS, is_conflict, || self.append_once(entries)).await
    }

    async fn append_once(&self, entries: &[Entry]) -> Result<(), Error> {
        let ids: Vec<&str> = entries.iter().map(|entry| entry.event_id.as_str()).collect();
        let mut recorded: HashSet<String> = self.entries.recorded(&ids).await?;
        let newest = self.entries.newest().await?;
        let (mut head, is_new) = head(newest, now());
        let before = head.clone();
        let mut transaction = Transaction::new(&self.database);
        for entry in entries {
            if recorded.insert(entry.event_id.clone()) {
                transaction.insert_raw(&self.entries.entries, &head.append(entry.clone()))?;
            }
        }
        if head == before {
            return Ok(());
        }
        if is_new {
            transaction.insert_raw(&self.entries.days, &head)?;
        } else {
            let unchanged = doc! { "_id": &head.day, "count": before.count, "hash": &before.hash };
            let appended = doc! { "$set": { "count": head.count, "hash": &head.hash } };
            transaction.update_raw(&self.entries.days, unchanged, appended)?;
        }
        Ok(transaction.commit("audit.append").await?)
    }
}

/// The day to append to, and whether it is a new one. A clock that is behind that of another process begins no earlier day.
fn head(newest: Option<Head>, now: Time) -> (Head, bool) {
    let today = day(now);
    match newest {
        Some(newest) if newest.day >= today => (newest, false),
        newest => (Head::new(today, newest.as_ref()), true),
    }
}

/// The day of a time, UTC.
fn day(time: Time) -> String {
    time.try_to_rfc3339_string().unwrap_or_default().chars().take(10).collect()
}

impl BatchWorker for Chain {
    type Request = Entry;
    type Outcome = Result<(), Error>;
    // A transaction costs the server some milliseconds, for one entry as for hundreds.
    const MIN_INTERVAL: Duration = Duration::from_millis(50);
    const MAX_BATCH: usize = 512;

    async fn run(&self, entries: Vec<Entry>) -> Vec<Result<(), Error>> {
        let appended = self.append(&entries).await;
        entries.iter().map(|_| appended.clone()).collect()
    }
}
