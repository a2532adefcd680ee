//! Entries and days in MongoDB. Nothing here changes or removes an entry.

use crate::domain::{Entry, Head, entry_id};
use ::store::{Database, Found, Index, page};
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Cursor};
use std::collections::HashSet;

const ENTRIES: &str = "entries";
const DAYS: &str = "days";

pub fn indexes() -> [Index; 3] {
    [
        Index::unique(ENTRIES, doc! { "event_id": 1 }),
        Index::new(ENTRIES, doc! { "aggregate_id": 1, "_id": -1 }),
        Index::new(ENTRIES, doc! { "actor": 1, "_id": -1 }),
    ]
}

/// Days from the first to the one before the last; an empty text is no bound.
#[derive(Debug, Clone, Default)]
pub struct Range {
    pub start: String,
    pub end: String,
}

impl Range {
    fn filter(&self) -> Document {
        let mut bounds = Document::new();
        for (operator, bound) in [("$gte", &self.start), ("$lt", &self.end)] {
            if !bound.is_empty() {
                bounds.insert(operator, bound);
            }
        }
        if bounds.is_empty() {
            Document::new()
        } else {
            doc! { "_id": bounds }
        }
    }
}

/// Which entries to list.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub aggregate_id: String,
    pub actor: String,
    pub range: Range,
}

#[derive(Clone)]
pub struct Entries {
    pub entries: Collection<Entry>,
    pub days: Collection<Head>,
}

impl Entries {
    pub fn new(database: &Database) -> Self {
        Self { entries: database.collection(ENTRIES), days: database.collection(DAYS) }
    }

    /// The newest day.
    pub async fn newest(&self) -> Result<Option<Head>, mongodb::error::Error> {
        self.days.find_one(doc! {}).sort(doc! { "_id": -1 }).await
    }

    /// The last day before this one.
    pub async fn before(&self, day: &str) -> Result<Option<Head>, mongodb::error::Error> {
        self.days.find_one(doc! { "_id": { "$lt": day } }).sort(doc! { "_id": -1 }).await
    }

    pub async fn day(&self, day: &str) -> Result<Option<Head>, mongodb::error::Error> {
        self.days.find_one(doc! { "_id": day }).await
    }

    /// At most `limit` days, the oldest first.
    pub async fn days(&self, range: &Range, limit: i64) -> Result<Vec<Head>, mongodb::error::Error> {
        self.days.find(range.filter()).sort(doc! { "_id": 1 }).limit(limit).await?.try_collect().await
    }

    /// Which of these events have an entry.
    pub async fn recorded(&self, event_ids: &[&str]) -> Result<HashSet<String>, mongodb::error::Error> {
        let entries = self.entries.clone_with_type::<Document>();
        let found =
            entries.find(doc! { "event_id": { "$in": event_ids } }).projection(doc! { "_id": 0, "event_id": 1 });
        let found: Vec<Document> = found.await?.try_collect().await?;
        Ok(found.iter().filter_map(|entry| entry.get_str("event_id").ok().map(str::to_owned)).collect())
    }

    /// A page of entries after the place `after`, the newest first.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Entry>, mongodb::error::Error> {
        let mut query = filter.range.filter();
        for (field, value) in [("aggregate_id", &filter.aggregate_id), ("actor", &filter.actor)] {
            if !value.is_empty() {
                query.insert(field, value);
            }
        }
        let query = match after {
            Some(after) => doc! { "$and": [query, { "_id": { "$lt": after } }] },
            None => query,
        };
        let cursor = self.entries.find(query).sort(doc! { "_id": -1 }).limit(limit.saturating_add(1)).await?;
        page::read(cursor, limit).await
    }

    /// All entries of these days, the oldest first.
    pub async fn all(&self, range: &Range) -> Result<Cursor<Entry>, mongodb::error::Error> {
        self.entries.find(range.filter()).sort(doc! { "_id": 1 }).await
    }

    /// The entries of a day up to the last one that `head` knows.
    pub async fn chain(&self, head: &Head) -> Result<Cursor<Entry>, mongodb::error::Error> {
        let places = doc! { "$gt": format!("{}/", head.day), "$lte": entry_id(&head.day, head.count) };
        self.entries.find(doc! { "_id": places }).sort(doc! { "_id": 1 }).await
    }

    /// Places of the day behind the last one that `head` knows, at most `limit`.
    pub async fn behind(&self, head: &Head, limit: i64) -> Result<Vec<String>, mongodb::error::Error> {
        // The character that follows the slash ends the day.
        let places = doc! { "$gt": entry_id(&head.day, head.count), "$lt": format!("{}0", head.day) };
        self.places(doc! { "_id": places }, limit).await
    }

    /// Places in `range` that belong to none of these days, at most `limit`.
    pub async fn outside(
        &self,
        range: &Range,
        days: &[Head],
        limit: i64,
    ) -> Result<Vec<String>, mongodb::error::Error> {
        let within = days.iter().map(|head| {
            doc! { "_id": { "$gt": format!("{}/", head.day), "$lt": format!("{}0", head.day) } }
        });
        let mut none: Vec<Document> = within.collect();
        none.push(doc! { "_id": { "$exists": false } }); // the list must not be empty
        self.places(doc! { "$and": [range.filter(), { "$nor": none }] }, limit).await
    }

    async fn places(&self, filter: Document, limit: i64) -> Result<Vec<String>, mongodb::error::Error> {
        let entries = self.entries.clone_with_type::<Document>();
        let found = entries.find(filter).sort(doc! { "_id": 1 }).limit(limit).projection(doc! { "_id": 1 }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found
            .iter()
            .map(|entry| {
                entry
                    .get("_id")
                    .map_or_else(String::new, |id| id.as_str().map_or_else(|| id.to_string(), str::to_owned))
            })
            .collect())
    }
}
