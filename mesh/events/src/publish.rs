//! From the log to JetStream: atomic batches or a few single messages, each conditional on the stream's last sequence.
//!
//! The stream is written by this code alone, and a batch is stored only if the stream ends where we believe it ends. So
//! the stream is the log, entry for entry and once each, without relying on the broker's window of duplicates (ADR 1).
//! After any failure the tail of the stream tells how far it got.

use crate::{
    Error,
    connect::Nats,
    event::{self, Entry},
    log::Log,
};
use async_nats::{
    HeaderName, HeaderValue, Subscriber,
    jetstream::{
        ErrorCode,
        stream::{Config, RawMessageErrorKind, RetentionPolicy, StorageType, Stream},
    },
};
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use std::{collections::VecDeque, sync::atomic::Ordering, time::Duration};

/// Entries in one batch; one batch is one fsync.
const BATCH: usize = 500;

/// So few entries go as single messages. The broker makes a folder with synced files for every atomic batch: at 1,000
/// events/s that was two thirds of its CPU.
const SINGLES: usize = 16;

/// Batches on their way. The second waits at the broker while the first is synced; should the first fail, the second is
/// refused, because the stream does not end where it expects.
const IN_FLIGHT: usize = 2;

/// Bytes of data in one batch.
const BATCH_BYTES: usize = 1024 * 1024;

/// Room for the headers of an entry, in bytes.
const HEADERS_BYTES: usize = 512;

/// How long the stream keeps an event; the log keeps it for good.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Wait for the broker's answer to a batch.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

// An atomic batch is these headers (ADR-50 of NATS). Single messages need none of them.
const BATCH_ID: HeaderName = HeaderName::from_static("Nats-Batch-Id");
const BATCH_SEQUENCE: HeaderName = HeaderName::from_static("Nats-Batch-Sequence");
const BATCH_COMMIT: HeaderName = HeaderName::from_static("Nats-Batch-Commit");
const EXPECTED_LAST_SEQUENCE: HeaderName = HeaderName::from_static("Nats-Expected-Last-Sequence");

/// Publishes one log to one stream.
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
    /// Last entry that was sent, and the sequence that it will have in the stream.
    sent: (i64, u64),
    on_their_way: VecDeque<Sent>,
    inbox: String,
    answers: Subscriber,
    /// How often the client had connected when the stream was last looked at.
    connects: u64,
    /// Last published entry.
    pub gseq: i64,
    /// Last sequence of the stream.
    pub js_seq: u64,
}

/// A batch that the broker has not answered yet.
struct Sent {
    reply_to: String,
    gseq: i64,
    js_seq: u64,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    seq: u64,
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    err_code: Option<u64>,
    description: Option<String>,
}

