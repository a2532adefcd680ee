//! A call until the head of its reply has come. Dropped before that, it is given up.

use super::{bound::Place, resets::Resets};
use crate::channel::Called;
use hyper_util::client::legacy::{Error, connect::CaptureConnection};
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
    connected: CaptureConnection,
    resets: &'a Arc<Resets>,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(
        (called, connected): (Called, CaptureConnection),
        place: Option<Place>,
        resets: &'a Arc<Resets>,
    ) -> Self {
        Self { call: Some((called, place)), connected, resets }
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
        let Some((mut reply, place)) = self.call.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let is_connected = self.connected.connection_metadata().is_some();
        if is_connected && self.resets.one_now() {
            return;
        }
        let (mut connected, resets) = (self.connected.clone(), self.resets.clone());
        runtime.spawn(async move {
            let _place = place; // it is under way until its turn
            let turn = async {
                connected.wait_for_connection_metadata().await;
                resets.one().await;
            };
            tokio::select! {
                _ = &mut reply => {}
                () = turn => {}
            }
        });
    }
}
