//! Clients that keep a connection each and ask one request after the other.

#[path = "http2.rs"]
mod http2;

use crate::{
    proxies::{Proxy, Running},
    shapes::{Request, Shape},
};
use anyhow::{Context, bail, ensure};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub const CLIENTS: usize = 32;

/// Jiffies per second on Linux, as /proc counts them.
const TICKS_PER_SECOND: f64 = 100.0;

/// Of one proxy with one shape of requests.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// CPU of the proxy per request.
    pub cpu_us: f64,
    /// Requests a second.
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// The median of each figure.
pub fn median(measured: Vec<Measured>) -> Measured {
    let of = |figure: fn(&Measured) -> f64| {
        let mut all: Vec<f64> = measured.iter().map(figure).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or_default()
    };
    Measured {
        cpu_us: of(|one| one.cpu_us),
        rate: of(|one| one.rate),
        p50_ms: of(|one| one.p50_ms),
        p99_ms: of(|one| one.p99_ms),
    }
}

pub async fn run(proxy: Proxy, running: &Running, shape: &Shape, time: Duration) -> anyhow::Result<Measured> {
    let request = shape.request(proxy);
    clients(running, request, time / 5).await?;
    let (before, start) = (cpu_us(running.pid)?, Instant::now());
    let mut latencies = clients(running, request, time).await?;
    let (used, elapsed) = (cpu_us(running.pid)? - before, start.elapsed());
    latencies.sort_unstable();
    let count = latencies.len();
    let quantile = |share: f64| {
        let at = ((count as f64 * share) as usize).min(count.saturating_sub(1));
        latencies.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
    };
    Ok(Measured {
        cpu_us: used / count.max(1) as f64,
        rate: count as f64 / elapsed.as_secs_f64(),
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
    })
}

/// How many allocations a request takes, with its share of those of the connection.
pub async fn allocations(proxy: Proxy, running: &Running, shape: &Shape, time: Duration) -> anyhow::Result<f64> {
    let request = shape.request(proxy);
    clients(running, request, time / 5).await?;
    let before = running.allocations().await?;
    let count = clients(running, request, time).await?.len();
    Ok((running.allocations().await? - before) as f64 / count.max(1) as f64)
}

fn cpu_us(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("a process")?.1.split_whitespace().collect();
    let ticks = |at: usize| -> anyhow::Result<f64> { Ok(fields.get(at).context("a counter")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) * 1e6 / TICKS_PER_SECOND)
}

async fn clients(running: &Running, request: &Request, time: Duration) -> anyhow::Result<Vec<Duration>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let request = Arc::new(request.clone());
    let tasks: Vec<_> =
        (0..CLIENTS).map(|_| tokio::spawn(client(running.address.clone(), request.clone(), is_over.clone()))).collect();
    tokio::time::sleep(time).await;
    is_over.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(latencies)
}

async fn client(address: String, request: Arc<Request>, is_over: Arc<AtomicBool>) -> anyhow::Result<Vec<Duration>> {
    if request.is_http2 {
        return http2::client(&address, &request, &is_over).await;
    }
    let mut connection = TcpStream::connect(&address).await?;
    connection.set_nodelay(true)?;
    let bytes = request.bytes();
    let (mut latencies, mut buffer) = (Vec::new(), Vec::with_capacity(32 << 10));
    while !is_over.load(Ordering::Relaxed) {
        let start = Instant::now();
        connection.write_all(&bytes).await?;
        buffer.clear();
        while !is_whole(&buffer)? {
            ensure!(connection.read_buf(&mut buffer).await? > 0, "the proxy closes the connection");
        }
        latencies.push(start.elapsed());
        ensure!(buffer.len() >= request.reply_bytes, "{}", String::from_utf8_lossy(&buffer));
    }
    Ok(latencies)
}

/// Whether a response is there with its body; an error when it is none of success.
fn is_whole(response: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = response.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
    let (head, body) = response.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    if !head.starts_with("http/1.1 2") {
        bail!("{head}{}", String::from_utf8_lossy(body));
    }
    match head.split("content-length:").nth(1).and_then(|rest| rest.lines().next()) {
        Some(length) => Ok(body.len() >= length.trim().parse()?),
        None => Ok(body.ends_with(b"0\r\n\r\n")),
    }
}
