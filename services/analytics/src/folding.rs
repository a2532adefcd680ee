//! Changes that come at the same time are folded together: each fact is read once and written once.

use crate::{
    domain::{Change, Fact, fold},
    error::Error,
};
use ::store::{BatchWorker, Error as StoreError, GroupCommit};
use futures::future::{BoxFuture, join_all, try_join_all};
use mongodb::Database;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Folds changes into the facts of one collection.
pub struct Folding(GroupCommit);

/// A fact in the working set of a batch.
#[derive(Default)]
struct Row {
    /// Revision that was read; 0 for none.
    rev: i64,
    fact: Option<Fact>,
    /// Places of the changes that are in it once it is written.
    changes: Vec<usize>,
}

impl BatchWorker for Folding {
    type Request = Change;
    /// False when somebody else wrote the fact in between.
    type Outcome = Result<bool, Error>;
    // The events of an order come within a third of a second: held for half a second, they are one write or two. Reports are as
    // much later than orders.
    const MIN_INTERVAL: Duration = Duration::from_millis(500);
    // So many changes go at once: the broker delivers no more ahead of them from one source.
    const MAX_BATCH: usize = 512;

    async fn run(&self, changes: Vec<Change>) -> Vec<Result<bool, Error>> {
        let mut rows = match self.rows(&changes).await {
            Ok(rows) => rows,
            Err(StoreError::Bson(_)) if changes.len() > 1 => return self.one_by_one(changes).await,
            Err(error) => return changes.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let mut outcomes = Vec::with_capacity(changes.len());
        for (place, change) in changes.iter().enumerate() {
            let row = rows.entry(change.order_id.clone()).or_default();
            outcomes.push(row.fold(place, change).map(|()| true));
        }
        telemetry::crash_point("analytics.writing");
        let changed = rows.into_values().filter(|row| !row.changes.is_empty());
        for (changes, written) in join_all(changed.map(|row| self.write(row))).await {
            for place in changes {
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = written.clone().map_err(Error::Store);
                }
            }
        }
        telemetry::crash_point("analytics.written");
        outcomes
    }
}

impl Folding {
    pub fn new(database: &Database, facts: &str) -> Self {
        Self(GroupCommit::new(database, facts))
    }

    /// One of the facts cannot be read: the changes of the others are folded all the same.
    fn one_by_one(&self, changes: Vec<Change>) -> BoxFuture<'_, Vec<Result<bool, Error>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(changes.len());
            for change in changes {
                outcomes.extend(self.run(vec![change]).await);
            }
            outcomes
        })
    }

    async fn rows(&self, changes: &[Change]) -> Result<BTreeMap<String, Row>, StoreError> {
        let ids: BTreeSet<&String> = changes.iter().map(|change| &change.order_id).collect();
        let row = async |id: &String| {
            let found = self.0.load(id).await?;
            let fact: Option<Fact> = found.map(|found| bson::deserialize_from_slice(found.as_bytes())).transpose()?;
            let rev = fact.as_ref().map_or(0, |fact| fact.rev);
            Ok::<_, StoreError>((id.clone(), Row { rev, fact, changes: Vec::new() }))
        };
        Ok(try_join_all(ids.into_iter().map(row)).await?.into_iter().collect())
    }

    /// Writes a fact over the revision that was read. False when that is no longer current.
    async fn write(&self, row: Row) -> (Vec<usize>, Result<bool, StoreError>) {
        let Row { rev, fact, changes } = row;
        (changes, self.write_fact(rev, fact).await)
    }

    async fn write_fact(&self, rev: i64, fact: Option<Fact>) -> Result<bool, StoreError> {
        let Some(mut next) = fact else { return Ok(true) };
        next.rev = rev + 1;
        let document = bson::serialize_to_raw_document_buf(&next)?;
        let written =
            if rev > 0 { self.0.replace(&next.order_id, rev, document).await } else { self.0.insert(document).await };
        match written {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict | StoreError::Duplicate) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Row {
    /// Folds the change at `place`.
    fn fold(&mut self, place: usize, change: &Change) -> Result<(), Error> {
        let next = fold(self.fact.clone(), change)?;
        // A change that this batch has folded before is durable only when the fact is written: it has that outcome too.
        if next.is_some() || !self.changes.is_empty() {
            self.changes.push(place);
        }
        self.fact = next.or(self.fact.take());
        Ok(())
    }
}
