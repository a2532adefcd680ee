//! `comptoir verify`: whether a running system is what it promises to be. Reads only.
//!
//! Every page of documents is read in one snapshot of the whole replica set, so that what several services say is
//! compared as it was at one moment. What looks wrong all the same is a suspect: an event may be on its way, a call may be
//! between its two ends. A suspect is looked at again until it is gone, has stayed the same for long, or the patience ends.

mod audit;
mod availability;
mod baskets;
mod cluster;
mod coupons;
mod deliveries;
mod emails;
mod erasures;
mod facts;
mod groups;
mod history;
mod invariant;
mod ledgers;
mod money;
mod orders;
mod read_model;
mod report;
mod reservations;
mod sequences;
mod shipments;
mod snapshot;
mod stock;
mod streams;
mod suspects;
mod violation;

use crate::Environment;
use anyhow::bail;
use clap::Args;
use cluster::{Cluster, Target};
use invariant::Invariant;
use std::time::Duration;
use suspects::Patience;

/// Options of `comptoir verify`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which system.
    #[command(flatten)]
    pub target: Target,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
    /// Check only these invariants, by name as the table shows them
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<Invariant>,
    /// A suspect that stays the same for so long is a violation; an event that was not acknowledged is delivered again
    /// after 10 s
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub settle: u64,
    /// A suspect that keeps changing is a violation after so long
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub patience: u64,
}

/// Checks; an error when something does not hold.
pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let cluster = Cluster::open(&options.target, environment).await?;
    let chosen = if options.only.is_empty() { Invariant::ALL.to_vec() } else { options.only };
    let seconds = Duration::from_secs;
    let patience = Patience { settle: seconds(options.settle), longest: seconds(options.patience) };
    let mut rows = Vec::new();
    for invariant in chosen {
        rows.push(suspects::check(&cluster, invariant, patience).await?);
    }
    let text = if options.json { report::json(&rows)? } else { report::table(&rows) };
    crate::events::table::print(&text)?;
    match rows.iter().map(|row| row.violations.len()).sum::<usize>() {
        0 => Ok(()),
        1 => bail!("1 violation"),
        count => bail!("{count} violations"),
    }
}
