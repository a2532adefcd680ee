//! Facts that come at the same time are folded together: each row is read once and written once, whatever tells of it.

use crate::{
    domain::{Entry, Fact, fold},
    error::Error,
};
use ::store::{BatchWorker, Error as StoreError, GroupCommit};
use futures::future::{BoxFuture, join_all, try_join_all};
use mongodb::Database;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Folds facts into the rows of one collection.
pub struct Folding(GroupCommit);

/// A row in the working set of a batch.
#[derive(Default)]
struct Row {
    /// Revision that was read; 0 for none.
    rev: i64,
    entry: Option<Entry>,
    /// Places of the facts that are in it once it is written.
    facts: Vec<usize>,
}

impl BatchWorker for Folding {
    type Request = Fact;
    /// False when somebody else wrote the row in between.
    type Outcome = Result<bool, Error>;
    // An order tells six facts within a third of a second: held for half a second, they are one write or two. The row is as
    // much later than the order.
    const MIN_INTERVAL: Duration = Duration::from_millis(500);
    // So many facts go at once: the broker delivers no more ahead of them from one source.
    const MAX_BATCH: usize = 512;

    async fn run(&self, facts: Vec<Fact>) -> Vec<Result<bool, Error>> {
        let mut rows = match self.rows(&facts).await {
            Ok(rows) => rows,
            Err(StoreError::Bson(_)) if facts.len() > 1 => return self.one_by_one(facts).await,
            Err(error) => return facts.iter().map(|_| Err(error.clone().into())).collect(),
        };
        let mut outcomes = Vec::with_capacity(facts.len());
        for (place, fact) in facts.iter().enumerate() {
            let row = rows.entry(fact.order_id.clone()).or_default();
            outcomes.push(self.fold(row, place, fact).await);
        }
        telemetry::crash_point("order_history.writing");
        let changed = rows.into_values().filter(|row| !row.facts.is_empty());
        for (facts, written) in join_all(changed.map(|row| self.write(row))).await {
            for place in facts {
                if let Some(outcome) = outcomes.get_mut(place) {
                    *outcome = written.clone().map_err(Error::Store);
                }
            }
        }
        outcomes
    }
}

impl Folding {
    pub fn new(database: &Database, rows: &str) -> Self {
        Self(GroupCommit::new(database, rows))
    }

    /// One of the rows cannot be read: the facts of the others are folded all the same.
    fn one_by_one(&self, facts: Vec<Fact>) -> BoxFuture<'_, Vec<Result<bool, Error>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(facts.len());
            for fact in facts {
                outcomes.extend(self.run(vec![fact]).await);
            }
            outcomes
        })
    }

    async fn rows(&self, facts: &[Fact]) -> Result<BTreeMap<String, Row>, StoreError> {
        let ids: BTreeSet<&String> = facts.iter().map(|fact| &fact.order_id).collect();
        let row = async |id: &String| {
            let entry = self.entry(id).await?;
            let rev = entry.as_ref().map_or(0, |entry| entry.rev);
            Ok::<_, StoreError>((id.clone(), Row { rev, entry, facts: Vec::new() }))
        };
        Ok(try_join_all(ids.into_iter().map(row)).await?.into_iter().collect())
    }

    async fn entry(&self, id: &str) -> Result<Option<Entry>, StoreError> {
        let found = self.0.load(id).await?;
        Ok(found.map(|found| bson::deserialize_from_slice(found.as_bytes())).transpose()?)
    }

    /// Folds the fact at `place` into its row.
    async fn fold(&self, row: &mut Row, place: usize, fact: &Fact) -> Result<bool, Error> {
        if fact.seq > 1 && fact.order_id != fact.source {
            self.resume(row, fact).await?;
        }
        let next = fold(row.entry.clone(), fact)?;
        // A fact that this batch has put into the row before is durable only when the row is written: it has that outcome too.
        if next.is_some() || !row.facts.is_empty() {
            row.facts.push(place);
        }
        row.entry = next.or(row.entry.take());
        Ok(true)
    }

    /// When the first events of a payment or shipment were of unknown types, they were recorded under its own id.
    async fn resume(&self, row: &mut Row, fact: &Fact) -> Result<(), Error> {
        if row.entry.as_ref().is_some_and(|entry| entry.applied(&fact.source) > 0) {
            return Ok(());
        }
        if let Some(skipped) = self.entry(&fact.source).await? {
            let new = || Entry { order_id: fact.order_id.clone(), rev: 0, ..skipped.clone() };
            row.entry.get_or_insert_with(new).applied.insert(fact.source.clone(), skipped.applied(&fact.source));
        }
        Ok(())
    }

    /// Writes a row over the revision that was read. False when that is no longer current.
    async fn write(&self, row: Row) -> (Vec<usize>, Result<bool, StoreError>) {
        let Row { rev, entry, facts } = row;
        (facts, self.write_entry(rev, entry).await)
    }

    async fn write_entry(&self, rev: i64, entry: Option<Entry>) -> Result<bool, StoreError> {
        let Some(mut next) = entry else { return Ok(true) };
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
