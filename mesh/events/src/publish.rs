//! From the log to JetStream: atomic batches or a few single messages, each conditional on the stream's last sequence.
//!
//! The entries of the stream are written by this code alone, and a batch is stored only if the stream ends where we believe
//! it ends. So the stream is the log, entry for entry and once each, without relying on the broker's window of duplicates
//! (ADR 1). After any failure the `tail` of the stream tells how far it got, also behind messages that somebody else
//! published there.

mod answer;
mod position;
mod tail;

pub(crate) use position::Position;

use crate::{
    Error,
    connect::Nats,
    event::Entry,
    log::Log,
    stored::{BATCH_ID, EXPECTED_LAST_SEQUENCE},
};
use async_nats::{
    HeaderMap, HeaderName, HeaderValue, PublishError, PublishErrorKind, Subscriber,
    jetstream::stream::{Config, RetentionPolicy, StorageType, Stream},
};
use bytes::Bytes;
use futures::StreamExt;
use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

/// Entries in one batch: one batch is one fsync, and the broker allows 1,000 messages in an atomic batch.
const BATCH: usize = 500;

/// Up to this many entries go as single messages. The broker makes a folder with synced files for every atomic batch: at 1,000
/// events/s that was two thirds of its CPU.
const SINGLES: usize = 16;

/// Groups of single messages in flight: the second waits at the broker while the first is synced. Should the first
/// fail, the second is refused, because it names the event that must be before it. A batch cannot name one, and messages
/// of somebody else could make the stream end where it expects: so nothing is in flight when a batch is sent.
const IN_FLIGHT: usize = 2;

/// Bytes of data in one batch, so that a batch does not keep the connection busy for long.
const BATCH_BYTES: usize = 1024 * 1024;

/// Room for the headers of an entry, in bytes.
const HEADERS_BYTES: usize = 512;

/// Life of an event in the stream; the log keeps it for good, and consumers that are behind for longer read there.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest wait for the broker's answer to a batch, with its sync of the disk.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

// An atomic batch is these headers and `BATCH_ID` (ADR-50 of NATS). Single messages need none of them.
const BATCH_SEQUENCE: HeaderName = HeaderName::from_static("Nats-Batch-Sequence");
const BATCH_COMMIT: HeaderName = HeaderName::from_static("Nats-Batch-Commit");

/// The event that must be the last of the stream; no header of a batch.
const EXPECTED_LAST_ID: HeaderName = HeaderName::from_static("Nats-Expected-Last-Msg-Id");

/// An end of the stream: its last entry, and the sequence of its last message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct End {
    gseq: i64,
    js_seq: u64,
}

pub(crate) struct Publisher {
    nats: Nats,
    log: Log,
    service: String,
    /// Value of `ce-source`.
    source: HeaderValue,
    stream: Stream,
    queue: VecDeque<Entry>,
    /// Last entry of the log, as far as is known.
    logged: i64,
    /// The end of the stream once everything that was sent is stored.
    sent: End,
    /// Event id of the last entry, when it was sent alone since the tail of the stream was last read.
    sent_id: Option<String>,
    in_flight: VecDeque<answer::Sent>,
    inbox: String,
    answers: Subscriber,
    pub position: Position,
}

impl Publisher {
    /// Makes the stream of a service if there is none, in `replicas` copies, and finds its last entry.
    pub async fn open(nats: Nats, log: Log, service: &str, replicas: u32, position: Position) -> Result<Self, Error> {
        let config = Config {
            name: topology::stream(service),
            subjects: vec![topology::subjects(service)],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            max_age: RETENTION,
            allow_atomic_publish: true,
            num_replicas: replicas as usize,
            ..Default::default()
        };
        let stream = nats.jetstream.get_or_create_stream(config).await.map_err(Error::nats)?;
        let inbox = nats.client.new_inbox();
        let answers = nats.client.subscribe(format!("{inbox}.*")).await.map_err(Error::nats)?;
        let mut publisher = Self {
            source: HeaderValue::from(format!("/comptoir/{service}")),
            service: service.to_owned(),
            stream,
            queue: VecDeque::new(),
            logged: 0,
            sent: End { gseq: position.gseq, js_seq: position.js_seq },
            sent_id: None,
            in_flight: VecDeque::new(),
            inbox,
            answers,
            position,
            nats,
            log,
        };
        publisher.find_tail().await?;
        Ok(publisher)
    }

