//! Streams of requests: messages of a caller on their way to an upstream.

use crate::error::Failure;
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, future::Fuse, stream::unfold};
use std::pin::Pin;
use tokio::sync::oneshot;
use tonic::Status;

/// What is wrong with the messages of a caller, once it is found.
pub(crate) struct Broken<F = Failure>(Fuse<oneshot::Receiver<F>>);

impl<F> Broken<F> {
    /// It is found by who has the other end of `told`.
    pub(crate) fn new(told: oneshot::Receiver<F>) -> Self {
        Self(told.fuse())
    }

    /// What the service says, or what is wrong with the messages: that goes first, as the call fails of it too. It may be
    /// found while the call is looked at, so that it is asked once more behind it.
    pub(crate) async fn or<T>(&mut self, reply: impl Future<Output = T>) -> Result<T, F> {
        tokio::select! {
            biased;
            Ok(wrong) = &mut self.0 => Err(wrong),
            reply = reply => match (&mut self.0).now_or_never() {
                Some(Ok(wrong)) => Err(wrong),
                _ => Ok(reply),
            },
        }
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// The messages of a caller for an upstream. One that cannot be read ends the call with an error, which resets the stream:
/// the upstream must not take a part for the whole. The same where nobody waits for the reply any more, so that no stream
/// is kept for a caller who has gone.
pub(crate) fn sent(messages: Messages) -> (impl Stream<Item = Result<Bytes, Status>> + Send + 'static, Broken) {
    let (tell, broken) = oneshot::channel();
    let sent = unfold(Some((messages, tell)), |state| async {
        let (mut messages, mut tell) = state?;
        let read = tokio::select! {
            () = tell.closed() => return Some((Err(Status::cancelled("the caller has gone")), None)),
            read = messages.next() => read?,
        };
        match read {
            Ok(message) => Some((Ok(message), Some((messages, tell)))),
            Err(failure) => {
                let _ = tell.send(failure); // nobody waits for it when the call is over
                Some((Err(Status::cancelled("the messages of the caller broke off")), None))
            }
        }
    });
    (sent, Broken::new(broken))
}

/// That of a caller whose one message has been read.
pub(crate) fn unbroken() -> Broken {
    Broken::new(oneshot::channel().1)
}
