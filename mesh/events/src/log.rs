//! The log: every event of the service once, in an order without gaps. The source of what is published.
//!
//! An append adds segments, and each begins where the log ended for the appender. So of two appenders that have read the
//! same end only one can append: the other finds the place of its segment taken. The index of the places of aggregates is
//! unique as well, for an appender that has read an older state of the log than its end.

use crate::{Error, event::Entry};
use bson::{Bson, Document, RawArrayBuf, RawDocumentBuf, doc, raw::cstr, rawdoc};
use futures::TryStreamExt;
use mongodb::{Collection, Database, IndexModel, options::IndexOptions};
use std::collections::HashMap;
use store::{Cache, log, page};

/// Bytes of one insert: half of the 16 MiB that a command may have, as room for its largest segment.
const INSERT_BYTES: usize = 8 * 1024 * 1024;

/// Bytes of a segment, unless its only entry has more. Who looks for one entry has mongod read this much.
const SEGMENT_BYTES: usize = 512 * 1024;

/// Longest wait for the majority: then the term ends, and the next one finds out what the log has.
const INSERT_TIMEOUT_MS: i32 = 10_000;

/// The unique indexes of logs that were not in segments: they would let no two segments be.
const OBSOLETE: [&str; 2] = ["eid_1", "agg_1_aid_1_seq_1"];

/// The highest `seq` that the log is known to have of each aggregate: 32,768 in a generation of the cache, some MB.
pub(crate) type LoggedSeqs = Cache<i64, 32_768>;

#[derive(Clone)]
pub(crate) struct Log {
    database: Database,
    segments: Collection<Document>,
}

impl Log {
    /// Opens the log and makes its unique index: each place of an aggregate is one event.
    pub async fn open(database: &Database) -> Result<Self, Error> {
        let log = Self::unchecked(database);
        let options = IndexOptions::builder().unique(true).sparse(true).build();
        let keys = doc! { "entries.agg": 1, "entries.aid": 1, "entries.seq": 1 };
        log.segments.create_index(IndexModel::builder().keys(keys).options(options).build()).await?;
        log.take_over_singles().await?;
        Ok(log)
    }

    /// The log for reading; the relay sees to the indexes.
    pub fn unchecked(database: &Database) -> Self {
        Self { database: database.clone(), segments: database.collection(store::LOG) }
    }

    /// Earlier releases kept each entry in a document of its own: each becomes a segment.
    async fn take_over_singles(&self) -> Result<(), Error> {
        let fields = ["eid", "agg", "aid", "seq", "type", "name", "at", "trace", "data"];
        let entry: Document =
            fields.map(|field| (field.to_owned(), Bson::from(format!("${field}")))).into_iter().collect();
        let segment = vec![doc! { "$set": { "entries": [entry] } }];
        Ok(store::take_over(&self.segments, "entries", segment, &OBSOLETE).await?)
    }

    /// At most `limit` entries of one aggregate after `seq`, and no more bytes than a page has, in order.
    pub async fn of_aggregate(&self, nouns: &[&String], id: &str, seq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        // An aggregate has no gaps, so the places are known; without the last one mongod would read its whole history.
        let seqs = doc! { "$gt": seq, "$lte": seq.saturating_add(limit) };
        let mut stages = log::entries(doc! { "agg": { "$in": nouns }, "aid": id, "seq": seqs });
        stages.push(doc! { "$sort": { "seq": 1 } });
        self.page(stages, limit).await
    }

    /// At most `limit` entries after `gseq`, and no more bytes than a page has, in order.
    pub async fn after(&self, gseq: i64, limit: i64) -> Result<Vec<Entry>, Error> {
        let Some(first) = self.place(log::segment_of(gseq.saturating_add(1))).await? else { return Ok(Vec::new()) };
        let mut stages = vec![doc! { "$match": { "_id": { "$gte": first } } }, doc! { "$sort": { "_id": 1 } }];
        stages.extend(log::entries(doc! {}));
        stages.push(doc! { "$match": { "_id": { "$gt": gseq } } });
        self.page(stages, limit).await
    }

    async fn page(&self, mut stages: Vec<Document>, limit: i64) -> Result<Vec<Entry>, Error> {
        stages.push(doc! { "$limit": limit });
        let batch_size = u32::try_from(limit).unwrap_or(u32::MAX).saturating_add(1);
        let cursor = self.segments.aggregate(stages).batch_size(batch_size).with_type::<Entry>().await?;
        Ok(page::read(cursor, limit).await?.entries)
    }

