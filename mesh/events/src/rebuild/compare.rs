//! Compares the two copies: one hash for each, over its documents in the order of their ids, without bookkeeping.
//!
//! Both copies are being filled while they are compared. Each document says how far it is (`applied`), and is a fold of
//! those events alone; so a document counts as it was when both copies had applied the same events to it.

use super::model::{Failure, Table};
use crate::Color;
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Cursor, Database};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// Pause between two reads of a document that differs in its events.
const REREAD_PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compared {
    pub old: String,
    pub new: String,
}

struct Row {
    id: String,
    applied: BTreeMap<String, i64>,
    content: Vec<u8>,
}

/// Compares the tables of `old` with those of `new`. Documents that differ in their events are read again until they do
/// not, or until `deadline`: then one that is ahead in `new` counts as it is, and one that is behind there is an error.
pub(crate) async fn compare(
    database: &Database,
    tables: &[Table],
    old: Color,
    deadline: Instant,
) -> Result<Compared, Failure> {
    let (mut left, mut right) = (Sha256::new(), Sha256::new());
    for table in tables {
        let collection = |color: Color| database.collection::<Document>(&color.collection(table.collection));
        let pair = Pair { table, old: collection(old), new: collection(old.other()), deadline };
        pair.compare(&mut left, &mut right).await?;
    }
    Ok(Compared { old: hex(left), new: hex(right) })
}

struct Pair<'a> {
    table: &'a Table,
    old: Collection<Document>,
    new: Collection<Document>,
    deadline: Instant,
}

impl Pair<'_> {
    async fn compare(&self, left: &mut Sha256, right: &mut Sha256) -> Result<(), Failure> {
        let (mut olds, mut news) = (rows(&self.old).await?, rows(&self.new).await?);
        let (mut old, mut new) = (self.next(&mut olds).await?, self.next(&mut news).await?);
        while let Some(id) = old.iter().chain(&new).map(|row| row.id.clone()).min() {
            let is_next = |row: &mut Row| row.id == id;
            let (mut ours, mut theirs) = (old.take_if(is_next), new.take_if(is_next));
            if ours.is_some() {
                old = self.next(&mut olds).await?;
            }
            if theirs.is_some() {
                new = self.next(&mut news).await?;
            }
            if !are_even(&ours, &theirs) {
                (ours, theirs) = self.settle(&id).await?;
            }
            self.add(left, ours);
            self.add(right, theirs);
        }
        Ok(())
    }

    /// Waits until both copies have applied the same events to a document.
    async fn settle(&self, id: &str) -> Result<(Option<Row>, Option<Row>), Failure> {
        loop {
            let filter = doc! { "_id": id };
            let (old, new) = tokio::try_join!(self.old.find_one(filter.clone()), self.new.find_one(filter))?;
            let row = |found: Option<Document>| found.map(|document| self.row(document)).transpose();
            let (old, new) = (row(old)?, row(new)?);
            if are_even(&old, &new) {
                return Ok((old, new));
            }
            if Instant::now() >= self.deadline {
                let is_behind = old.iter().flat_map(|old| &old.applied).any(|(source, seq)| {
                    let reached = new.as_ref().and_then(|new| new.applied.get(source)).copied();
                    reached.unwrap_or(0) < *seq
                });
                if is_behind {
                    return Err(Failure::Behind { collection: self.table.collection, id: id.to_owned() });
                }
                tracing::warn!(collection = self.table.collection, %id, "the read model in use lacks events of a document");
                return Ok((old, new));
            }
            tokio::time::sleep(REREAD_PAUSE).await;
        }
    }

    async fn next(&self, rows: &mut Cursor<Document>) -> Result<Option<Row>, Failure> {
        rows.try_next().await?.map(|document| self.row(document)).transpose()
    }

    fn row(&self, mut document: Document) -> Result<Row, Failure> {
        let id = document.get_str("_id").unwrap_or_default().to_owned();
        let applied = match document.remove(self.table.applied) {
            Some(Bson::Document(sources)) => {
                sources.into_iter().filter_map(|(source, seq)| Some((source, number(&seq)?))).collect()
            }
            Some(seq) => number(&seq).map(|seq| (String::new(), seq)).into_iter().collect(),
            None => BTreeMap::new(),
        };
        for field in self.table.bookkeeping {
            document.remove(field);
        }
        let content = bson::serialize_to_vec(&sorted(document)).map_err(crate::Error::from)?;
        Ok(Row { id, applied, content })
    }

    fn add(&self, hash: &mut Sha256, row: Option<Row>) {
        if let Some(row) = row {
            hash.update(self.table.collection);
            hash.update(row.content); // starts with its own length
        }
    }
}

async fn rows(collection: &Collection<Document>) -> Result<Cursor<Document>, Failure> {
    Ok(collection.find(doc! {}).sort(doc! { "_id": 1 }).await?)
}

fn are_even(old: &Option<Row>, new: &Option<Row>) -> bool {
    old.as_ref().map(|row| &row.applied) == new.as_ref().map(|row| &row.applied)
}

fn number(value: &Bson) -> Option<i64> {
    value.as_i64().or_else(|| value.as_i32().map(i64::from))
}

/// Fields in the order of their names: updates append them in the order of the events.
fn sorted(document: Document) -> Document {
    let fields: BTreeMap<String, Bson> = document.into_iter().collect();
    let sort = |value: Bson| match value {
        Bson::Document(inner) => Bson::Document(sorted(inner)),
        other => other,
    };
    fields.into_iter().map(|(name, value)| (name, sort(value))).collect()
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
