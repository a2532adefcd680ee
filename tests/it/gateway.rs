//! The gateway, as an HTTP client meets it.

mod abuse;
mod access_log;
mod codings;
mod cors;
mod credentials;
mod documented;
mod foreign;
mod if_match;
mod if_none_match;
mod invalid_requests;
mod limits;
pub mod named;
mod openapi;
mod pagination;
mod problems;
mod protocol;
mod refusals;
pub mod tls;
mod updates;
mod validation;
mod watches;

use crate::cli::settings::gateway_config;
use gateway::{Addresses, Config};
use kit::Stack;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use topology::Topology;

/// A gateway of its own before the services of `stack`, with the defaults and what `change` makes of them.
async fn before(stack: &Stack, change: impl FnOnce(Config) -> Config) -> (String, DropGuard) {
    let grpc = stack.state().grpc.iter();
    let upstreams = grpc.map(|(name, uri)| (Topology::get().service[name].proto.clone(), uri.clone())).collect();
    let jwks = std::fs::read_to_string(&stack.state().jwks_file).expect("the keys");
    run(change(Config { upstreams: Addresses(upstreams), jwks: Some(jwks), ..gateway_config() })).await
}

/// A gateway without services, with the defaults and what `change` makes of them.
async fn alone(change: impl FnOnce(Config) -> Config) -> (String, DropGuard) {
    run(change(Config { upstreams: Addresses::default(), ..gateway_config() })).await
}

async fn run(config: Config) -> (String, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let stop = CancellationToken::new();
    tokio::spawn(gateway::run(config, listener, stop.clone()));
    (uri, stop.drop_guard())
}
