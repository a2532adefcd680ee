//! HTTP/1.1 to HTTP/2 and nothing else: what a proxy of hyper costs before it does anything.

use axum::serve::ListenerExt as _;
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;
use tower::{Service, ServiceExt};

/// Serves the address in LISTEN, on one thread.
pub fn run(upstream: &str) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let channel =
            tonic::transport::Endpoint::from_shared(format!("http://{upstream}"))?.tcp_nodelay(true).connect_lazy();
        let listener = tokio::net::TcpListener::bind(std::env::var("LISTEN")?).await?;
        let app = axum::Router::new().fallback(pass).with_state(channel);
        Ok(axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), app).await?)
    })
}

async fn pass(State(mut channel): State<tonic::transport::Channel>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let mut outgoing = http::Request::new(tonic::body::Body::new(body));
    *outgoing.uri_mut() = parts.uri;
    *outgoing.method_mut() = http::Method::POST;
    let Ok(ready) = channel.ready().await else { return refused() };
    ready.call(outgoing).await.map_or_else(|_| refused(), |response| response.map(Body::new))
}

fn refused() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    response
}
