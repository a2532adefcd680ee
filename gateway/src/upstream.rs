//! One upstream: its connection, the breaker of that, and how many calls of it are under way.
//!
//! Calls with one reply and streams have each the whole bound: streams last, and must not take the places of the others.

mod bound;
mod held;
mod paced;
mod question;
mod resets;
mod waiting;

pub(crate) use held::Held;

use crate::channel::Channel;
use bound::{Bound, Place};
use http::{Request, Response};
use paced::Paced;
use question::Question;
use resets::Resets;
use rpc::{
    breaker::{Breaker, Outcome},
    tls::Roots,
};
use settings::{Error, Key, Settings};
use std::{sync::Arc, time::Duration};
use telemetry::metrics::CALLS_REFUSED;
use tonic::{Code, Status, body::Body};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tower::service_fn;
use transcode::Rpc;
use waiting::{Answered, Waiting};

pub(crate) const BREAKER_FAILURES: Key = Key::new(
    "breaker-failures",
    "COMPTOIR_BREAKER_FAILURES",
    "Failures in a row to reach an upstream after which its calls are refused at once, but for one a second; 0 is never",
)
.default("5");

pub(crate) const UPSTREAM_CONCURRENCY: Key = Key::new(
    "upstream-concurrency",
    "COMPTOIR_UPSTREAM_CONCURRENCY",
    "Calls of an upstream at once, and as many streams; what is above is refused at once",
)
.default("10000");

/// How long an upstream may take to say whether it serves; who asks that gives up after a few seconds, and needs the reply about
/// the others.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// What every upstream is bounded by.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Failures in a row to reach it that open its breaker; 0 never does.
    pub breaker_failures: u32,
    /// Calls under way, and as many streams.
    pub concurrency: usize,
}

impl Bounds {
    pub(crate) fn resolve(settings: &Settings) -> Result<Self, Error> {
        Ok(Self {
            breaker_failures: settings.bounded(&BREAKER_FAILURES, 0..=1_000_000)?,
            concurrency: settings.bounded(&UPSTREAM_CONCURRENCY, 1..=1_000_000)? as usize,
        })
    }
}

pub(crate) struct Upstream {
    uri: String,
    channel: Channel,
    breaker: Breaker,
    check: Question<ServingStatus>,
    calls: Arc<Bound>,
    streams: Arc<Bound>,
    resets: Arc<Resets>,
}

impl Upstream {
    /// The upstream at `uri`, if that is an address; it is connected to when it is first called. `roots` sign for it over https.
    pub(crate) fn new(uri: &str, bounds: Bounds, roots: &Roots) -> Option<Self> {
        let bound = || Arc::new(Bound::new(uri, bounds.concurrency));
        Some(Self {
            channel: Channel::new(uri, roots)?,
            resets: Resets::new(Channel::new(uri, roots)?),
            breaker: Breaker::new(uri, bounds.breaker_failures),
            check: Question::default(),
            calls: bound(),
            streams: bound(),
            uri: uri.to_owned(),
        })
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Whether it serves. All who ask meanwhile share the answer: anybody may ask, as often as they like, and may leave before
    /// it comes.
    pub(crate) async fn serving(self: &Arc<Self>) -> ServingStatus {
        self.check.ask(self.clone().checked()).await
    }

    /// Asks also while the breaker is open: who is told that an upstream serves must be able to call it at once. A server that
    /// has no health service is taken for SERVING: it has answered.
    async fn checked(self: Arc<Self>) -> ServingStatus {
        let mut request = tonic::Request::new(HealthCheckRequest { service: String::new() });
        request.set_timeout(CHECK_TIMEOUT);
        let mut client = HealthClient::new(service_fn(|request| async {
            let (answered, place) = self.send(request, None).await;
            whole(answered, place)
        }));
        let state = match tokio::time::timeout(CHECK_TIMEOUT, client.check(request)).await {
            Ok(Ok(response)) => response.into_inner().status(),
            Ok(Err(status)) if status.code() == Code::Unimplemented => ServingStatus::Serving,
            Ok(Err(_)) | Err(_) => return ServingStatus::Unknown,
        };
        self.breaker.reached();
        state
    }

    /// The messages of a caller, on whom it depends that they end well.
    pub(crate) fn messages(&self, body: Body) -> Body {
        Body::new(Paced::new(body, self.resets.clone()))
    }

    /// Makes a call of `rpc`. It is under way until the body of the reply has ended or is dropped.
    pub(crate) async fn call(&self, rpc: &Rpc, request: Request<Body>) -> Result<Response<Held>, Status> {
        let is_stream = rpc.server_streaming || rpc.client_streaming;
        let bound = if is_stream { &self.streams } else { &self.calls };
        let place = Bound::take(bound).ok_or_else(|| self.overloaded())?;
        let pass = self.breaker.admit().ok_or_else(|| self.unreachable())?;
        let (answered, place) = self.send(request, Some(place)).await;
        pass.end(Outcome::of(&answered));
        whole(answered, place)
    }

    fn send(&self, request: Request<Body>, place: Option<Place>) -> Waiting<'_> {
        Waiting::new(self.channel.send(request), place, &self.resets)
    }

    fn overloaded(&self) -> Status {
        let message = "too many calls of the service behind this path are under way; call again in a second";
        self.refused("UPSTREAM_OVERLOADED", message)
    }

    fn unreachable(&self) -> Status {
        let message = "the service behind this path could not be reached several times; call again in a second";
        self.refused("UPSTREAM_UNAVAILABLE", message)
    }

    /// The status of a call that is not made.
    fn refused(&self, reason: &str, message: &str) -> Status {
        CALLS_REFUSED.add_one([self.uri.as_str(), reason]);
        rpc::status::unavailable(reason, message)
    }
}

/// The reply, whose call is under way until its end.
fn whole(answered: Answered, place: Option<Place>) -> Result<Response<Held>, Status> {
    match answered {
        Ok(response) => Ok(response.map(|body| Held::new(body, place))),
        Err(error) => Err(Status::from_error(error.into())),
    }
}
