//! The broker's answers to batches.

use crate::Error;
use async_nats::jetstream::ErrorCode;
use serde::Deserialize;

/// A batch that the broker has not answered yet.
pub(super) struct Sent {
    pub reply_to: String,
    pub gseq: i64,
    pub js_seq: u64,
    /// The largest event in the batch, for the message about a refusal.
    pub largest: String,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    seq: u64,
    error: Option<ReplyError>,
}

#[derive(Deserialize)]
struct ReplyError {
    err_code: Option<u64>,
    description: Option<String>,
}

/// Whether the broker has stored up to what was sent last.
pub(super) fn acknowledged(payload: &[u8], sent: &Sent) -> Result<(), Error> {
    let reply: Reply = serde_json::from_slice(payload).map_err(Error::nats)?;
    let Some(refusal) = reply.error else {
        let expected = sent.js_seq;
        let is_expected = reply.seq == expected;
        let other = || Error::Nats(format!("the stream stored entry {} and not {expected}", reply.seq));
        return if is_expected { Ok(()) } else { Err(other()) };
    };
    let code = refusal.err_code.unwrap_or_default();
    if [ErrorCode::STREAM_WRONG_LAST_SEQUENCE.0, ErrorCode::STREAM_WRONG_LAST_MESSAGE_ID.0].contains(&code) {
        tracing::debug!("the stream does not end where this relay believed; its tail is read again");
        return Err(Error::Overtaken);
    }
    let (largest, text) = (&sent.largest, refusal.description.unwrap_or_default());
    Err(Error::Nats(format!("the batch was refused: {text} ({code}); its largest event is {largest}")))
}
