//! `make bench-services`: search, sign-in, lists of order-history, import, and replays into analytics and audit, each beside a bare
//! driver that does the same reads and writes on the same stores in the same run. What it prints are tables of Markdown.
//!
//! PRODUCTS and ORDERS (100,000) are the sizes of the catalogue and of the history, PLACED (4,000) the orders whose events are read
//! again, SECONDS (10) the length of a load.

#[path = "services/catalogue.rs"]
mod catalogue;
#[path = "services/history.rs"]
mod history;
#[path = "services/import.rs"]
mod import;
#[path = "services/reads.rs"]
mod reads;
#[path = "services/replay.rs"]
mod replay;
#[path = "services/sign_in.rs"]
mod sign_in;
#[path = "services/table.rs"]
mod table;
#[path = "orders/usage.rs"]
mod usage;

use clap::{Parser, ValueEnum};
use kit::{Stack, StackOptions};
use std::time::Duration;

/// Services in processes of their own: one whose memory is told, and two that read the logs from their beginning.
const APART: [&str; 3] = ["users", "analytics", "audit"];

/// Search, sign-in, order-history, import, analytics and audit beside a bare driver.
#[derive(Parser)]
#[command(name = "bench-services")]
struct Arguments {
    /// What is measured; all of it when nothing is named
    #[arg(value_enum)]
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Import of a catalogue, and searches in it
    Products,
    /// Passwords of 64 clients at once
    SignIns,
    /// Lists of many orders
    History,
    /// Events through analytics and audit, from the beginning of the logs
    Replays,
}

/// How much of everything.
pub struct Sizes {
    pub products: usize,
    pub orders: usize,
    pub placed: usize,
    pub time: Duration,
}

impl Sizes {
    fn of_environment() -> anyhow::Result<Self> {
        let number = |name: &str, default: usize| match std::env::var(name) {
            Ok(text) => text.parse().map_err(|_| anyhow::anyhow!("{name} is {text:?} and must be a number")),
            Err(_) => Ok(default),
        };
        let seconds = u64::try_from(number("SECONDS", 10)?)?;
        let (products, orders, placed) =
            (number("PRODUCTS", 100_000)?, number("ORDERS", 100_000)?, number("PLACED", 4_000)?);
        Ok(Self { products, orders, placed, time: Duration::from_secs(seconds) })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let (Arguments { parts }, sizes) = (Arguments::parse(), Sizes::of_environment()?);
    let chosen = |part| parts.is_empty() || parts.contains(&part);
    let mut stack = Stack::start(StackOptions::default()).await;
    stack.stop().await;
    // What is read from the beginning of the logs waits for its consumers from here on.
    stack.restart_with(kit::all_but(&APART)).await;
    let users = stack.serve_ready("users").await;
    if chosen(Part::Products) {
        import::measure(&stack, &sizes).await?;
        catalogue::measure(&stack, &sizes).await?;
    }
    if chosen(Part::SignIns) {
        sign_in::measure(&stack, &users, &sizes).await?;
    }
    if chosen(Part::Replays) {
        replay::measure(&stack, &sizes).await?;
    }
    if chosen(Part::History) {
        history::measure(&stack, &sizes).await?;
    }
    users.stop(Duration::from_secs(30)).await?;
    stack.stop().await;
    Ok(())
}