    /// Compares the stream with what we believe. A stream that lost entries is continued from where it ends.
    pub async fn find_tail(&mut self) -> Result<(), Error> {
        let connects = connects(&self.nats);
        if connects != self.position.connects {
            self.position.scanned = position::Scanned::default(); // the broker may have been rolled back
        }
        let state = self.stream.get_info().await.map_err(Error::nats)?.state;
        let (End { gseq, js_seq }, foreign) = self.last_entry(&state).await?;
        let published = self.position.gseq;
        if gseq < published {
            tracing::error!(service = %self.service, lost_from = gseq + 1, to = published, "the broker lost events; they are published again");
        }
        let logged = self.log.last().await?;
        if gseq > logged {
            // A database that was restored from a copy ends before the stream: publishing would give used numbers to
            // other events.
            return Err(Error::StreamAhead { stream: topology::stream(&self.service), published: gseq, logged });
        }
        self.alarm(&foreign);
        self.logged = logged;
        (self.position.gseq, self.position.js_seq, self.position.connects) = (gseq, js_seq, connects);
        self.sent = End { gseq, js_seq: state.last_sequence };
        self.sent_id = None;
        self.in_flight.clear();
        Ok(())
    }

    /// Queues entries that have just been appended to the log.
    pub fn push(&mut self, entries: Vec<Entry>) {
        if let Some(last) = entries.last() {
            self.logged = self.logged.max(last.gseq);
        }
        self.queue.extend(entries);
    }

    /// Whether the queue has enough for the next batch.
    pub fn has_enough(&self) -> bool {
        self.queue.len() >= BATCH
    }

    /// The log ends at `logged`. Reads the tail of the stream again when the client has reconnected since.
    pub async fn refresh(&mut self, logged: i64) -> Result<(), Error> {
        self.logged = self.logged.max(logged);
        if self.position.connects == connects(&self.nats) { Ok(()) } else { self.find_tail().await }
    }

