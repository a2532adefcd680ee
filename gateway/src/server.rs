//! The listening end: serves until the shutdown, drains with a bounded grace. What every reply goes through is here.

use crate::{
    Config, Error, coding,
    condition::none_match,
    cors, handle,
    observe::{Observed, Replied},
    problem,
    reload::{self, Current},
    reply,
    state::Gateway,
};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use limit::{Jetstream, Login, Shared};
use revocations::{Feed, LOAD_TIMEOUT};
use rpc::{Port, tls::Tls};
use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::service_fn;
use tracing::Instrument;

/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// How long the replies to requests that were cut off may take: they are short and ready, so a second is much.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// How long a start waits for the count of the rate limits; without it each replica counts for itself.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves `listener` until `shutdown`, then lets calls under way end for at most 10 s. Streams end at once. Connects to
/// an upstream when it is first called.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    let cut = CancellationToken::new();
    let tls = config.tls.clone().map(|files| Tls::load("gateway", files)).transpose()?;
    let _renewing = tls.as_ref().map(|tls| tls.keep(shutdown.clone())).transpose().map_err(Error::Signal)?;
    let port = Port::http("gateway", listener, config.limits.clone()).with_tls(tls);
    let broker = broker(&config).await?;
    let shared = match &broker {
        Some(jetstream) => shared(jetstream, &config, &shutdown).await,
        None => None,
    };
    let config = Arc::new(config);
    let (schema, served) = reload::first(&config).await?;
    let gateway = Gateway::new(&config, schema, shared.as_ref(), (shutdown.clone(), cut.clone()))?;
    if let Some(jetstream) = broker {
        follow(Feed::new(jetstream, gateway.keys.revocations().clone()), &shutdown).await;
    }
    let current = Arc::new(Current::from_pointee(gateway));
    let _reloading = reload::start(config, current.clone(), served, shutdown.clone())?;
    let app = service_fn(move |request| {
        // A request keeps the schema that it begins with.
        let gateway = current.load_full();
        async move { Ok::<_, Infallible>(answer(gateway, request).await) }
    });
    let mut serving = pin!(port.serve(app, shutdown.clone()));
    tokio::select! {
        () = serving.as_mut() => {}
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {
            tracing::warn!(grace_s = GRACE.as_secs(), "requests were still under way after the grace; they are cut off");
            cut.cancel();
            drop(tokio::time::timeout(LAST_REPLIES, serving).await);
        }
    }
    Ok(())
}

/// The connection to NATS, where there is one.
async fn broker(config: &Config) -> Result<Option<Jetstream>, Error> {
    let Some(nats) = &config.nats else { return Ok(None) };
    let login = Login { user: &nats.user, password: nats.password.reveal() };
    Ok(Some(limit::connect(&nats.url, login).await?))
}

/// The common count of the rate limits, once it is open or NATS has had some time for it.
async fn shared(jetstream: &Jetstream, config: &Config, shutdown: &CancellationToken) -> Option<Arc<Shared>> {
    let nats = config.nats.as_ref().filter(|_| !config.rate_limits.is_empty())?;
    let shared = Arc::new(Shared::over(jetstream.clone(), (config.rate_limits.longest(), nats.patience)));
    drop(tokio::time::timeout(OPEN_TIMEOUT.max(nats.patience), shared.open()).await);
    let (open, shutdown) = (shared.clone(), shutdown.clone());
    tokio::spawn(async move { shutdown.run_until_cancelled(open.keep_open()).await });
    Some(shared)
}

/// Follows the revocations of tokens until `shutdown`; returns once the list is there or NATS has had some time for it.
async fn follow(feed: Feed, shutdown: &CancellationToken) {
    let (loaded, shutdown) = (feed.loaded(), shutdown.clone());
    tokio::spawn(async move { shutdown.run_until_cancelled(feed.follow()).await });
    drop(tokio::time::timeout(LOAD_TIMEOUT, loaded.cancelled()).await);
}

/// One request and its reply. What the reply depends on of the request's head is read before the request is handed on.
async fn answer(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Replied> {
    let (observed, request) = Observed::begin(&gateway.trusted_proxies, request);
    let likes_problems = problem::is_liked(request.headers());
    let codings = coding::reply::accepted(request.headers());
    let page = cors::Page::of(&gateway.cors, &request);
    let is_head = request.method() == Method::HEAD;
    let handled = handle::handle(&gateway, request, &observed.id).instrument(observed.span.clone());
    let mut response = problem::tell(handled.await, likes_problems, &observed.id);
    response = coding::reply::encode(response, codings).await;
    response = none_match::answered(response);
    page.tell(&gateway.cors, &mut response);
    if is_head {
        response = reply::without_content(response);
    }
    observed.end(response)
}
