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

use anyhow::Context;
use clap::{Parser, ValueEnum};
use kit::{Client, Stack, StackOptions};
use load::{Load, Measured};
use std::{path::Path, time::Duration};
use usage::Usage;

/// How long each load is measured, after a warm-up of a fifth of it.
const TIME: Duration = Duration::from_secs(15);

/// The concurrency at which floor and reference are compared.
const CLIENTS: usize = 32;

/// Rounds of the comparison with another system, of which the medians count.
const ROUNDS: &str = "5";

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
    /// Closed and open loop, all services in one process, beside the floor
    Orders,
    /// Holds of one product, beside single conditional updates
    Flash,
    /// Each service in a process of its own: CPU, durable writes and memory of each
    Alone,
    /// The same orders on another system in turn, when REFERENCE names the folder of its side-by-side.sh
    Reference,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { parts } = Arguments::parse();
    let reference = std::env::var_os("REFERENCE");
    anyhow::ensure!(
        reference.is_some() || !parts.contains(&Part::Reference),
        "set REFERENCE to the folder whose side-by-side.sh runs the other system: REFERENCE=../reference"
    );
    if parts != [Part::Reference] {
        measure_here(&parts).await?;
    }
    match reference {
        Some(folder) if parts.is_empty() || parts.contains(&Part::Reference) => side_by_side(folder.as_ref()).await,
        _ => Ok(()),
    }
}

/// Everything that this system is measured by alone.
async fn measure_here(parts: &[Part]) -> anyhow::Result<()> {
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
        let calls = flash::refusals(&stack, FLASH_CLIENTS, TIME / 3).await?;
        println!("\nflash sale: one product, {clients} clients; goal >= 3 x single conditional updates");
        println!("  holds {holds:.0}/s   bare conditional updates {floor:.0}/s   ratio {:.2}", holds / floor);
        println!("  calls that are refused at once {calls:.0}/s   ratio {:.2}", calls / floor);
    }
    stack.stop().await;
    if chosen(Part::Alone) {
        stack.restart_with(Vec::new()).await;
        alone::measure(&stack, &product).await?;
        stack.stop().await;
    }
    Ok(())
}

/// Runs `side-by-side.sh BINARY ROUNDS` of `folder`, which prints the medians and ratios.
async fn side_by_side(folder: &Path) -> anyhow::Result<()> {
    let script = folder.join("side-by-side.sh");
    println!("\nside by side, {ROUNDS} rounds: {}", script.display());
    let mut run = tokio::process::Command::new(&script);
    let status = run.arg(kit::binary()).arg(ROUNDS).kill_on_drop(true).status().await;
    let status = status.with_context(|| format!("run {}", script.display()))?;
    anyhow::ensure!(status.success(), "{} failed: {status}", script.display());
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

/// Beside the floor.
async fn compare(stack: &Stack, closed: &Measured) -> anyhow::Result<()> {
    let writes = closed.writes.round().max(1.0) as usize;
    let floor = floors::orders(stack, CLIENTS, writes, TIME / 3).await?;
    let rate = closed.per_second;
    println!("\nat {CLIENTS} clients");
    println!(
        "  floor      {floor:>7.1} x {writes} bare writes/s   orders {:>5.0} % of it (goal >= 60 %)",
        100.0 * rate / floor
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