    /// The `gseq` before the first entry at or after `time`; the last one when there is none.
    pub async fn before(&self, time: store::Time) -> Result<i64, Error> {
        match self.place(log::first_since(time)).await? {
            Some(gseq) => Ok(gseq - 1),
            None => self.last().await,
        }
    }

    /// The last `gseq`, 0 when the log is empty.
    pub async fn last(&self) -> Result<i64, Error> {
        Ok(self.place(log::last()).await?.unwrap_or(0))
    }

    async fn place(&self, stages: Vec<Document>) -> Result<Option<i64>, Error> {
        let found = self.segments.aggregate(stages).await?.try_next().await?;
        Ok(found.and_then(|found| found.get_i64("_id").ok()))
    }

    /// The highest `seq` that the log has of each of these aggregates, if it is `from` or later.
    pub async fn highest_seqs(&self, noun: &str, ids: &[&str], from: i64) -> Result<HashMap<String, i64>, Error> {
        let mut stages = log::entries(doc! { "agg": noun, "aid": { "$in": ids }, "seq": { "$gte": from } });
        stages.push(doc! { "$group": { "_id": "$aid", "seq": { "$max": "$seq" } } });
        let batch_size = u32::try_from(ids.len()).unwrap_or(u32::MAX).saturating_add(1);
        let cursor = self.segments.aggregate(stages).batch_size(batch_size).await?;
        let found: Vec<Document> = cursor.try_collect().await?;
        let pair = |entry: &Document| Some((entry.get_str("_id").ok()?.to_owned(), entry.get_i64("seq").ok()?));
        Ok(found.iter().filter_map(pair).collect())
    }

    /// Appends entries that are numbered already, in as few segments as possible. [`Error::Superseded`] when another relay
    /// was first.
    ///
    /// A plain command, because the driver's insert would be a retryable write, which costs the server a tenth more;
    /// here the unique indexes make a repetition harmless.
    pub async fn append(&self, entries: &[Entry]) -> Result<(), Error> {
        let mut segments = Segments::default();
        for entry in entries {
            segments.push(entry)?;
            if segments.closed.as_bytes().len() > INSERT_BYTES {
                self.insert(std::mem::take(&mut segments.closed)).await?;
            }
        }
        segments.close();
        if segments.closed.is_empty() { Ok(()) } else { self.insert(segments.closed).await }
    }

    async fn insert(&self, segments: RawArrayBuf) -> Result<(), Error> {
        let mut command = rawdoc! {
            "insert": store::LOG,
            "ordered": true,
            "writeConcern": { "w": "majority", "j": true, "wtimeout": INSERT_TIMEOUT_MS },
        };
        command.append(cstr!("documents"), segments);
        let reply = self.database.run_raw_command(command).await?;
        let is_duplicate =
            |error: &Bson| error.as_document().is_some_and(|error| matches!(error.get_i32("code"), Ok(11000)));
        match reply.get_array("writeErrors") {
            Ok(errors) if errors.iter().any(is_duplicate) => Err(Error::Superseded),
            Ok(_) => Err(mongodb::error::Error::custom(format!("the log was not appended to: {reply}")).into()),
            // Entries that a failover could still take back must not be published.
            Err(_) if reply.contains_key("writeConcernError") => {
                Err(mongodb::error::Error::custom(format!("the log's end is not durable: {reply}")).into())
            }
            Err(_) => Ok(()),
        }
    }
}

/// Segments on their way into an insert.
#[derive(Default)]
struct Segments {
    closed: RawArrayBuf,
    /// First place of the open one, and its entries.
    first: i64,
    open: RawArrayBuf,
}

impl Segments {
    fn push(&mut self, entry: &Entry) -> Result<(), Error> {
        let document = bson::serialize_to_raw_document_buf(entry)?;
        if self.open.as_bytes().len() + document.as_bytes().len() > SEGMENT_BYTES {
            self.close();
        }
        if self.open.is_empty() {
            self.first = entry.gseq;
        }
        self.open.push(document);
        Ok(())
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            let mut segment = RawDocumentBuf::new();
            segment.append(cstr!("_id"), self.first);
            segment.append(cstr!("entries"), std::mem::take(&mut self.open));
            self.closed.push(segment);
        }
    }
}
