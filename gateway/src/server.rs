//! The listening end: serves until the shutdown, drains with a bounded grace.

use crate::{
    Config, Error, coding,
    condition::none_match,
    cors::{self, Cors},
    handle, observe, problem,
    state::Gateway,
};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use rpc::Port;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(10);

/// How long the replies to requests that were cut off may take: they are short and ready, so a second is much.
const LAST_REPLIES: Duration = Duration::from_secs(1);

/// Serves `listener` until `shutdown`, then lets calls under way end for at most 10 s. Streams end at once. Connects to
/// an upstream when it is first called.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    let cut = CancellationToken::new();
    let port = Port::http("gateway", listener, config.limits.clone());
    let cors = Arc::new(Cors { origins: config.cors_origins.clone(), max_age: config.cors_max_age });
    let gateway = Arc::new(Gateway::new(config, shutdown.clone(), cut.clone())?);
    // What is added last is first to see a request and last to see its reply.
    let app = axum::Router::new()
        .fallback(handle::handle)
        .layer(from_fn(problem::answer))
        .layer(coding::reply::layer())
        .layer(map_response(coding::reply::tag))
        .layer(map_response(none_match::answered))
        .layer(from_fn_with_state(cors, cors::answer))
        .layer(from_fn_with_state(gateway.clone(), observe::answer))
        .with_state(gateway);
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
