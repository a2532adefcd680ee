//! Each service alone in a process of its own, under one load: CPU, durable writes and memory of each.

use crate::{
    CLIENTS, TIME,
    load::{self, Load},
    usage::{Pids, Usage, Used, peak_memory},
    writers,
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
    let ((_, logged), writers) = writers::during(stack, run(TIME / 3)).await?;
    println!("\neach service in a process of its own, {CLIENTS} clients, {} s", TIME.as_secs());
    println!(
        "  {:.1} orders/s; writes by service: as mongod logged them in further {} s",
        latencies.len() as f64 / seconds,
        (TIME / 3).as_secs()
    );
    print(&pids, &used, &writers, logged.len());
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

fn print(pids: &Pids, used: &Used, writers: &BTreeMap<String, usize>, orders: usize) {
    println!(
        "  {:<14} {:>16} {:>24} {:>17}",
        "process", "CPU ms per order", "durable writes per order", "peak of memory MB"
    );
    for (name, pid) in pids {
        let cpu = used.cpu.0.get(name).copied().unwrap_or(f64::NAN);
        let writes = match (name.as_str(), writers.get(name)) {
            ("nats-server", _) => format!("{:.2} messages", used.messages),
            (_, Some(writes)) => format!("{:.2}", *writes as f64 / orders.max(1) as f64),
            (_, None) => "-".to_owned(),
        };
        println!("  {name:<14} {cpu:>16.2} {writes:>24} {:>17.0}", peak_memory(*pid).unwrap_or(f64::NAN));
    }
    let (cpu, writes) = (used.cpu.sum(), used.writes);
    println!("  {:<14} {cpu:>16.2} {writes:>24.2} {:>17}", "all", "goal <= 60 each");
}
