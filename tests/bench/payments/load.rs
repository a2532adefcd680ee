//! Clients that authorize one payment after the other, and what that took.

use crate::{
    TIME,
    usage::{PerOrder, Pids, Usage},
};
use bson::{Document, doc};
use contracts::id::Kind as Id;
use kit::{Stack, eventually};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long the provider may take to deliver what waits.
const LIMIT: Duration = Duration::from_secs(60);

/// A line of the report.
pub struct Measured {
    clients: usize,
    /// Authorizations per second.
    pub per_second: f64,
    writes: f64,
    messages: f64,
    /// CPU per authorization.
    pub cpu: PerOrder,
    latencies: Vec<Duration>,
}

impl Measured {
    /// Above the lines.
    pub const HEADER: &'static str =
        "   clients       1/s    p50 ms    p99 ms  durable writes  messages  CPU ms per authorization";

    fn percentile(&self, part: f64) -> f64 {
        let index = (self.latencies.len() as f64 * part) as usize;
        let latency = self.latencies.get(index.min(self.latencies.len().saturating_sub(1)));
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, per_second, writes, messages, cpu, .. } = self;
        let (p50, p99) = (self.percentile(0.5), self.percentile(0.99));
        write!(f, "{clients:>10} {per_second:>9.1} {p50:>9.1} {p99:>9.1} {writes:>15.2} {messages:>9.2}  {cpu}")
    }
}

/// Measures `authorize`, which gets a fresh payment id, in a closed loop. The webhooks of what was authorized count, too:
/// it ends when all are delivered.
pub async fn measure(
    stack: &Stack,
    pids: &Pids,
    clients: usize,
    authorize: impl AsyncFn(String) -> anyhow::Result<()>,
) -> anyhow::Result<Measured> {
    run(clients, TIME / 5, &authorize).await?;
    delivered(stack).await;
    let before = Usage::of(stack, pids).await?;
    let (seconds, mut latencies) = run(clients, TIME, &authorize).await?;
    delivered(stack).await;
    let used = Usage::of(stack, pids).await?.since(&before, latencies.len());
    latencies.sort_unstable();
    let per_second = latencies.len() as f64 / seconds;
    Ok(Measured { clients, per_second, writes: used.writes, messages: used.messages, cpu: used.cpu, latencies })
}

async fn run(
    clients: usize,
    time: Duration,
    authorize: &impl AsyncFn(String) -> anyhow::Result<()>,
) -> anyhow::Result<(f64, Vec<Duration>)> {
    let began = Instant::now();
    let one = |_| async {
        let mut latencies = Vec::new();
        while began.elapsed() < time {
            let asked = Instant::now();
            authorize(Id::Payment.new_id()).await?;
            latencies.push(asked.elapsed());
        }
        anyhow::Ok(latencies)
    };
    let latencies = futures::future::try_join_all((0..clients).map(one)).await?.concat();
    Ok((began.elapsed().as_secs_f64(), latencies))
}

/// Waits until the provider has delivered all webhooks.
async fn delivered(stack: &Stack) {
    let charges = stack.db("sandbox-psp").collection::<Document>("charges");
    eventually(LIMIT, || async {
        let waiting = charges.find_one(doc! { "hooks.0": { "$exists": true } }).await?;
        anyhow::ensure!(waiting.is_none(), "webhooks wait");
        Ok(())
    })
    .await;
}