impl Publisher {
    /// Makes sure that the stream of a service exists, in so many copies when it is new, and finds out how far it goes.
    pub async fn open(nats: Nats, log: Log, source: (&str, u32), saved: (i64, u64)) -> Result<Self, Error> {
        let (service, replicas) = source;
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
            sent: saved,
            on_their_way: VecDeque::new(),
            inbox,
            answers,
            connects: 0,
            gseq: saved.0,
            js_seq: saved.1,
            nats,
            log,
        };
        publisher.find_tail().await?;
        Ok(publisher)
    }

    /// Compares the stream with what we believe. A stream that lost entries is continued from where it ends.
    pub async fn find_tail(&mut self) -> Result<(), Error> {
        let connects = connects(&self.nats);
        let state = self.stream.get_info().await.map_err(Error::nats)?.state;
        let (gseq, js_seq) = if state.last_sequence == 0 {
            (0, 0)
        } else {
            match self.stream.get_raw_message(state.last_sequence).await {
                Ok(last) => {
                    let gseq = last.headers.get(event::GSEQ).and_then(|value| value.as_str().parse().ok());
                    (gseq.ok_or_else(|| Error::Nats("the last message is not one of ours".into()))?, last.sequence)
                }
                // Expired or purged: what we saved is the best that is known. Each message is one entry, so the
                // sequences that the stream has not come to are entries that it lost.
                Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
                    let lost = self.js_seq.saturating_sub(state.last_sequence);
                    (self.gseq.saturating_sub_unsigned(lost).max(0), state.last_sequence)
                }
                Err(error) => return Err(Error::nats(error)),
            }
        };
        if gseq < self.gseq {
            tracing::error!(service = %self.service, lost_from = gseq + 1, to = self.gseq, "the broker lost events; they are published again");
        }
        let logged = self.log.last().await?;
        if gseq > logged {
            return Err(Error::StreamAhead { stream: topology::stream(&self.service), published: gseq, logged });
        }
        (self.gseq, self.js_seq, self.logged, self.connects) = (gseq, js_seq, logged, connects);
        self.sent = (gseq, js_seq);
        self.on_their_way.clear();
        Ok(())
    }

    /// Takes entries that have just been appended to the log.
    pub fn take(&mut self, entries: Vec<Entry>) {
        if let Some(last) = entries.last() {
            self.logged = self.logged.max(last.gseq);
        }
        self.queue.extend(entries);
    }

    /// Whether the queue has enough for the next batch.
    pub fn has_enough(&self) -> bool {
        self.queue.len() >= BATCH
    }

    /// Learns how far the log goes, and whether the connection has been another since we looked at the stream.
    pub async fn look(&mut self, logged: i64) -> Result<(), Error> {
        self.logged = self.logged.max(logged);
        if self.connects == connects(&self.nats) { Ok(()) } else { self.find_tail().await }
    }

    /// Sends the next batch, or waits for the oldest that is on its way. False when the stream has the whole log.
    pub async fn step(&mut self) -> Result<bool, Error> {
        let batch = if self.on_their_way.len() < IN_FLIGHT { self.next_batch().await? } else { Vec::new() };
        if !batch.is_empty() {
            self.send(batch).await?;
        } else if let Some(oldest) = self.on_their_way.pop_front() {
            self.confirm(oldest).await?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    async fn send(&mut self, batch: Vec<Entry>) -> Result<(), Error> {
        telemetry::crash_point("relay.publishing");
        let count = batch.len();
        let reply_to = format!("{}.{}", self.inbox, self.sent.0 + 1);
        let batch_id = batch
            .first()
            .filter(|_| count > SINGLES)
            .map(|first| format!("{}-{:08x}", first.eid, rand::random::<u32>()));
        for (index, entry) in batch.into_iter().enumerate() {
            let mut headers = entry.headers(&self.source);
            if let Some(batch_id) = &batch_id {
                headers.insert(BATCH_ID, batch_id.as_str());
                headers.insert(BATCH_SEQUENCE, (index + 1).to_string());
            }
            if index == 0 || batch_id.is_none() {
                // Each single is conditional on the one before it: when one is refused, so are those behind it.
                headers.insert(EXPECTED_LAST_SEQUENCE, (self.sent.1 + index as u64).to_string());
            }
            let (subject, payload) = (entry.subject(&self.service), Bytes::from(entry.data.bytes));
            if index + 1 < count {
                self.nats.client.publish_with_headers(subject, headers, payload).await.map_err(Error::nats)?;
                telemetry::crash_point("relay.batch");
                continue;
            }
            if batch_id.is_some() {
                headers.insert(BATCH_COMMIT, "1");
            }
            let commit = self.nats.client.publish_with_reply_and_headers(subject, reply_to.clone(), headers, payload);
            commit.await.map_err(Error::nats)?;
            self.sent = (entry.gseq, self.sent.1 + count as u64);
        }
        self.on_their_way.push_back(Sent { reply_to, gseq: self.sent.0, js_seq: self.sent.1 });
        Ok(())
    }

    /// Waits until the broker has stored `sent`, as the entries that must come next.
    async fn confirm(&mut self, sent: Sent) -> Result<(), Error> {
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
        acknowledged(&answer.payload, sent.js_seq)?;
        telemetry::crash_point("relay.acknowledged");
        (self.gseq, self.js_seq) = (sent.gseq, sent.js_seq);
        Ok(())
    }

    /// The entries after the last that was sent: from the queue, or from the log when the queue has a gap there.
    async fn next_batch(&mut self) -> Result<Vec<Entry>, Error> {
        let sent = self.sent.0;
        while self.queue.front().is_some_and(|entry| entry.gseq <= sent) {
            self.queue.pop_front();
        }
        let mut next = sent + 1;
        if self.queue.front().is_none_or(|entry| entry.gseq > next) {
            if self.logged <= sent {
                return Ok(Vec::new());
            }
            let from_log = self.log.after(sent, i64::try_from(BATCH).unwrap_or(i64::MAX)).await?;
            // What is behind a gap stays in the log until its turn.
            self.queue = from_log.into();
        }
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(entry) = self.queue.front() {
            bytes += entry.data.bytes.len() + HEADERS_BYTES;
            let is_full = batch.len() == BATCH || (bytes > BATCH_BYTES && !batch.is_empty());
            if entry.gseq != next || is_full {
                break;
            }
            next += 1;
            batch.extend(self.queue.pop_front());
        }
        Ok(batch)
    }
}

fn connects(nats: &Nats) -> u64 {
    nats.client.statistics().connects.load(Ordering::Relaxed)
}

/// Whether the broker has stored up to `expected`.
fn acknowledged(payload: &[u8], expected: u64) -> Result<(), Error> {
    let reply: Reply = serde_json::from_slice(payload).map_err(Error::nats)?;
    match reply.error {
        None if reply.seq == expected => Ok(()),
        None => Err(Error::Nats(format!("the stream stored entry {} and not {expected}", reply.seq))),
        Some(refusal) => {
            let text = refusal.description.unwrap_or_default();
            let code = refusal.err_code.unwrap_or_default();
            if code == ErrorCode::STREAM_WRONG_LAST_SEQUENCE.0 {
                tracing::warn!("the stream does not end where this relay believed; it looks again");
            }
            Err(Error::Nats(format!("the batch was refused: {text} ({code})")))
        }
    }
}
