//! gRPC addresses: bound before anything starts, so that every service knows its peers and no port is lost to another.

use anyhow::Context;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};
use tokio::net::TcpListener;
use topology::Topology;

/// Where one service is, or will be, reached.
pub struct Endpoint {
    /// Its address.
    pub address: SocketAddr,
    /// Bound already; closed before `dev` says that it is ready when the service runs in another process.
    pub listener: Option<TcpListener>,
}

impl Endpoint {
    /// As a URI.
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Binds an address for every service. With `base` 0 the ports are free ones.
pub async fn bind(base: u16) -> anyhow::Result<BTreeMap<String, Endpoint>> {
    let mut endpoints = BTreeMap::new();
    for (name, service) in &Topology::get().service {
        let port = if base == 0 { 0 } else { base.saturating_add(service.port_offset) };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
            format!("port {port} for {name} is taken: stop what uses it, or choose others with --grpc-base-port (0: free ones)")
        })?;
        let address = listener.local_addr()?;
        endpoints.insert(name.clone(), Endpoint { address, listener: Some(listener) });
    }
    Ok(endpoints)
}

/// A port that nobody listens on now. It may be taken before it is used: the caller must be ready to ask again.
pub fn free() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?.port())
}
