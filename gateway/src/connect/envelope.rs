//! Messages of a stream: a byte of flags, four of length, the message.

#[cfg(test)]
mod tests;

use crate::error::Failure;
use axum::body::Body;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::BodyExt;
use tonic::Code;

/// The flags of the last message of a stream, which is about its end.
pub(super) const END: u8 = 0b10;

const COMPRESSED: u8 = 0b1;
const HEAD_BYTES: usize = 5;

/// A message with its envelope.
pub(super) fn wrap(flags: u8, message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEAD_BYTES + message.len());
    out.put_u8(flags);
    out.put_u32(u32::try_from(message.len()).expect("a message is smaller than 16 MiB"));
    out.put_slice(message);
    out.freeze()
}

/// Takes messages out of the body of a request, whatever its pieces.
pub(crate) struct Reader {
    body: Body,
    buffer: BytesMut,
    limit_bytes: usize,
}

impl Reader {
    /// Messages of up to `limit_bytes`.
    pub(crate) fn new(body: Body, limit_bytes: usize) -> Self {
        Reader { body, buffer: BytesMut::new(), limit_bytes }
    }

    /// The next message; none at the end of the body. What does not fit the form ends the stream.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(message) = take(&mut self.buffer, self.limit_bytes)? {
                return Ok(Some(message));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.buffer.extend_from_slice(&data);
                    }
                }
                None if self.buffer.is_empty() => return Ok(None),
                None | Some(Err(_)) => return Err(refused("BODY_INCOMPLETE", "the body broke off within a message")),
            }
        }
    }
}

/// A message at the start of `buffer`, once all of it is there.
fn take(buffer: &mut BytesMut, limit_bytes: usize) -> Result<Option<Bytes>, Failure> {
    let Some((flags, mut length)) = buffer.get(..HEAD_BYTES).and_then(<[u8]>::split_first) else { return Ok(None) };
    match *flags {
        0 => {}
        COMPRESSED => return Err(refused("UNSUPPORTED_CONTENT_CODING", "messages must not be compressed")),
        _ => return Err(refused("BODY_MALFORMED", "a message has flags that requests do not have")),
    }
    let length = length.get_u32() as usize;
    // Known before the message is: nothing of it is kept.
    if length > limit_bytes {
        return Err(refused("BODY_TOO_LARGE", &format!("a message is larger than {limit_bytes} bytes")));
    }
    if buffer.len() < HEAD_BYTES + length {
        return Ok(None);
    }
    buffer.advance(HEAD_BYTES);
    Ok(Some(buffer.split_to(length).freeze()))
}

fn refused(reason: &str, message: &str) -> Failure {
    rpc::status::error(Code::InvalidArgument, reason, message).into()
}
