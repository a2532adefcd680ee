//! `make bench-orders`: confirmed orders per second through the gateway, closed loop, with latency, CPU and memory.

use anyhow::Context;
use kit::{Client, Stack, StackOptions};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long each level of concurrency is measured, after a warm-up of a fifth of it.
const SECONDS: u64 = 15;

/// Jiffies per second on Linux, as /proc counts them.
const TICKS_PER_SECOND: f64 = 100.0;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack).await?;
    let customer = Client::customer(&stack).await;
    println!("closed loop through the gateway, {SECONDS} s each; comptoir runs all services in one process");
    println!("{:>8} {:>10} {:>9} {:>9}   CPU ms per order", "clients", "orders/s", "p50 ms", "p99 ms");
    for clients in [1, 32, 64] {
        measure(&customer, &product, clients, Duration::from_secs(SECONDS / 5)).await;
        let before = cpu(&stack);
        let began = Instant::now();
        let mut latencies = measure(&customer, &product, clients, Duration::from_secs(SECONDS)).await;
        let seconds = began.elapsed().as_secs_f64();
        latencies.sort_unstable();
        let count = latencies.len();
        let at = |part: f64| latencies[((count as f64 * part) as usize).min(count - 1)].as_secs_f64() * 1e3;
        let per_order = cpu(&stack).into_iter().map(|(name, ms)| {
            let used = ms - before.get(&name).copied().unwrap_or(0.0);
            format!("{name} {:.2}", used / count as f64)
        });
        let per_order = per_order.collect::<Vec<_>>().join("  ");
        println!("{clients:>8} {:>10.1} {:>9.1} {:>9.1}   {per_order}", count as f64 / seconds, at(0.5), at(0.99));
    }
    for (name, megabytes) in memory(&stack) {
        println!("memory  {name:<12} {megabytes:>6.0} MB");
    }
    stack.stop().await;
    Ok(())
}

async fn product(stack: &Stack) -> anyhow::Result<String> {
    let staff = Client::staff(stack).await;
    let price = json!({ "currencyCode": "EUR", "units": "12", "nanos": 500_000_000 });
    let product =
        staff.post("/v1/products", json!({ "name": "Measured", "sku": "BENCH", "price": price })).await.expect(201);
    let id = product["productId"].as_str().context("a product has an id")?.to_owned();
    staff.post(&format!("/v1/stock/{id}:adjust"), json!({ "delta": 1_000_000, "reason": "bench" })).await.expect(200);
    Ok(id)
}

/// Each client places one order after another; the time of each until it was CONFIRMED.
async fn measure(customer: &Client, product: &str, clients: usize, duration: Duration) -> Vec<Duration> {
    let end = Instant::now() + duration;
    let one = |_| async {
        let mut latencies = Vec::new();
        while Instant::now() < end {
            let began = Instant::now();
            let order = customer.post("/v1/orders?wait=20s", draft(product)).await.expect(201);
            assert_eq!(order["state"], "CONFIRMED", "{order}");
            latencies.push(began.elapsed());
        }
        latencies
    };
    futures::future::join_all((0..clients).map(one)).await.concat()
}

fn draft(product: &str) -> Value {
    json!({
        "items": [{ "productId": product, "quantity": 1 }],
        "shippingAddress": {
            "name": "Customer", "line1": "1 rue de la Paix", "city": "Paris", "postalCode": "75002", "countryCode": "FR",
        },
        "paymentToken": "tok_visa",
    })
}

fn processes(stack: &Stack) -> BTreeMap<String, u32> {
    stack.state().pids.iter().map(|(name, pid)| (name.clone(), *pid)).collect()
}

/// CPU time of each process, in milliseconds.
fn cpu(stack: &Stack) -> BTreeMap<String, f64> {
    let used = |pid: u32| -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        Some(ticks * 1e3 / TICKS_PER_SECOND)
    };
    processes(stack).into_iter().filter_map(|(name, pid)| Some((name, used(pid)?))).collect()
}

/// Resident memory of each process, in megabytes.
fn memory(stack: &Stack) -> BTreeMap<String, f64> {
    let resident = |pid: u32| -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    };
    processes(stack).into_iter().filter_map(|(name, pid)| Some((name, resident(pid)?))).collect()
}
