//! What a load has used: CPU of each process, commands of mongod that waited for majority and journal, and messages that
//! nats-server has stored.

use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use kit::Stack;
use std::{collections::BTreeMap, fmt};

/// Jiffies per second on Linux, as /proc counts them.
const TICKS_PER_SECOND: f64 = 100.0;

/// Process ids by name.
pub type Pids = BTreeMap<String, u32>;

/// Counters at one moment.
pub struct Usage {
    cpu_ms: BTreeMap<String, f64>,
    writes: i64,
    messages: u64,
}

/// The same per order.
pub struct Used {
    /// Durable writes.
    pub writes: f64,
    /// Messages stored by nats-server.
    pub messages: f64,
    /// CPU.
    pub cpu: PerOrder,
}

/// CPU milliseconds per order, by process.
pub struct PerOrder(pub BTreeMap<String, f64>);

impl PerOrder {
    /// Of all processes.
    pub fn sum(&self) -> f64 {
        self.0.values().sum()
    }
}

impl fmt::Display for PerOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, ms) in &self.0 {
            write!(f, "{name} {ms:>5.2}  ")?;
        }
        write!(f, "sum {:>5.2}", self.sum())
    }
}

impl Usage {
    /// As of now.
    pub async fn of(stack: &Stack, pids: &Pids) -> anyhow::Result<Self> {
        let used = |pid: u32| -> Option<f64> {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
            Some(ticks * 1e3 / TICKS_PER_SECOND)
        };
        let cpu_ms = pids.iter().filter_map(|(name, pid)| Some((name.clone(), used(*pid)?))).collect();
        Ok(Self { cpu_ms, writes: writes(stack).await?, messages: messages(stack).await? })
    }

    /// What was used since `before`, for each of `orders`.
    pub fn since(&self, before: &Self, orders: usize) -> Used {
        let orders = orders.max(1) as f64;
        let cpu = self.cpu_ms.iter().map(|(name, ms)| {
            let used = ms - before.cpu_ms.get(name).copied().unwrap_or(0.0);
            (name.clone(), used / orders)
        });
        Used {
            writes: (self.writes - before.writes) as f64 / orders,
            messages: (self.messages - before.messages) as f64 / orders,
            cpu: PerOrder(cpu.collect()),
        }
    }
}

/// Commands that have waited for the majority: the statements of a transaction wait for nothing, its commit does.
async fn writes(stack: &Stack) -> anyhow::Result<i64> {
    let status = stack.mongodb().database("admin").run_command(doc! { "serverStatus": 1 }).await?;
    let waits = status.get_document("metrics")?.get_document("getLastError")?.get_document("wtime")?;
    Ok(number(waits, "num"))
}

async fn messages(stack: &Stack) -> anyhow::Result<u64> {
    let nats = async_nats::jetstream::new(stack.nats().await);
    let streams: Vec<_> = nats.streams().try_collect().await?;
    Ok(streams.iter().map(|stream| stream.state.last_sequence).sum())
}

fn number(document: &Document, key: &str) -> i64 {
    match document.get(key) {
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Int32(number)) => i64::from(*number),
        _ => 0,
    }
}

/// Memory of a process in megabytes.
pub struct Memory {
    /// All that is resident.
    pub resident: f64,
    /// What it has allocated; the rest is its program, which processes of one binary share.
    pub own: f64,
    /// The most that was ever resident.
    pub peak: f64,
}

pub fn memory(pid: u32) -> Memory {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes = |field: &str| -> Option<f64> {
        let line = status.lines().find(|line| line.starts_with(field))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let megabytes = |field: &str| kilobytes(field).map_or(f64::NAN, |kilobytes| kilobytes / 1024.0);
    Memory { resident: megabytes("VmRSS:"), own: megabytes("RssAnon:"), peak: megabytes("VmHWM:") }
}
