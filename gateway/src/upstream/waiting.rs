//! A call until the head of its reply has come. Dropped before that, it is given up.

use super::{bound::Place, resets::Resets};
use crate::channel::Called;
use hyper_util::client::legacy::Error;
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::runtime::Handle;
use tonic::body::Body;

/// The head of a reply, or why there is none.
pub(super) type Answered = Result<http::Response<Body>, Error>;

pub(super) struct Waiting<'a> {
    /// None once it has ended.
    call: Option<(Called, Option<Place>)>,
    resets: &'a Arc<Resets>,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(called: Called, place: Option<Place>, resets: &'a Arc<Resets>) -> Self {
        Self { call: Some((called, place)), resets }
    }
}

impl Future for Waiting<'_> {
    type Output = (Answered, Option<Place>);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (reply, _) = self.call.as_mut().expect("it has not ended");
        let answered = ready!(Pin::new(reply).poll(cx));
        let (_, place) = self.call.take().expect("it has not ended");
        Poll::Ready((answered, place))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some((mut reply, place)) = self.call.take()
            && let Ok(runtime) = Handle::try_current()
            && !self.resets.one_now()
        {
            let resets = self.resets.clone();
            runtime.spawn(async move {
                let _place = place; // it is under way until its turn
                tokio::select! {
                    _ = &mut reply => {}
                    () = resets.one() => {}
                }
            });
        }
    }
}
