//! Each service alone in a process of its own, under one load: CPU, durable writes and memory of each.

use crate::{
    CLIENTS, TIME,
    counts::{self, Counts},
    load::{self, Load},
    usage::{self, Memory, Pids, Usage, Used},
};
use comptoir::healthcheck;
use kit::{Client, Process, Stack, eventually};
use std::{collections::BTreeMap, time::Duration};

/// How long everything may take to start or to drain.
const LIMIT: Duration = Duration::from_secs(60);

/// Measures and prints, on a stack that runs stores only.
pub async fn measure(stack: &Stack, product: &str) -> anyhow::Result<()> {
    let services = start(stack).await;
    let customer = Client::customer(stack).await;
    let load = Load::Closed { clients: CLIENTS };
    let run = |time| load::run(&customer, product, load, time);
    let mut pids: Pids = services.iter().map(|(name, process)| (name.clone(), process.pid())).collect();
    pids.extend(["mongod", "nats-server"].map(|store| (store.to_owned(), stack.state().pids[store])));
    run(TIME / 5).await;
    let before = Usage::of(stack, &pids).await?;
    let (seconds, latencies) = run(TIME).await;
    let used = Usage::of(stack, &pids).await?.since(&before, latencies.len());
    let memory = pids.iter().map(|(name, pid)| (name.clone(), usage::memory(*pid))).collect();
    let (logged, counts) = counts::during(stack, run(TIME / 3)).await?;
    let rate = |(seconds, latencies): &(f64, Vec<Duration>)| latencies.len() as f64 / seconds;
    println!(
        "\neach service in a process of its own, {CLIENTS} clients, {} s; goal of memory <= 60 MB each",
        TIME.as_secs()
    );
    print(&used, &durable(&counts, &services, logged.1.len()), &memory);
    println!("  {:.1} orders/s with {:.2} durable writes each;", rate(&(seconds, latencies)), used.writes);
    println!("  whose they are: from mongod's log of {} s more, {:.1} orders/s", (TIME / 3).as_secs(), rate(&logged));
    for process in services.values() {
        process.stop(LIMIT).await?;
    }
    Ok(())
}

/// Everybody, once they answer.
async fn start(stack: &Stack) -> BTreeMap<String, Process> {
    let names = topology::Topology::get().service.keys().map(String::as_str).chain(["gateway"]);
    let services = names.map(|name| (name.to_owned(), stack.serve(name))).collect();
    for name in topology::Topology::get().service.keys() {
        eventually(LIMIT, || healthcheck::grpc(stack.grpc(name))).await;
    }
    eventually(LIMIT, || healthcheck::http(stack.gateway())).await;
    services
}

/// Durable commands of each service, per order.
fn durable(counts: &Counts, services: &BTreeMap<String, Process>, orders: usize) -> BTreeMap<String, f64> {
    let of = |name: &String| counts.of_service(name).durable as f64 / orders.max(1) as f64;
    services.keys().map(|name| (name.clone(), of(name))).collect()
}

fn print(used: &Used, writers: &BTreeMap<String, f64>, memory: &BTreeMap<String, Memory>) {
    println!(
        "  {:<14} {:>12} {:>16} {:>9} {:>7} {:>7}",
        "per order", "CPU ms", "durable writes", "memory MB", "own MB", "peak MB"
    );
    for (name, Memory { resident, own, peak }) in memory {
        let cpu = used.cpu.0.get(name).copied().unwrap_or(f64::NAN);
        let writes = match (name.as_str(), writers.get(name)) {
            ("nats-server", _) => format!("{:.2} messages", used.messages),
            (_, Some(writes)) => format!("{writes:.2}"),
            (_, None) => "-".to_owned(),
        };
        println!("  {name:<14} {cpu:>12.2} {writes:>16} {resident:>9.0} {own:>7.0} {peak:>7.0}");
    }
    println!("  {:<14} {:>12.2} {:>16.2}", "all", used.cpu.sum(), writers.values().sum::<f64>());
}
