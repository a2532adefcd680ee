//! Aggregates in MongoDB: load, decide, and write state and events in one update guarded by the revision.

mod change;
mod erase;
mod remove;

pub use erase::Erased;

use crate::{
    Aggregate, Database, Error, EventLimit, Found, GroupCommit, HintSender, LOG, NewEvent, WriteHint, group_commit,
    now, outbox, page,
};
use bson::{Bson, Document, RawBson, RawBsonRef, RawDocumentBuf, doc, raw::cstr, rawdoc};
use mongodb::Collection;
use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// At most this many documents are read for each that is wanted, so that a look at a collection that cannot be read ends.
const UNREADABLE: i64 = 16;

/// Pause between two errors about documents that cannot be read.
const LOG_EVERY_MS: i64 = 60_000;

/// A state as it was loaded or written.
#[derive(Debug, Clone)]
pub struct Versioned<T> {
    pub id: String,
    /// Revision; every write adds one.
    pub rev: i64,
    /// `seq` of its newest event.
    pub seq: i64,
    pub state: T,
    /// The fields of the state as stored: a write sends only those that changed.
    fields: Arc<RawDocumentBuf>,
    outbox: Arc<Vec<Bson>>,
    /// Whether the write that made this version brought events.
    has_events: bool,
    /// The last requests that changed the document: `{key, digest}`, or the key alone of those that are older than digests.
    requests: Vec<Bson>,
}

impl<T> Versioned<T> {
    /// The version as callers see it.
    pub fn etag(&self) -> String {
        self.rev.to_string()
    }

    /// Whether `etag` is empty or that of this version.
    pub fn is_current(&self, etag: &str) -> bool {
        etag.is_empty() || etag == self.etag()
    }
}

/// A new state and its events.
#[derive(Debug, Clone)]
pub struct Change<T> {
    pub state: T,
    /// What happened, in order.
    pub events: Vec<NewEvent>,
}

/// The documents of one kind of aggregate.
pub struct Documents<T> {
    group: GroupCommit,
    collection: Collection<Document>,
    raw: Collection<RawDocumentBuf>,
    log: Collection<Document>,
    hints: HintSender,
    limit: EventLimit,
    kind: PhantomData<fn() -> T>,
}

impl<T> Clone for Documents<T> {
    fn clone(&self) -> Self {
        Self {
            group: self.group.clone(),
            collection: self.collection.clone(),
            raw: self.raw.clone(),
            log: self.log.clone(),
            hints: self.hints.clone(),
            limit: self.limit.clone(),
            kind: PhantomData,
        }
    }
}

impl<T: Aggregate> Documents<T> {
    pub fn new(database: &Database) -> Self {
        Self {
            group: GroupCommit::new(database, T::COLLECTION),
            collection: database.collection(T::COLLECTION),
            raw: database.collection(T::COLLECTION),
            log: database.collection(LOG),
            hints: database.hints().clone(),
            limit: database.event_limit().clone(),
            kind: PhantomData,
        }
    }

    /// The same documents, for writes that nobody waits for: each waits a little for others to go with.
    pub fn deferred(&self) -> Self {
        Self { group: self.group.deferred(), ..self.clone() }
    }

    /// The collection, for queries.
    pub fn collection(&self) -> &Collection<Document> {
        &self.collection
    }

    /// Writes a new document with its first events. [`Error::Duplicate`] when the identity is taken.
    pub async fn insert(&self, id: &str, state: T, events: Vec<NewEvent>) -> Result<Versioned<T>, Error> {
        let (document, written) = self.first(id, state, events)?;
        self.group.insert(document).await?;
        self.send_hint(&written);
        Ok(written)
    }

    /// Sends the hint of a write that is durable.
    fn send_hint(&self, written: &Versioned<T>) {
        self.hint(written).into_iter().for_each(|hint| self.hints.send(hint));
    }

    /// The hint to send once `written` is durable; none when it brought no events.
    pub(crate) fn hint(&self, written: &Versioned<T>) -> Option<WriteHint> {
        written.has_events.then(|| WriteHint {
            collection: T::COLLECTION,
            id: written.id.clone(),
            seq: written.seq,
            is_new: written.rev == 1,
            outbox: written.outbox.clone(),
        })
    }

