//! `make bench-orders`: confirmed orders through the gateway over loopback, beside the floors of the same machine in the
//! same run: a bare driver that does as many journaled writes, and single conditional updates of one document.
//!
//! Durable writes are commands that wait for the majority and the journal, as mongod counts them: a command that holds the
//! writes of many orders is one.

#[path = "orders/alone.rs"]
mod alone;
#[path = "orders/budget.rs"]
mod budget;
#[path = "orders/counts.rs"]
mod counts;
#[path = "orders/flash.rs"]
mod flash;
#[path = "orders/floors.rs"]
mod floors;
#[path = "orders/load.rs"]
mod load;
#[path = "orders/usage.rs"]
mod usage;

use clap::{Parser, ValueEnum};
use kit::{Client, Stack, StackOptions};
use load::{Load, Measured};
use std::time::Duration;
use usage::Usage;

/// How long each load is measured, after a warm-up of a fifth of it.
const TIME: Duration = Duration::from_secs(15);

/// The concurrency at which floor and reference are compared.
const CLIENTS: usize = 32;

/// The reference as listed, at 32 clients on this kind of machine: orders per second, and CPU ms per order.
const REFERENCE: (f64, f64) = (82.0, 30.0);

/// Clients of the flash sale.
const FLASH_CLIENTS: usize = 64;

/// Confirmed orders per second with their latency, CPU, durable writes and memory, beside the floors of this machine.
#[derive(Parser)]
#[command(name = "bench-orders")]
struct Arguments {
    /// What is measured; all of it when nothing is named
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Commands, documents and messages of an order, by collection; fails over the budgets
    Counts,
    /// Closed and open loop, all services in one process, beside the floor and the reference
    Orders,
    /// Holds of one product, beside single conditional updates
    Flash,
    /// Each service in a process of its own: CPU, durable writes and memory of each
    Alone,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { parts } = Arguments::parse();
    let chosen = |part| parts.is_empty() || parts.contains(&part);
    let mut stack = Stack::start(StackOptions::default()).await;
    let product = load::product(&stack, 10_000_000).await?;
    if chosen(Part::Counts) {
        budget::check(&stack, &product).await?;
    }
    if chosen(Part::Orders) {
        orders(&stack, &product).await?;
    }
    if chosen(Part::Flash) {
        let (clients, holds) = (FLASH_CLIENTS, flash::holds(&stack, &product, FLASH_CLIENTS, TIME).await?);
        let floor = floors::conditional_updates(&stack, FLASH_CLIENTS, TIME / 3).await?;
        println!("\nflash sale: one product, {clients} clients; goal >= 3 x single conditional updates");
        println!("  holds {holds:.0}/s   bare conditional updates {floor:.0}/s   ratio {:.2}", holds / floor);
    }
    stack.stop().await;
    if chosen(Part::Alone) {
        stack.restart_with(Vec::new()).await;
        alone::measure(&stack, &product).await?;
        stack.stop().await;
    }
    Ok(())
}

async fn orders(stack: &Stack, product: &str) -> anyhow::Result<()> {
    let customer = Client::customer(stack).await;
    println!("closed loop through the gateway, {} s each; all services in one process", TIME.as_secs());
    println!("{}", Measured::HEADER);
    let mut compared = None;
    for clients in [1, CLIENTS, 2 * CLIENTS] {
        let measured = measure(stack, &customer, product, Load::Closed { clients }).await?;
        println!("{measured}");
        if clients == CLIENTS {
            compared = Some(measured);
        }
    }
    let Some(closed) = compared else { return Ok(()) };
    println!("\nopen loop, {} s each: latency from the moment at which the order was due", TIME.as_secs());
    println!("{}", Measured::HEADER);
    for part in [0.25, 0.5, 0.75] {
        let rate = closed.per_second * part;
        println!("{}", measure(stack, &customer, product, Load::Open { rate }).await?);
    }
    compare(stack, &closed).await?;
    verify(stack).await
}

/// What the load has left behind holds.
async fn verify(stack: &Stack) -> anyhow::Result<()> {
    println!("\ncomptoir verify, after {} s of orders", 6 * (TIME + TIME / 5).as_secs());
    let mut verify = tokio::process::Command::new(kit::binary());
    let status =
        verify.args(["verify", "--settle", "60", "--data"]).arg(stack.data()).kill_on_drop(true).status().await?;
    anyhow::ensure!(status.success(), "the load has left something behind that does not hold");
    Ok(())
}

/// Beside the floor and the reference.
async fn compare(stack: &Stack, closed: &Measured) -> anyhow::Result<()> {
    let writes = closed.writes.round().max(1.0) as usize;
    let floor = floors::orders(stack, CLIENTS, writes, TIME / 3).await?;
    let (reference, reference_cpu) = REFERENCE;
    let (rate, cpu) = (closed.per_second, closed.cpu.sum());
    println!("\nat {CLIENTS} clients");
    println!(
        "  floor      {floor:>7.1} x {writes} bare writes/s   orders {:>5.0} % of it (goal >= 60 %)",
        100.0 * rate / floor
    );
    println!("  reference  {reference:>7.1} orders/s                orders {:>5.1} x (goal >= 5 x)", rate / reference);
    println!(
        "  reference  {reference_cpu:>7.1} ms of CPU per order     here {cpu:>5.1} ms (goal <= {:.1})",
        reference_cpu / 5.0
    );
    println!("  durable writes per order {:.1} (goal <= 8)", closed.writes);
    Ok(())
}

async fn measure(stack: &Stack, customer: &Client, product: &str, load: Load) -> anyhow::Result<Measured> {
    load::run(customer, product, load, TIME / 5).await;
    let pids = stack.state().pids.clone();
    let before = Usage::of(stack, &pids).await?;
    let (seconds, latencies) = load::run(customer, product, load, TIME).await;
    let used = Usage::of(stack, &pids).await?.since(&before, latencies.len());
    Ok(Measured::new(load, seconds, latencies, used))
}
