//! Request bodies in gzip, br or zstd.
//!
//! A body is decoded when all of it is there, so that no slow caller makes the gateway keep a decoder with its window; and
//! only as far as it may be long.

use super::{ALL, Coding};
use crate::{body::too_large, error::Failure};
use async_compression::{
    tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder},
    zstd::DParameter,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING},
};
use std::{io, pin::Pin};
use tokio::io::{AsyncRead, AsyncReadExt};
use tonic::Code;

/// Largest window of zstd, as a power of two, that a decoder must have (RFC 9659): 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// Most members of a body: who compresses in parts sends some. A decoder that is made for each empty one of a megabyte
/// would be busy for a second.
const MOST_MEMBERS: usize = 16;

/// The coding of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coded(Option<Coding>);

/// Reads `Content-Encoding`. Refuses what is not known, and several codings: the body would be read as if it had none.
pub(crate) fn of(headers: &HeaderMap) -> Result<Coded, Failure> {
    let names = headers.get_all(CONTENT_ENCODING).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let names = names.map(<[u8]>::trim_ascii);
    let mut names = names.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    let Some(name) = names.next() else { return Ok(Coded(None)) };
    match (Coding::named(name), names.next()) {
        (Some(coding), None) => Ok(Coded(Some(coding))),
        (None, _) => Err(unsupported(&format!("content coding {:?} is not supported", String::from_utf8_lossy(name)))),
        (Some(_), Some(_)) => Err(unsupported("a body may have one content coding")),
    }
}

fn unsupported(message: &str) -> Failure {
    let status = rpc::status::error(Code::InvalidArgument, "UNSUPPORTED_CONTENT_CODING", message);
    let taken = HeaderValue::try_from(ALL.map(Coding::name).join(", ")).expect("the names of codings are ASCII");
    Failure::with_http(StatusCode::UNSUPPORTED_MEDIA_TYPE, status).header(ACCEPT_ENCODING, taken)
}

impl Coded {
    /// Refuses a coding where a body is read as it comes.
    pub(crate) fn none(self) -> Result<(), Failure> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(unsupported("a stream of requests has no content coding")),
        }
    }

    /// The body without its coding: 413 when it is longer than `limit_bytes`, 400 when it is not in that coding.
    pub(crate) async fn decode(self, bytes: Bytes, limit_bytes: usize) -> Result<Bytes, Failure> {
        let Some(coding) = self.0.filter(|_| !bytes.is_empty()) else { return Ok(bytes) };
        let mut rest = bytes.as_ref();
        let mut decoded = Vec::new();
        for _ in 0..MOST_MEMBERS {
            let room = u64::try_from(limit_bytes.saturating_sub(decoded.len())).unwrap_or(u64::MAX).saturating_add(1);
            let read = member(coding, &mut rest, room, &mut decoded).await;
            read.map_err(|error| undecodable(coding, &error.to_string()))?;
            if decoded.len() > limit_bytes {
                return Err(too_large(limit_bytes));
            }
            if rest.is_empty() {
                return Ok(decoded.into());
            }
        }
        Err(undecodable(coding, "it has too many members"))
    }
}

fn undecodable(coding: Coding, why: &str) -> Failure {
    tracing::debug!(why, coding = coding.name(), "a body cannot be decoded");
    let message = format!("the body is not in the content coding {}, or not all of it", coding.name());
    rpc::status::error(Code::InvalidArgument, "BODY_UNDECODABLE", message).into()
}

/// Decodes the first member of `bytes`, at most `most_bytes` of it, and leaves in `bytes` what is behind it.
async fn member(coding: Coding, bytes: &mut &[u8], most_bytes: u64, decoded: &mut Vec<u8>) -> io::Result<usize> {
    let decoder: Pin<Box<dyn AsyncRead + Send + '_>> = match coding {
        Coding::Gzip => Box::pin(GzipDecoder::new(bytes)),
        Coding::Brotli => Box::pin(BrotliDecoder::new(bytes)),
        Coding::Zstd => Box::pin(ZstdDecoder::with_params(bytes, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)])),
    };
    decoder.take(most_bytes).read_to_end(decoded).await
}