    /// The document that [`Documents::insert`] would write, for a transaction.
    pub(crate) fn first(
        &self,
        id: &str,
        state: T,
        events: Vec<NewEvent>,
    ) -> Result<(RawDocumentBuf, Versioned<T>), Error> {
        outbox::admit(&[], &events, &self.limit)?;
        let fields = Arc::new(bson::serialize_to_raw_document_buf(&state)?);
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let entries = outbox::entries(events, 0, now())?;
        let mut document = rawdoc! { "_id": id, "rev": 1_i64, "seq": count };
        for field in fields.iter() {
            let (name, value) = field?;
            document.append(name, value);
        }
        document.append(cstr!("outbox"), RawBson::try_from(Bson::Array(entries.clone()))?);
        let (id, outbox, requests) = (id.to_owned(), Arc::new(entries), Vec::new());
        Ok((document, Versioned { id, rev: 1, seq: count, state, fields, outbox, has_events: count > 0, requests }))
    }

    pub async fn load(&self, id: &str) -> Result<Option<Versioned<T>>, Error> {
        self.group.load(id).await?.map(parse).transpose()
    }

    /// Those documents of `ids` that exist.
    pub async fn load_many(&self, ids: &[String]) -> Result<Vec<Versioned<T>>, Error> {
        let found = futures::future::try_join_all(ids.iter().map(|id| self.load(id))).await?;
        Ok(found.into_iter().flatten().collect())
    }

    pub async fn find_one(&self, filter: Document) -> Result<Option<Versioned<T>>, Error> {
        self.raw.find_one(filter).await?.map(parse).transpose()
    }

    /// The documents that match, in `sort` order, at most `limit`.
    pub async fn find(&self, filter: Document, sort: Document, limit: i64) -> Result<Vec<Versioned<T>>, Error> {
        let mut cursor = self.raw.find(filter).sort(sort).limit(limit).await?;
        let mut found = Vec::new();
        while cursor.advance().await? {
            found.push(parse(cursor.deserialize_current()?)?);
        }
        Ok(found)
    }

    /// The documents that match, as a page: at most `limit`, and no more bytes than a page may have.
    pub async fn page(&self, filter: Document, sort: Document, limit: i64) -> Result<Found<Versioned<T>>, Error> {
        let Found { entries, is_last } = page::find(self.raw.find(filter).sort(sort), limit).await?;
        Ok(Found { entries: entries.into_iter().map(parse).collect::<Result<_, _>>()?, is_last })
    }

    /// The documents that match, for workers that go through them in order: a document that cannot be read is logged and left
    /// out, so that it holds up none behind it.
    pub async fn find_readable(
        &self,
        filter: Document,
        sort: Document,
        limit: i64,
    ) -> Result<Vec<Versioned<T>>, Error> {
        let most = usize::try_from(limit).unwrap_or(0);
        let longest = limit.saturating_mul(UNREADABLE);
        // The first batch is what is wanted; the driver fetches more only when some of it cannot be read.
        let batch = u32::try_from(limit).unwrap_or(0);
        let mut cursor = self.raw.find(filter).sort(sort).limit(longest).batch_size(batch).await?;
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        while found.len() < most && cursor.advance().await? {
            let document: RawDocumentBuf = cursor.deserialize_current()?;
            let id = document.get("_id").ok().flatten().map(|id| format!("{id:?}")).unwrap_or_default();
            match parse(document) {
                Ok(document) => found.push(document),
                Err(error) => unreadable.push((id, error)),
            }
        }
        if let Some((first, error)) = unreadable.first()
            && is_to_be_logged()
        {
            let (collection, count) = (T::COLLECTION, unreadable.len());
            tracing::error!(collection, count, first, %error, "documents cannot be read and are left alone");
        }
        Ok(found)
    }

    /// Writes `change` over `old`. [`Error::Conflict`] when `old` is no longer current.
    pub async fn save(&self, old: &Versioned<T>, change: Change<T>) -> Result<Versioned<T>, Error> {
        self.save_as(old, change, None).await
    }

