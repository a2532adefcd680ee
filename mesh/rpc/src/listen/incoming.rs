//! A stream whose seat learns what is read. It is above TLS, so it sees HTTP.

use super::seats::Seat;
use std::sync::Arc;
use tokio::io::AsyncRead;
use tokio_util::io::InspectReader;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What has been heard of a connection.
struct Heard {
    seat: Arc<Seat>,
    /// What of the preface has not come yet; none when the connection is HTTP/1, or HTTP/2 with all of it.
    awaited: Option<&'static [u8]>,
    is_http2: bool,
}

/// The same stream, of which `seat` learns.
pub(super) fn told<S: AsyncRead>(stream: S, seat: Arc<Seat>) -> InspectReader<S, impl FnMut(&[u8])> {
    let mut heard = Heard { seat, awaited: Some(PREFACE), is_http2: false };
    InspectReader::new(stream, move |bytes| heard.hear(bytes))
}

impl Heard {
    fn hear(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.is_http2 {
            return;
        }
        let Some(awaited) = self.awaited else { return self.seat.head_begins() };
        let length = awaited.len().min(bytes.len());
        let (begun, rest) = awaited.split_at(length);
        self.is_http2 = begun == &bytes[..length] && rest.is_empty();
        self.awaited = (begun == &bytes[..length] && !rest.is_empty()).then_some(rest);
        if self.is_http2 {
            self.seat.introduced();
        }
    }
}
