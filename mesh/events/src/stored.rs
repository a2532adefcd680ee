//! A message as a stream has it: an entry that a relay stored, or something that somebody else published there.

use crate::{Error, event};
use async_nats::{
    HeaderMap, HeaderName,
    jetstream::{Context, ErrorCode, message::StreamMessage, response::Response, stream::RawMessage},
};
use serde::Deserialize;

/// First header of a batch's message. A relay sends every message with this one or with [`EXPECTED_LAST_SEQUENCE`], the
/// broker keeps them, and a copy that somebody publishes cannot carry them over to its own place in the stream.
pub(crate) const BATCH_ID: HeaderName = HeaderName::from_static("Nats-Batch-Id");

/// The condition of a message that a relay sends alone, or first in its batch.
pub(crate) const EXPECTED_LAST_SEQUENCE: HeaderName = HeaderName::from_static("Nats-Expected-Last-Sequence");

#[derive(Debug)]
pub enum Stored {
    /// Nothing any more: it has expired, or was removed.
    Gone,
    Foreign,
    Entry {
        gseq: i64,
        message: Box<StreamMessage>,
    },
}

#[derive(Deserialize)]
struct Got {
    message: RawMessage,
}

/// Reads one place of a stream. Headers that cannot be read make a message foreign, not this call fail.
pub async fn stored(jetstream: &Context, stream: &str, sequence: u64) -> Result<Stored, Error> {
    let request = serde_json::json!({ "seq": sequence });
    let got: Response<Got> =
        jetstream.request(format!("STREAM.MSG.GET.{stream}"), &request).await.map_err(Error::nats)?;
    match got {
        Response::Ok(got) => Ok(StreamMessage::try_from(got.message).map_or(Stored::Foreign, of)),
        Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(Stored::Gone),
        Response::Err { error } => Err(Error::nats(error)),
    }
}

fn of(message: StreamMessage) -> Stored {
    match place(&message.headers) {
        Some(gseq) => Stored::Entry { gseq, message: Box::new(message) },
        None => Stored::Foreign,
    }
}

/// The place in the log that the headers of a relay tell.
fn place(headers: &HeaderMap) -> Option<i64> {
    let is_from_a_relay = headers.get(BATCH_ID).or_else(|| headers.get(EXPECTED_LAST_SEQUENCE)).is_some();
    let gseq = headers.get(event::GSEQ).and_then(|value| value.as_str().parse().ok());
    gseq.filter(|gseq| is_from_a_relay && *gseq > 0)
}
