//! From the log to JetStream: atomic batches, each conditional on the last sequence of the stream.
//!
//! The stream is written by this code alone, and a batch is stored only if the stream ends where we believe it ends. So
//! the stream is the log, entry for entry and once each, without relying on the broker's window of duplicates (ADR 1).
//! After any failure the tail of the stream tells how far it got.

use crate::{Error, connect::Nats, event, log::Log};
use async_nats::jetstream::{
    ErrorCode,
    stream::{Config, RetentionPolicy, StorageType, Stream},
};
use serde::Deserialize;
use std::time::Duration;

/// Entries in one batch; one batch is one fsync.
const BATCH: i64 = 500;

/// Bytes of data in one batch.
const BATCH_BYTES: usize = 1024 * 1024;

/// How long the stream keeps an event; the log keeps it for good.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// Wait for the broker's answer to a batch.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Publishes one log to one stream.
pub(crate) struct Publisher {
    nats: Nats,
    log: Log,
    service: String,
    stream: Stream,
    /// Last published entry.
    pub gseq: i64,
    /// Last sequence of the stream.
    pub js_seq: u64,
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
    /// Makes sure that the stream exists and finds out how far it goes.
    pub async fn open(nats: Nats, log: Log, service: &str, saved: (i64, i64)) -> Result<Self, Error> {
        let config = Config {
            name: topology::stream(service),
            subjects: vec![topology::subjects(service)],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            max_age: RETENTION,
            allow_atomic_publish: true,
            ..Default::default()
        };
        let stream = nats.jetstream.get_or_create_stream(config).await.map_err(Error::nats)?;
        let js_seq = u64::try_from(saved.1).unwrap_or(0);
        let mut publisher = Self { nats, log, service: service.to_owned(), stream, gseq: saved.0, js_seq };
        publisher.find_tail().await?;
        Ok(publisher)
    }

    /// Compares the stream with what we believe. A stream that lost entries is continued from where it ends.
    pub async fn find_tail(&mut self) -> Result<(), Error> {
        let state = self.stream.get_info().await.map_err(Error::nats)?.state;
        let (gseq, js_seq) = if state.last_sequence == 0 {
            (0, 0)
        } else {
            match self.stream.get_raw_message(state.last_sequence).await {
                Ok(last) => {
                    let gseq = last.headers.get(event::GSEQ).and_then(|value| value.as_str().parse().ok());
                    (gseq.ok_or_else(|| Error::Nats("the last message is not one of ours".into()))?, last.sequence)
                }
                // Expired or purged: what we saved is the best that is known.
                Err(_) => (self.gseq, state.last_sequence),
            }
        };
        if gseq < self.gseq {
            tracing::error!(service = %self.service, lost_from = gseq + 1, to = self.gseq, "the broker lost events; they are published again");
        }
        let logged = self.log.last().await?;
        if gseq > logged {
            return Err(Error::StreamAhead { stream: topology::stream(&self.service), published: gseq, logged });
        }
        (self.gseq, self.js_seq) = (gseq, js_seq);
        Ok(())
    }

    /// Publishes the next batch. Returns how many entries it had; 0 when the stream has the whole log.
    pub async fn publish_next(&mut self) -> Result<usize, Error> {
        let mut entries = self.log.after(self.gseq, BATCH).await?;
        let mut bytes = 0;
        let fits = entries.iter().take_while(|entry| {
            bytes += entry.data.bytes.len() + 512;
            bytes <= BATCH_BYTES
        });
        let count = fits.count().max(1);
        entries.truncate(count);
        let Some(last) = entries.last() else { return Ok(0) };
        let last_gseq = last.gseq;
        let batch_id = format!("{}-{}", entries[0].eid, rand::random::<u32>());
        for (index, entry) in entries.iter().enumerate() {
            let mut headers = entry.headers(&self.service);
            headers.insert("Nats-Batch-Id", batch_id.as_str());
            headers.insert("Nats-Batch-Sequence", (index + 1).to_string().as_str());
            if index == 0 {
                headers.insert("Nats-Expected-Last-Sequence", self.js_seq.to_string().as_str());
            }
            let subject = entry.subject(&self.service);
            let payload = bytes::Bytes::copy_from_slice(&entry.data.bytes);
            if entry.gseq < last_gseq {
                self.nats.client.publish_with_headers(subject, headers, payload).await.map_err(Error::nats)?;
                telemetry::crash_point("relay.batch");
                continue;
            }
            headers.insert("Nats-Batch-Commit", "1");
            let request = async_nats::Request::new().headers(headers).payload(payload).timeout(Some(ACK_TIMEOUT));
            let answer = self.nats.client.send_request(subject, request).await.map_err(Error::nats)?;
            self.js_seq = acknowledged(&answer.payload)?;
            telemetry::crash_point("relay.acknowledged");
            self.gseq = last_gseq;
        }
        Ok(entries.len())
    }
}

fn acknowledged(payload: &[u8]) -> Result<u64, Error> {
    let reply: Reply = serde_json::from_slice(payload).map_err(Error::nats)?;
    match reply.error {
        None => Ok(reply.seq),
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
