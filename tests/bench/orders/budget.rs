//! What a confirmed order may cost the stores, and what it does cost.

use crate::{
    counts::{self, Broker, Count, Counts},
    load::{self, Load},
};
use anyhow::ensure;
use kit::{Client, Stack, eventually};
use std::time::Duration;

/// How long each load is counted.
const TIME: Duration = Duration::from_secs(6);

/// How long it runs before: a relay that has just begun waits ten seconds at its change stream for what others write.
const WARM_UP: Duration = Duration::from_secs(12);

/// How long the consumers may take to have everything.
const LIMIT: Duration = Duration::from_secs(60);

/// Most of each per order: one is exceeded, and the benchmark fails.
struct Budget {
    clients: usize,
    most: &'static [(&'static str, f64)],
}

const BUDGETS: [Budget; 2] = [
    Budget {
        clients: 1,
        most: &[("durable commands", 12.0), ("documents inserted", 11.0), ("documents updated", 5.0)],
    },
    Budget { clients: 32, most: &[("commands", 6.0)] },
];

/// Counts, prints, and fails when a budget is exceeded.
pub async fn check(stack: &Stack, product: &str) -> anyhow::Result<()> {
    let customer = Client::customer(stack).await;
    let mut exceeded = Vec::new();
    for Budget { clients, most } in BUDGETS {
        let load = Load::Closed { clients };
        load::run(&customer, product, load, WARM_UP).await;
        drained(stack).await;
        let before = Broker::of(stack).await?;
        let counted = async {
            let (_, latencies) = load::run(&customer, product, load, TIME).await;
            drained(stack).await;
            latencies.len()
        };
        let (orders, counts) = counts::during(stack, counted).await?;
        let broker = Broker::of(stack).await?;
        println!("\nper order at {clients} clients, {orders} orders");
        print(&counts, orders);
        let per_order = |count: u64| count as f64 / orders.max(1) as f64;
        let [stored, delivered] = [broker.stored - before.stored, broker.delivered - before.delivered].map(per_order);
        println!("  messages stored {stored:.1}, delivered {delivered:.1}");
        let Count { commands, durable, inserted, updated, .. } = counts.sum();
        let found = [
            ("commands", commands),
            ("durable commands", durable),
            ("documents inserted", inserted),
            ("documents updated", updated),
        ];
        for (name, limit) in most {
            let count = found.iter().find(|(known, _)| known == name).map_or(f64::NAN, |(_, count)| per_order(*count));
            let is_kept = count <= *limit;
            println!("  {name:<20} {count:>6.1}   budget {limit:>5.1}   {}", if is_kept { "kept" } else { "EXCEEDED" });
            exceeded.extend((!is_kept).then(|| format!("{name} at {clients} clients")));
        }
    }
    ensure!(exceeded.is_empty(), "over budget: {}", exceeded.join(", "));
    Ok(())
}

/// Until every event has reached every consumer.
async fn drained(stack: &Stack) {
    eventually(LIMIT, || async {
        let before = Broker::of(stack).await?;
        ensure!(before.pending == 0, "{} deliveries are missing", before.pending);
        tokio::time::sleep(Duration::from_millis(500)).await;
        let after = Broker::of(stack).await?;
        ensure!(after.stored == before.stored && after.pending == 0, "events go on");
        Ok(())
    })
    .await;
}

fn print(counts: &Counts, orders: usize) {
    println!(
        "  {:<14} {:<34} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "service", "collection", "commands", "durable", "inserted", "updated", "deleted"
    );
    let line = |service: &str, collection: &str, count: Count| {
        let Count { commands, durable, inserted, updated, deleted } = count;
        let [commands, durable, inserted, updated, deleted] = [commands, durable, inserted, updated, deleted]
            .map(|count| format!("{:.2}", count as f64 / orders.max(1) as f64));
        println!("  {service:<14} {collection:<34} {commands:>8} {durable:>8} {inserted:>8} {updated:>8} {deleted:>8}");
    };
    for ((service, collection), count) in &counts.0 {
        if *count != Count::default() && count.commands * 50 > orders as u64 {
            line(service, collection, *count);
        }
    }
    line("all", "", counts.sum());
}
