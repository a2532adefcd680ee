//! The outbox inside a document: events that are durable with the state and not yet known to be in the log.

use crate::{Error, Time, log};
use bson::{Bson, Document, doc, spec::BinarySubtype};
use contracts::id::Kind;
use futures::TryStreamExt;
use mongodb::Collection;
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// At this number of pending events the writer drops those that the log has: documents stay small, and one write in about
/// eight pays for the question.
const TRIM_AT: usize = 8;

/// At this number of pending bytes the writer drops the events that the log has.
const TRIM_AT_BYTES: usize = CAP_BYTES / 8;

/// A write that would leave more events pending is refused. A relay that is up leaves few of them; behind one that is down
/// the documents must not grow without end.
const CAP: usize = 64;

/// A write that would leave more bytes pending is refused; a document may have 16 MiB. The events of one change cannot be
/// more: one of them alone must fit a message of NATS, whose limit is 1 MiB with its headers.
const CAP_BYTES: usize = 256 * 1024;

/// Most bytes of the headers that an event is published with.
pub const EVENT_HEADERS_BYTES: usize = 1024;

/// Bytes of an entry beside its message: id, type, name, time, trace and actor.
const ENTRY_BYTES: usize = 256;

/// The largest message that the broker takes, headers included, as the broker said last: an event that could never be
/// published is refused before it is written. Until the broker has said it there is no such limit, and no write waits
/// for one. Cheap to clone.
#[derive(Debug, Clone)]
pub struct EventLimit(Arc<AtomicUsize>);

impl Default for EventLimit {
    fn default() -> Self {
        Self(Arc::new(AtomicUsize::new(usize::MAX)))
    }
}

impl EventLimit {
    /// Refuses events above this many bytes from now on.
    pub fn set(&self, bytes: usize) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// An event that a decision brings forth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Last word of the subject: `created`, `confirmed`.
    pub name: String,
    /// Full name of the message: `comptoir.orders.v1.OrderCreated`.
    pub r#type: String,
    pub data: Vec<u8>,
    /// Who causes it; none of what a service does by itself.
    pub actor: Option<String>,
}

impl NewEvent {
    /// An event that whoever is acting here causes.
    pub fn of<M: prost::Message + prost::Name>(name: &str, message: &M) -> Self {
        Self { name: name.to_owned(), r#type: M::full_name(), data: message.encode_to_vec(), actor: telemetry::actor() }
    }
}

/// An entry of an outbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pending {
    /// Event id, `evt_…`.
    pub id: String,
    /// Place among the events of this aggregate, from 1.
    pub seq: i64,
    /// Full name of the message.
    pub r#type: String,
    /// Last word of the subject.
    pub name: String,
    pub at: Time,
    /// W3C `traceparent` of the request that caused it.
    pub trace: Option<String>,
    /// Who caused it; none of what a service does by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    pub data: bson::Binary,
}

/// Numbers `events` from `seq + 1`.
pub(crate) fn entries(events: Vec<NewEvent>, seq: i64, at: Time) -> Result<Vec<Bson>, Error> {
    let trace = telemetry::traceparent();
    let entry = |(index, event): (i64, NewEvent)| {
        let pending = Pending {
            id: Kind::Event.new_id(),
            seq: seq + index,
            r#type: event.r#type,
            name: event.name,
            at,
            trace: trace.clone(),
            actor: event.actor,
            data: bson::Binary { subtype: BinarySubtype::Generic, bytes: event.data },
        };
        Ok(bson::serialize_to_bson(&pending)?)
    };
    (1..).zip(events).map(entry).collect()
}

/// Whether it is time to ask the log what it has.
pub(crate) fn is_long(pending: &[Bson]) -> bool {
    pending.len() >= TRIM_AT || pending_bytes(pending) >= TRIM_AT_BYTES
}

/// Refuses to let the outbox grow beyond its caps, and for good what would not even fit an empty one or the broker.
pub(crate) fn admit(pending: &[Bson], new: &[NewEvent], limit: &EventLimit) -> Result<(), Error> {
    let bytes = new.iter().map(|event| event.data.len() + ENTRY_BYTES).sum::<usize>();
    // Before the backlog: a change that can never fit must not be told to come again later.
    if new.len() > CAP || bytes > CAP_BYTES {
        return Err(Error::TooLarge { events: new.len(), bytes, limit: CAP_BYTES });
    }
    let largest = new.iter().map(|event| event.data.len() + EVENT_HEADERS_BYTES).max().unwrap_or(0);
    if largest > limit.get() {
        return Err(Error::TooLarge { events: 1, bytes: largest, limit: limit.get() });
    }
    let is_too_much = pending.len() + new.len() > CAP || pending_bytes(pending) + bytes > CAP_BYTES;
    if is_too_much && !new.is_empty() { Err(Error::Backlog(pending.len())) } else { Ok(()) }
}

fn pending_bytes(pending: &[Bson]) -> usize {
    let data = pending.iter().map(|entry| match entry.as_document().and_then(|entry| entry.get("data")) {
        Some(Bson::Binary(data)) => data.bytes.len(),
        _ => 0,
    });
    data.map(|bytes| bytes + ENTRY_BYTES).sum()
}

/// The place of a pending event among those of its aggregate.
pub(crate) fn seq_of(entry: &Bson) -> i64 {
    entry.as_document().and_then(|entry| entry.get_i64("seq").ok()).unwrap_or(i64::MAX)
}

/// The highest `seq` of the pending events that the log has; 0 when it has none of them.
pub(crate) async fn archived(log: &Collection<Document>, noun: &str, id: &str, pending: &[Bson]) -> Result<i64, Error> {
    let Some(first) = pending.iter().map(seq_of).min() else { return Ok(0) };
    let mut stages = log::entries(doc! { "agg": noun, "aid": id, "seq": { "$gte": first } });
    stages.extend([doc! { "$sort": { "seq": -1 } }, doc! { "$limit": 1 }, doc! { "$project": { "seq": 1 } }]);
    let newest = log.aggregate(stages).await?.try_next().await?;
    Ok(newest.and_then(|entry| entry.get_i64("seq").ok()).unwrap_or(0))
}
