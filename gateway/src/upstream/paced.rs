//! The messages of a caller for an upstream. That they break off, which resets their stream, waits for its turn.

use super::resets::Resets;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tonic::{Status, body::Body};

pub(super) struct Paced {
    body: Body,
    resets: Arc<Resets>,
    broken: Option<(Status, BoxFuture<'static, ()>)>,
}

impl Paced {
    pub(super) fn new(body: Body, resets: Arc<Resets>) -> Self {
        Self { body, resets, broken: None }
    }
}

impl http_body::Body for Paced {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some((_, turn)) = &mut self.broken {
                ready!(turn.as_mut().poll(cx));
                return Poll::Ready(self.broken.take().map(|(status, _)| Err(status)));
            }
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Err(status)) => {
                    let resets = self.resets.clone();
                    self.broken = Some((status, Box::pin(async move { resets.one().await })));
                }
                read => return Poll::Ready(read),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.broken.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
