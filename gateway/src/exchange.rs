//! Unary gRPC over HTTP/2 without a codec: the message goes into one frame as it is, and comes out of the reply as it is.

use crate::upstream::Held;
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version,
    header::{CONTENT_TYPE, TE},
    uri::PathAndQuery,
};
use http_body_util::{BodyExt, Full};
use std::time::Duration;
use tonic::{Code, Status, body::Body};
use transcode::Rpc;

/// Largest reply or stream message, in bytes: pages end at 2 MiB, and a document, which is the most that one entry shows,
/// has 16 MiB.
pub(crate) const REPLY_LIMIT_BYTES: usize = 16 << 20;

/// What stands before a message: whether it is compressed, and its length.
pub(crate) const HEAD_BYTES: usize = 5;

const DETAILS: &str = "grpc-status-details-bin";

/// As tonic reads it: padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The largest number of a `grpc-timeout`, which has eight digits.
const MOST_TIMEOUT: u128 = 99_999_999;

/// The request of a call.
pub(crate) fn request(path: PathAndQuery, mut headers: HeaderMap, message: &[u8], timeout: Duration) -> Request<Body> {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert("grpc-timeout", grpc_timeout(timeout));
    let mut body = BytesMut::with_capacity(HEAD_BYTES + message.len());
    body.put_u8(0);
    body.put_u32(u32::try_from(message.len()).expect("a message is smaller than 16 MiB"));
    body.put_slice(message);
    let mut request = Request::new(Body::new(Full::new(body.freeze())));
    (*request.method_mut(), *request.version_mut()) = (Method::POST, Version::HTTP_2);
    (*request.uri_mut(), *request.headers_mut()) = (path.into(), headers);
    request
}

/// A time as `grpc-timeout` writes it: in milliseconds, which reach for a day.
pub(crate) fn grpc_timeout(timeout: Duration) -> HeaderValue {
    let millis = timeout.as_millis().clamp(1, MOST_TIMEOUT);
    HeaderValue::try_from(format!("{millis}m")).expect("digits and a letter")
}

/// The message of a reply, or the status that the call has ended with. `rpc` stands in the log.
pub(crate) async fn reply(response: Response<Held>, rpc: &Rpc) -> Result<Bytes, Status> {
    let (parts, mut body) = response.into_parts();
    // A call that fails at once has its status among the headers.
    let early = status(&parts.headers);
    if let Some(status) = early.filter(|status| status.code() != Code::Ok) {
        return Err(status);
    }
    if parts.status != StatusCode::OK {
        return Err(no_grpc(parts.status));
    }
    let (mut data, mut ended) = (Data::default(), None);
    while let Some(frame) = body.frame().await {
        match frame?.into_data() {
            Ok(chunk) => data.push(chunk).map_err(|()| too_large(&rpc.full_name, "its frames are larger"))?,
            Err(frame) => ended = frame.into_trailers().ok().and_then(|trailers| status(&trailers)),
        }
    }
    match ended {
        Some(status) if status.code() == Code::Ok => data.message().ok_or_else(|| malformed(rpc, "no whole message")),
        Some(status) => Err(status),
        None => Err(malformed(rpc, "no status")),
    }
}

/// The status that headers or trailers have. Details that are no base64 are left out: tonic does not read them.
pub(crate) fn status(headers: &HeaderMap) -> Option<Status> {
    let details = headers.get(DETAILS).map(HeaderValue::as_bytes);
    if details.is_none_or(|details| BASE64.decode(details).is_ok()) {
        return Status::from_header_map(headers);
    }
    let mut readable = headers.clone();
    readable.remove(DETAILS);
    Status::from_header_map(&readable)
}

/// What has come of a reply: most often one frame, which is not copied.
#[derive(Default)]
struct Data {
    first: Bytes,
    all: BytesMut,
}

impl Data {
    fn push(&mut self, chunk: Bytes) -> Result<(), ()> {
        if self.first.len().max(self.all.len()) + chunk.len() > HEAD_BYTES + REPLY_LIMIT_BYTES {
            return Err(());
        }
        if self.first.is_empty() {
            self.first = chunk;
            return Ok(());
        }
        if self.all.is_empty() {
            self.all.extend_from_slice(&self.first);
        }
        self.all.extend_from_slice(&chunk);
        Ok(())
    }

    /// The one message, which is not compressed: nobody has asked for that.
    fn message(self) -> Option<Bytes> {
        let mut all = if self.all.is_empty() { self.first } else { self.all.freeze() };
        let is_compressed = all.try_get_u8().ok()? != 0;
        let length = all.try_get_u32().ok()? as usize;
        (!is_compressed && all.len() == length).then_some(all)
    }
}

pub(crate) fn too_large(rpc: &str, error: &str) -> Status {
    tracing::error!(rpc, error, "a reply is larger than a message may be");
    let message = "the reply is too large to be sent; ask for fewer at once, or report it";
    rpc::status::error(Code::Internal, "REPLY_TOO_LARGE", message)
}

/// The status of a reply that is not one of gRPC, as gRPC's own libraries read it (http-grpc-status-mapping.md).
fn no_grpc(http: StatusCode) -> Status {
    let code = match http.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    rpc::status::error(code, "UPSTREAM_NOT_GRPC", format!("the service behind this path answered with HTTP {http}"))
}

fn malformed(rpc: &Rpc, what: &str) -> Status {
    tracing::error!(rpc = rpc.full_name, what, "a reply is not one of gRPC");
    rpc::status::internal()
}
