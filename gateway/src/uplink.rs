//! Streams of requests: messages of a caller on their way to an upstream.

use crate::error::Failure;
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, future::Fuse, stream::unfold};
use std::pin::Pin;
use tokio::sync::oneshot;
use tonic::Status;

/// What is wrong with the messages of a caller, once it is found. It may be asked again after all of them have been read.
pub(crate) type Broken = Fuse<oneshot::Receiver<Failure>>;

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
    (sent, broken.fuse())
}

/// That of a caller whose one message has been read.
pub(crate) fn unbroken() -> Broken {
    oneshot::channel().1.fuse()
}
