//! Waits until what runs here answers that it is ready.

use super::system::System;
use crate::{
    healthcheck,
    services::{GATEWAY, SANDBOX_PSP},
};
use anyhow::bail;
use std::time::{Duration, Instant};

/// How long all of it may take.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits for the health of each service of this process and, when none is missing, for `/readyz` of the gateway.
pub async fn wait(system: &System) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let missing = missing(system).await;
        if missing.is_empty() {
            return Ok(());
        }
        if began.elapsed() > READY_TIMEOUT {
            bail!("not ready after {} s:\n  {}", READY_TIMEOUT.as_secs(), missing.join("\n  "));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn missing(system: &System) -> Vec<String> {
    let here = system.endpoints.iter().filter(|(name, _)| system.here.contains(*name));
    let services = here.map(|(name, endpoint)| async move {
        let error = healthcheck::grpc(&endpoint.uri()).await.err()?;
        Some(format!("{name}: {error:#}"))
    });
    let mut missing: Vec<String> = futures::future::join_all(services).await.into_iter().flatten().collect();
    let sandbox = healthcheck::http(&system.sandbox_psp.uri()).await;
    missing.extend(sandbox.err().map(|error| format!("{SANDBOX_PSP}: {error:#}")));
    // The gateway is ready only when every service is, so it is never ready when some run elsewhere.
    if missing.is_empty() && system.is_complete() {
        let asked = healthcheck::http(&system.gateway.uri()).await;
        missing.extend(asked.err().map(|error| format!("{GATEWAY}: {error:#}")));
    }
    missing
}