    /// The filter and update that [`Documents::save`] would send, for a transaction.
    pub(crate) async fn statement(
        &self,
        old: &Versioned<T>,
        change: Change<T>,
    ) -> Result<(Document, Document, Versioned<T>), Error> {
        let mut outbox = Vec::clone(&old.outbox);
        let mut trimmed = false;
        // The log is asked only when the outbox is long and about to grow: a read for every write would double its
        // cost.
        if outbox::is_long(&outbox) && !change.events.is_empty() {
            let archived = outbox::archived(&self.log, T::NOUN, &old.id, &outbox).await?;
            outbox.retain(|entry| outbox::seq_of(entry) > archived);
            trimmed = outbox.len() < old.outbox.len();
        }
        outbox::admit(&outbox, &change.events, &self.limit)?;
        let entries = outbox::entries(change.events, old.seq, now())?;
        let fields = bson::serialize_to_raw_document_buf(&change.state)?;
        // Only fields that differ are sent, so that a field which a newer version of the service has added survives
        // this write.
        let mut set = doc! {};
        for field in fields.iter() {
            let (name, value) = field?;
            if old.fields.get(name)? != Some(value) {
                set.insert(name.as_str(), Bson::try_from(value)?);
            }
        }
        let seq = old.seq + i64::try_from(entries.len()).unwrap_or(0);
        set.insert("rev", old.rev + 1);
        if seq != old.seq {
            set.insert("seq", seq); // the field that the relay's change stream watches
        }
        outbox.extend(entries.iter().cloned());
        let mut update = doc! {};
        // One update cannot set a field and push to it: a trimmed outbox is written whole.
        if trimmed {
            set.insert("outbox", outbox.clone());
        } else if !entries.is_empty() {
            update.insert("$push", doc! { "outbox": { "$each": entries } });
        }
        update.insert("$set", set);
        let unset = vanished(old, &fields)?;
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        let (id, rev, requests) = (old.id.clone(), old.rev + 1, old.requests.clone());
        let (outbox, fields, has_events) = (Arc::new(outbox), Arc::new(fields), seq != old.seq);
        let written = Versioned { id, rev, seq, state: change.state, fields, outbox, has_events, requests };
        Ok((doc! { "_id": &old.id, "rev": old.rev }, update, written))
    }
}

/// Whether to log unreadable documents: at most once a minute, because sweeps look for work often.
fn is_to_be_logged() -> bool {
    static LOGGED_AT: AtomicI64 = AtomicI64::new(0);
    let now = now().timestamp_millis();
    let logged_at = LOGGED_AT.load(Ordering::Relaxed);
    let is_long_ago = now.saturating_sub(logged_at) >= LOG_EVERY_MS;
    is_long_ago && LOGGED_AT.compare_exchange(logged_at, now, Ordering::Relaxed, Ordering::Relaxed).is_ok()
}

fn parse<T: Aggregate>(document: RawDocumentBuf) -> Result<Versioned<T>, Error> {
    let (mut id, mut rev, mut seq) = (String::new(), 0, 0);
    let (mut fields, mut outbox, mut requests) = (RawDocumentBuf::new(), Vec::new(), Vec::new());
    for field in document.iter() {
        let (name, value) = field?;
        match name.as_str() {
            "_id" => id = value.as_str().unwrap_or_default().to_owned(),
            "rev" => rev = value.as_i64().unwrap_or_default(),
            "seq" => seq = value.as_i64().unwrap_or_default(),
            "outbox" => outbox = list(value)?,
            "requests" => requests = list(value)?,
            // The mark is no part of the state: the next write sets another one.
            _ if name == group_commit::MARK => {}
            _ => fields.append(name, value),
        }
    }
    let state = bson::deserialize_from_slice(fields.as_bytes())?;
    let (fields, outbox) = (Arc::new(fields), Arc::new(outbox));
    Ok(Versioned { id, rev, seq, state, fields, outbox, has_events: false, requests })
}

/// The fields that the old state had and the new one has no more. A stored field that the type does not know belongs to a
/// newer version of the service, and stays.
fn vanished<T: Aggregate>(old: &Versioned<T>, fields: &RawDocumentBuf) -> Result<Document, Error> {
    let mut absent = Vec::new();
    for field in old.fields.iter() {
        let (name, _) = field?;
        if fields.get(name)?.is_none() {
            absent.push(name);
        }
    }
    let mut unset = doc! {};
    if !absent.is_empty() {
        let known = bson::serialize_to_raw_document_buf(&old.state)?;
        for name in absent {
            if known.get(name)?.is_some() {
                unset.insert(name.as_str(), "");
            }
        }
    }
    Ok(unset)
}

fn list(value: RawBsonRef) -> Result<Vec<Bson>, Error> {
    let entries = value.as_array().into_iter().flatten();
    entries.map(|entry| Ok(Bson::try_from(entry?)?)).collect()
}
