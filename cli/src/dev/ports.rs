//! Addresses: bound before anything starts, so that every service knows its peers and no port is lost to another.

use crate::services::SANDBOX_PSP;
use anyhow::Context;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::net::TcpListener;
use topology::Topology;

/// Where one service is, or will be, reached.
pub struct Endpoint {
    pub address: SocketAddr,
    /// Bound already; closed before `dev` says that it is ready when the service runs in another process.
    pub listener: Option<TcpListener>,
}

impl Endpoint {
    pub fn uri(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// All addresses but the gateway's.
pub struct Endpoints {
    pub services: BTreeMap<String, Endpoint>,
    /// Where payments takes webhooks.
    pub webhooks: Endpoint,
    pub sandbox_psp: Endpoint,
}

impl Endpoints {
    /// Binds all of them. With `base` 0 the ports are free ones.
    pub async fn bind(base: u16) -> anyhow::Result<Self> {
        let table = Topology::get();
        let mut services = BTreeMap::new();
        for (name, service) in &table.service {
            services.insert(name.clone(), bind(base, service.port_offset, name).await?);
        }
        let webhooks = table.service.values().find_map(|service| service.webhook_port_offset);
        let webhooks = bind(base, webhooks.context("a service takes webhooks")?, "webhooks").await?;
        let sandbox_psp = bind(base, table.program[SANDBOX_PSP].port_offset, SANDBOX_PSP).await?;
        Ok(Self { services, webhooks, sandbox_psp })
    }
}

async fn bind(base: u16, offset: u16, name: &str) -> anyhow::Result<Endpoint> {
    let port = if base == 0 { free()? } else { base.saturating_add(offset) };
    // Loopback alone: the demo accounts have a published password.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| {
        format!(
            "port {port} for {name} is taken: stop what uses it, or choose others with --grpc-base-port (0: free ones)"
        )
    })?;
    Ok(Endpoint { address: listener.local_addr()?, listener: Some(listener) })
}

/// Free ports are looked for from here to [`END`]. Those from there on Linux gives to outgoing connections, which could take one before
/// the process that is to listen there has started.
const START: u32 = 10_000;

const END: u32 = 32_768;

/// Ports that a process looks at first; processes that run at the same time look at others.
const SHARE: u32 = 32;

/// A port that nobody listens on now. It may be taken before it is used: the caller must be ready to ask again.
pub fn free() -> anyhow::Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(SHARE);
    let next = |_| START + first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % (END - START);
    let is_free = |port: &u16| std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (START..END).map(next).filter_map(|port| u16::try_from(port).ok());
    ports.find(is_free).with_context(|| format!("all ports from {START} to {END} are taken"))
}
