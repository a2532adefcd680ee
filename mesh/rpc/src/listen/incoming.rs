//! A stream whose seat learns what is read. It is above TLS, so it sees HTTP.

use super::seats::Seat;
use std::{
    io::{IoSlice, Result},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) struct Incoming<S> {
    stream: S,
    seat: Arc<Seat>,
    /// What of the preface has not come yet; none when the connection is HTTP/1, or HTTP/2 with all of it.
    awaited: Option<&'static [u8]>,
    is_http2: bool,
}

impl<S> Incoming<S> {
    pub(super) fn new(stream: S, seat: Arc<Seat>) -> Self {
        Self { stream, seat, awaited: Some(PREFACE), is_http2: false }
    }

    fn heard(&mut self, bytes: &[u8]) {
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

impl<S: AsyncRead + Unpin> AsyncRead for Incoming<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.heard(buffer.filled().get(before..).unwrap_or_default());
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Incoming<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
