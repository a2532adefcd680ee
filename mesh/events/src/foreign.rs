//! Messages on a stream that are no events of its service: what a letter keeps of them.

use crate::letter::{FOREIGN, Letter};
use async_nats::jetstream::Message;
use bson::{Binary, spec::BinarySubtype};
use store::Time;

/// Bytes of the payload that a letter keeps: enough to recognize its program, and little enough for a thousand letters.
const MAX_BYTES: usize = 4 * 1024;

/// Characters of the subject that a letter names.
const MAX_CHARACTERS: usize = 256;

/// A letter about a message of the stream of `source` that is no event, for this reason.
pub(crate) fn letter(message: &Message, source: &str, reason: &str) -> Letter {
    let info = message.info().ok();
    let sequence = info.as_ref().map_or(0, |info| info.stream_sequence);
    let published = info.map_or(0, |info| info.published.unix_timestamp_nanos() / 1_000_000);
    let published = i64::try_from(published).unwrap_or(0);
    let (stream, bytes) = (topology::stream(source), message.payload.len());
    let subject: String = message.subject.chars().take(MAX_CHARACTERS).collect();
    // The time is part of the id: a stream that was deleted and made again counts from 1 again.
    let id = format!("msg_{source}_{sequence}_{published}");
    Letter {
        event_id: id.clone(),
        service: source.to_owned(),
        aggregate: FOREIGN.to_owned(),
        aggregate_id: id,
        seq: i64::try_from(sequence).unwrap_or(0),
        log_sequence: 0,
        r#type: String::new(),
        name: "foreign".to_owned(),
        at: Time::from_millis(published),
        trace: None,
        actor: None,
        data: Binary {
            subtype: BinarySubtype::Generic,
            bytes: message.payload.iter().take(MAX_BYTES).copied().collect(),
        },
        reason: Some(format!(
            "message {sequence} of {stream}, {bytes} bytes on {subject}, is no event of {source}: {reason}"
        )),
        attempts: 0,
        parked_at: store::now(),
        next_attempt_at: None,
    }
}
