//! Streams of requests: messages of a caller on their way to an upstream.

use crate::error::Failure;
use bytes::Bytes;
use futures::{FutureExt, Stream, StreamExt, future::Fuse, stream::unfold};
use std::pin::Pin;
use tokio::sync::oneshot;

/// What is wrong with the messages of a caller, once it is found. It may be asked again after all of them have been read.
pub(crate) type Broken = Fuse<oneshot::Receiver<Failure>>;

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// The messages of a caller for an upstream. A message that cannot be read ends the call, not the stream: the upstream must
/// not take a part for the whole.
pub(crate) fn sent(messages: Messages) -> (impl Stream<Item = Bytes> + Send + 'static, Broken) {
    let (tell, broken) = oneshot::channel();
    let sent = unfold((messages, tell), |(mut messages, tell)| async move {
        match messages.next().await? {
            Ok(message) => Some((message, (messages, tell))),
            Err(failure) => {
                let _ = tell.send(failure); // nobody waits for it when the call is over
                futures::future::pending().await
            }
        }
    });
    (sent, broken.fuse())
}

/// That of a caller whose one message has been read.
pub(crate) fn unbroken() -> Broken {
    oneshot::channel().1.fuse()
}
