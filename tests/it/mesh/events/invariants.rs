//! What must hold after every fault, in one place.

use super::{
    fixture::{Fixture, STREAM},
    writer::Names,
};
use anyhow::{Context, ensure};
use async_nats::jetstream;
use bson::{Document, doc};
use contracts::products::v1::ProductUpdated;
use futures::TryStreamExt;
use mongodb::Database;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

/// An event, in the log or on the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Place in the log.
    pub gseq: i64,
    /// Event id.
    pub eid: String,
    /// `product/prd_…`.
    pub aggregate: String,
    /// Place among its aggregate's events.
    pub seq: i64,
    /// The encoded message.
    pub data: Vec<u8>,
}

impl Entry {
    fn id(&self) -> &str {
        self.aggregate.rsplit('/').next().unwrap_or_default()
    }

    /// The name that it gives its product.
    pub fn name(&self) -> String {
        let product = ProductUpdated::decode(&*self.data).ok().and_then(|updated| updated.product);
        product.unwrap_or_default().name
    }
}

/// What [`logged`] says, and the stream is the log.
pub async fn everything(fixture: &Fixture) -> anyhow::Result<()> {
    let log = logged(fixture).await?;
    let nats = jetstream::new(fixture.stores.nats().await?);
    let stream = stream(&nats, log.len() as u64).await?;
    for (logged, published) in log.iter().zip(&stream) {
        ensure!(logged == published, "the log has {logged:?} where the stream has {published:?}");
    }
    ensure!(log.len() == stream.len(), "{} in the log, {} on the stream", log.len(), stream.len());
    Ok(())
}

/// The log has what was answered, and numbers and sequences have no gaps.
pub async fn logged(fixture: &Fixture) -> anyhow::Result<Vec<Entry>> {
    let documents = documents(&fixture.db).await?;
    let log = log(&fixture.db).await?;
    the_log_is_whole(&log, &documents, &fixture.writer.names())?;
    Ok(log)
}

fn the_log_is_whole(log: &[Entry], documents: &[Document], answered: &Names) -> anyhow::Result<()> {
    for (expected, entry) in (1..).zip(log) {
        ensure!(entry.gseq == expected, "the log has {} where {expected} should be", entry.gseq);
    }
    let eids: BTreeSet<&str> = log.iter().map(|entry| entry.eid.as_str()).collect();
    ensure!(eids.len() == log.len(), "an event id is in the log twice");
    let mut entries: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in log {
        entries.entry(entry.id()).or_default().push(entry);
    }
    for document in documents {
        let (id, last) = (document.get_str("_id")?, document.get_i64("seq")?);
        let logged: Vec<i64> = entries.get(id).into_iter().flatten().map(|entry| entry.seq).collect();
        ensure!(logged == (1..=last).collect::<Vec<_>>(), "{id}: 1..={last} became {logged:?}");
        for pending in document.get_array("outbox")?.iter().filter_map(|pending| pending.as_document()) {
            let eid = pending.get_str("id")?;
            ensure!(eids.contains(eid), "{id}: {eid} is not in the log");
        }
    }
    for ((id, seq), name) in answered {
        let entry = entries.get(id.as_str()).and_then(|entries| entries.get(usize::try_from(seq - 1).ok()?));
        let logged = entry.with_context(|| format!("{id}: event {seq} was answered and is not in the log"))?.name();
        ensure!(logged == *name, "{id}: event {seq} was answered as {name} and is logged as {logged}");
    }
    Ok(())
}

async fn documents(db: &Database) -> anyhow::Result<Vec<Document>> {
    let kept = doc! { "seq": 1, "outbox": 1 };
    Ok(db.collection::<Document>("products").find(doc! {}).projection(kept).await?.try_collect().await?)
}

/// The log, in order.
pub async fn log(db: &Database) -> anyhow::Result<Vec<Entry>> {
    let entries = kit::log(db, doc! {}).await?;
    let parse = |entry: &Document| {
        Ok(Entry {
            gseq: entry.get_i64("_id")?,
            eid: entry.get_str("eid")?.to_owned(),
            aggregate: format!("{}/{}", entry.get_str("agg")?, entry.get_str("aid")?),
            seq: entry.get_i64("seq")?,
            data: entry.get_binary_generic("data")?.clone(),
        })
    };
    entries.iter().map(parse).collect()
}

/// The entries of the stream, in order; an error when there are not `expected`. What no relay has published is none.
pub async fn stream(nats: &jetstream::Context, expected: u64) -> anyhow::Result<Vec<Entry>> {
    let state = nats.get_stream(STREAM).await?.get_info().await?.state;
    let mut entries = Vec::new();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let events::Stored::Entry { gseq, message } = events::stored(nats, STREAM, sequence).await? else { continue };
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        entries.push(Entry {
            gseq,
            eid: header("ce-id"),
            aggregate: header("ce-subject"),
            seq: header("ce-sequence").parse()?,
            data: message.payload.to_vec(),
        });
    }
    ensure!(entries.len() as u64 == expected, "{} entries on the stream, {expected} in the log", entries.len());
    Ok(entries)
}

/// What order-history knows of the products is the fold of their log.
pub async fn read_model(fixture: &Fixture) -> anyhow::Result<()> {
    let mut folded: BTreeMap<String, (i64, String)> = BTreeMap::new();
    for entry in log(&fixture.db).await? {
        folded.insert(entry.id().to_owned(), (entry.seq, entry.name()));
    }
    let rows = fixture.stores.mongodb().database("order_history").collection::<Document>("products");
    let ids: Vec<&String> = folded.keys().collect();
    let rows: Vec<Document> = rows.find(doc! { "_id": { "$in": ids } }).await?.try_collect().await?;
    let row =
        |row: &Document| Ok((row.get_str("_id")?.to_owned(), (row.get_i64("seq")?, row.get_str("name")?.to_owned())));
    let rows: BTreeMap<String, (i64, String)> = rows.iter().map(row).collect::<anyhow::Result<_>>()?;
    for (id, fold) in &folded {
        ensure!(rows.get(id) == Some(fold), "{id}: the log tells {fold:?}, the read model {:?}", rows.get(id));
    }
    Ok(())
}
