//! A client of gRPC with a connection of its own.

use crate::shapes::Request;
use anyhow::{Context, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use tonic::transport::Endpoint;
use tower::{Service, ServiceExt};

/// Asks one request after the other until it is over.
pub async fn client(address: &str, request: &Request, is_over: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    let uri = format!("http://{address}");
    let mut channel = Endpoint::from_shared(uri.clone())?.tcp_nodelay(true).connect().await?;
    let mut latencies = Vec::new();
    let body = Bytes::from(request.body.clone().unwrap_or_default());
    while !is_over.load(Ordering::Relaxed) {
        let mut head = http::Request::post(format!("{uri}{}", request.path)).header("te", "trailers");
        for (name, value) in &request.headers {
            head = head.header(*name, value);
        }
        let outgoing = head.body(tonic::body::Body::new(Full::new(body.clone())))?;
        let start = Instant::now();
        let reply = channel.ready().await?.call(outgoing).await?;
        let whole = reply.into_body().collect().await?;
        latencies.push(start.elapsed());
        let status = whole.trailers().and_then(|trailers| trailers.get("grpc-status")).context("a status")?;
        ensure!(status == "0" && whole.to_bytes().len() >= request.reply_bytes, "not a whole reply");
    }
    Ok(latencies)
}
