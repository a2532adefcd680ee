//! Entries and days in MongoDB. Nothing here changes or removes an entry.

use crate::{
    domain::{Entry, Head, entry_id, key},
    stored,
};
use ::store::{Found, Index, page};
use bson::{Bson, Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Cursor, Database, error::Error, options::Hint};
use std::collections::{BTreeMap, HashSet};

const ENTRIES: &str = "entries";
const DAYS: &str = "days";
const ANCHOR: &str = "anchor";

/// Identity of the one anchor.
pub const NEWEST: &str = "newest";

pub fn indexes() -> [Index; 3] {
    [
        Index::unique(ENTRIES, doc! { "aggregate_id": 1, "seq": 1, "aggregate": 1, "service": 1 }),
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
    pub fn has(&self, day: &str) -> bool {
        day >= self.start.as_str() && (self.end.is_empty() || day < self.end.as_str())
    }

    /// Of places, and of days.
    fn filter(&self) -> Document {
        // A bound that is a text leaves out what is none.
        let mut bounds = doc! { "$gte": &self.start };
        if !self.end.is_empty() {
            bounds.insert("$lt", &self.end);
        }
        doc! { "_id": bounds }
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
    /// As they are stored: whoever reads them finds what is no entry, too.
    pub entries: Collection<RawDocumentBuf>,
    pub days: Collection<RawDocumentBuf>,
    pub anchor: Collection<RawDocumentBuf>,
}

impl Entries {
    pub fn new(database: &Database) -> Self {
        Self {
            entries: database.collection(ENTRIES),
            days: database.collection(DAYS),
            anchor: database.collection(ANCHOR),
        }
    }

    /// The newest day, as the anchor has it; none when it is no anchor that this service has written.
    pub async fn anchor(&self) -> Result<Option<Head>, Error> {
        Ok(self.stored_anchor().await?.and_then(|anchor| stored::anchor(&anchor)))
    }

    /// What there is in the anchor's place.
    pub async fn stored_anchor(&self) -> Result<Option<RawDocumentBuf>, Error> {
        self.anchor.find_one(doc! { "_id": NEWEST }).await
    }

    /// The newest day that there is in the range.
    pub async fn newest(&self, range: &Range) -> Result<Option<RawDocumentBuf>, Error> {
        self.days.find_one(range.filter()).sort(doc! { "_id": -1 }).await
    }

    /// The last day before this one.
    pub async fn before(&self, day: &str) -> Result<Option<RawDocumentBuf>, Error> {
        self.days.find_one(doc! { "_id": { "$lt": day } }).sort(doc! { "_id": -1 }).await
    }

    pub async fn day(&self, day: &str) -> Result<Option<RawDocumentBuf>, Error> {
        self.days.find_one(doc! { "_id": day }).await
    }

    /// At most `limit` days, the oldest first.
    pub async fn days(&self, range: &Range, limit: i64) -> Result<Vec<RawDocumentBuf>, Error> {
        self.days.find(range.filter()).sort(doc! { "_id": 1 }).limit(limit).await?.try_collect().await
    }

    /// The keys of those of these events that have an entry, and of those before them that have.
    pub async fn recorded(&self, entries: &[Entry]) -> Result<HashSet<String>, Error> {
        let mut seqs: BTreeMap<&str, HashSet<i64>> = BTreeMap::new();
        for entry in entries {
            seqs.entry(&entry.aggregate_id).or_default().extend([entry.seq.saturating_sub(1), entry.seq]);
        }
        let of = |(id, seqs): (&str, HashSet<i64>)| {
            doc! { "aggregate_id": id, "seq": { "$in": seqs.into_iter().collect::<Vec<_>>() } }
        };
        let of_these: Vec<Document> = seqs.into_iter().map(of).collect();
        let fields = doc! { "_id": 0, "service": 1, "aggregate": 1, "aggregate_id": 1, "seq": 1 };
        let entries = self.entries.clone_with_type::<Document>();
        let found = entries.find(doc! { "$or": of_these }).projection(fields).await?;
        let found: Vec<Document> = found.try_collect().await?;
        let text = |entry: &Document, name| entry.get_str(name).unwrap_or_default().to_owned();
        let named = |entry: &Document| {
            let [service, aggregate, id] = ["service", "aggregate", "aggregate_id"].map(|name| text(entry, name));
            key(&service, &aggregate, &id, entry.get_i64("seq").unwrap_or_default())
        };
        Ok(found.iter().map(named).collect())
    }

    /// Place of the last event of the aggregate before `entry` that has an entry; 0 when none has.
    pub async fn last_before(&self, entry: &Entry) -> Result<i64, Error> {
        let Entry { service, aggregate, aggregate_id, seq, .. } = entry;
        let earlier = doc! {
            "aggregate_id": aggregate_id, "seq": { "$lt": seq }, "aggregate": aggregate, "service": service,
        };
        let entries = self.entries.clone_with_type::<Document>();
        let last = entries.find_one(earlier).sort(doc! { "seq": -1 }).projection(doc! { "seq": 1 }).await?;
        Ok(last.and_then(|last| last.get_i64("seq").ok()).unwrap_or_default())
    }

    /// A page of entries after the place `after`, the newest first.
    pub async fn list(
        &self,
        filter: &Filter,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<RawDocumentBuf>, Error> {
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
        page::find(self.entries.find(query).sort(doc! { "_id": -1 }), limit).await
    }

    /// All entries of these days, the oldest first.
    pub async fn all(&self, range: &Range) -> Result<Cursor<RawDocumentBuf>, Error> {
        self.entries.find(range.filter()).sort(doc! { "_id": 1 }).await
    }

    /// The entries of a day up to the last one that `head` knows.
    pub async fn chain(&self, head: &Head) -> Result<Cursor<RawDocumentBuf>, Error> {
        let places = doc! { "$gt": format!("{}/", head.day), "$lte": entry_id(&head.day, head.count) };
        self.entries.find(doc! { "_id": places }).sort(doc! { "_id": 1 }).await
    }

    /// Places of the day behind the last one that `head` knows, at most `limit`.
    pub async fn behind(&self, head: &Head, limit: i64) -> Result<Vec<String>, Error> {
        // The character that follows the slash ends the day.
        let places = doc! { "$gt": entry_id(&head.day, head.count), "$lt": format!("{}0", head.day) };
        self.places(doc! { "_id": places }, limit).await
    }

    /// Places in `range` that belong to none of these days, which are in order; at most `limit`.
    pub async fn outside(&self, range: &Range, days: &[String], limit: i64) -> Result<Vec<String>, Error> {
        let (mut between, mut from) = (Vec::new(), range.start.clone());
        for day in days {
            between.push(doc! { "_id": { "$gte": from, "$lte": format!("{day}/") } });
            from = format!("{day}0");
        }
        between.push(Range { start: from, end: range.end.clone() }.filter());
        self.places(doc! { "$or": between }, limit).await
    }

    /// Identities of what has no place, for it is no text or a text before all dates; at most `limit` of each kind.
    pub async fn without_place(&self, limit: i64) -> Result<Vec<String>, Error> {
        let entries = self.entries.clone_with_type::<Document>();
        let mut found = Vec::new();
        // In the order of BSON types the texts lie between the numbers and the documents.
        for (from, to) in [(Bson::MinKey, Bson::from("0")), (Bson::from(doc! {}), Bson::MaxKey)] {
            let bounded = entries.find(doc! {}).min(doc! { "_id": from }).max(doc! { "_id": to });
            let bounded = bounded.hint(Hint::Keys(doc! { "_id": 1 })).limit(limit).projection(doc! { "_id": 1 });
            let some: Vec<Document> = bounded.await?.try_collect().await?;
            found.extend(some.iter().map(place));
        }
        Ok(found)
    }

    async fn places(&self, filter: Document, limit: i64) -> Result<Vec<String>, Error> {
        let entries = self.entries.clone_with_type::<Document>();
        let found = entries.find(filter).sort(doc! { "_id": 1 }).limit(limit).projection(doc! { "_id": 1 }).await?;
        let found: Vec<Document> = found.try_collect().await?;
        Ok(found.iter().map(place).collect())
    }
}

fn place(entry: &Document) -> String {
    let id = entry.get("_id").unwrap_or(&Bson::Null);
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}