    /// Sends the next entries, or waits for the oldest in flight. False when the stream has the whole log.
    pub async fn step(&mut self) -> Result<bool, Error> {
        self.refill().await?; // while the broker syncs what is in flight
        let is_careful = self.position.is_careful;
        let count = self.ready().min(if is_careful { 1 } else { BATCH });
        let may_follow = count <= SINGLES && self.sent_id.is_some() && !is_careful;
        let most = if may_follow { IN_FLIGHT } else { 1 };
        if count > 0 && self.in_flight.len() < most {
            let batch = self.queue.drain(..count).collect();
            self.send(batch).await?;
        } else if let Some(oldest) = self.in_flight.pop_front() {
            self.confirm(oldest).await?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    async fn send(&mut self, batch: Vec<Entry>) -> Result<(), Error> {
        telemetry::crash_point("relay.publishing");
        let count = batch.len();
        let reply_to = format!("{}.{}", self.inbox, self.sent.gseq + 1);
        let largest = batch.iter().max_by_key(|entry| entry.data.bytes.len());
        let largest =
            largest.map_or_else(String::new, |entry| format!("{} of {} bytes", entry.eid, entry.data.bytes.len()));
        let batch_id = batch
            .first()
            .filter(|_| count > SINGLES)
            .map(|first| format!("{}-{:08x}", first.eid, rand::random::<u32>()));
        for (index, entry) in batch.into_iter().enumerate() {
            let mut headers = self.headers(&entry, index, batch_id.as_deref());
            let (subject, bytes) = (entry.subject(&self.service), entry.data.bytes.len());
            let payload = Bytes::from(entry.data.bytes);
            let refused = |error: PublishError| match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => {
                    Error::TooLarge { id: entry.eid.clone(), bytes, limit: self.nats.client.max_payload() }
                }
                PublishErrorKind::InvalidSubject | PublishErrorKind::Send => Error::nats(error),
            };
            if index + 1 < count {
                self.nats.client.publish_with_headers(subject, headers, payload).await.map_err(refused)?;
                self.sent_id = Some(entry.eid);
                telemetry::crash_point("relay.batch");
                continue;
            }
            if batch_id.is_some() {
                // The broker stores a batch at its commit message, as a whole or not at all.
                headers.insert(BATCH_COMMIT, "1");
            }
            let commit = self.nats.client.publish_with_reply_and_headers(subject, reply_to.clone(), headers, payload);
            commit.await.map_err(refused)?;
            self.sent = End { gseq: entry.gseq, js_seq: self.sent.js_seq + count as u64 };
            self.sent_id = batch_id.is_none().then_some(entry.eid);
        }
        let End { gseq, js_seq } = self.sent;
        self.in_flight.push_back(answer::Sent { reply_to, gseq, js_seq, largest });
        Ok(())
    }

    /// The headers of an entry that goes as this one of its group.
    fn headers(&self, entry: &Entry, index: usize, batch_id: Option<&str>) -> HeaderMap {
        let mut headers = entry.headers(&self.source);
        if let Some(batch_id) = batch_id {
            headers.insert(BATCH_ID, batch_id);
            headers.insert(BATCH_SEQUENCE, (index + 1).to_string());
        } else if let Some(last) = &self.sent_id {
            headers.insert(EXPECTED_LAST_ID, last.as_str());
        }
        if index == 0 || batch_id.is_none() {
            // Each single is conditional on the one before it: when one is refused, so are those behind it.
            headers.insert(EXPECTED_LAST_SEQUENCE, (self.sent.js_seq + index as u64).to_string());
        }
        headers
    }

    /// Waits until the broker has stored `sent`, as the entries that must come next.
    async fn confirm(&mut self, sent: answer::Sent) -> Result<(), Error> {
        let answer = async {
            loop {
                match self.answers.next().await {
                    Some(answer) if *answer.subject == *sent.reply_to => return Ok(answer),
                    Some(_) => {}
                    None => return Err(Error::Nats("the connection has been closed".into())),
                }
            }
        };
        let answer = tokio::time::timeout(ACK_TIMEOUT, answer).await.map_err(|_| Error::Nats("no answer".into()))??;
        answer::acknowledged(&answer.payload, &sent)?;
        telemetry::crash_point("relay.acknowledged");
        (self.position.gseq, self.position.js_seq, self.position.is_careful) = (sent.gseq, sent.js_seq, false);
        Ok(())
    }

    /// Sees to it that the queue begins with the entry after the last that was sent, if the log has it.
    async fn refill(&mut self) -> Result<(), Error> {
        let sent = self.sent.gseq;
        while self.queue.front().is_some_and(|entry| entry.gseq <= sent) {
            self.queue.pop_front();
        }
        if self.logged > sent && self.queue.front().is_none_or(|entry| entry.gseq > sent + 1) {
            let from_log = self.log.after(sent, i64::try_from(BATCH).unwrap_or(i64::MAX)).await?;
            // What is behind a gap stays in the log until its turn.
            self.queue = from_log.into();
        }
        Ok(())
    }

    /// Number of entries at the head of the queue that go together.
    fn ready(&self) -> usize {
        let limit = self.nats.client.max_payload();
        let (mut count, mut bytes) = (0, 0);
        for (entry, next) in self.queue.iter().zip(self.sent.gseq + 1..) {
            bytes += entry.data.bytes.len() + HEADERS_BYTES;
            // Those before one that may be above the broker's limit must not wait for it.
            let is_large = entry.data.bytes.len() + store::EVENT_HEADERS_BYTES > limit;
            let is_full = count == BATCH || bytes > BATCH_BYTES || is_large;
            if entry.gseq != next || (is_full && count > 0) {
                break;
            }
            count += 1;
            if is_large {
                break;
            }
        }
        count
    }
}

fn connects(nats: &Nats) -> u64 {
    nats.client.statistics().connects.load(Ordering::Relaxed)
}
