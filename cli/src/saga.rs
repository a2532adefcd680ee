//! `comptoir saga`: see what moves the orders, and repair it.
//!
//! Every command is a call of `comptoir.orders.v1.SagaService`, so it works on this machine and on a cluster alike.

mod client;
mod filter;
mod intervene;
mod list;
mod show;

use crate::{
    Environment,
    events::connect::{System, Target},
};
use clap::{Args, Subcommand};
use contracts::orders::v1::intervene_in_sagas_request::Action;
use filter::Filter;
use intervene::Intervention;

/// Options of `comptoir saga`.
#[derive(Debug, Args)]
pub struct Options {
    /// Which system.
    #[command(flatten)]
    pub target: Target,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List sagas, those of the newest orders first
    ///
    /// `comptoir saga list --state parked` shows what waits for a person.
    List {
        /// Which.
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show a saga: each step with its attempts, times and last error, and what people did to it
    Show {
        /// The order, ord_…
        #[arg(value_name = "ORDER")]
        order: String,
        /// Print JSON instead of tables
        #[arg(long)]
        json: bool,
    },
    /// Make the call that a saga waits to repeat now
    ///
    /// For a saga whose step fails and pauses. A parked one is resumed.
    Retry(Intervention),
    /// Go on with a parked saga, in the direction in which it was going
    Resume(Intervention),
    /// Turn back a saga that has not passed its pivot: everything that it did is undone
    Compensate(Intervention),
    /// Count the current step as done, or as undone while the saga goes back, without its call
    ///
    /// The step must be parked or failing, and cannot be the pivot. What it would have done in the world will be missing:
    /// do it by hand first, then say so with --acknowledge-effect.
    Skip {
        /// To which, and why.
        #[command(flatten)]
        intervention: Intervention,
        /// I know that the step's effect will be missing, or stay
        #[arg(long)]
        acknowledge_effect: bool,
    },
}

pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let system = System::open(&options.target, environment)?;
    match options.command {
        Command::List { filter, limit, json } => list::run(&system, &filter, limit, json).await,
        Command::Show { order, json } => show::run(&system, &order, json).await,
        Command::Retry(wish) => intervene::run(&system, Action::Retry, &wish, false).await,
        Command::Resume(wish) => intervene::run(&system, Action::Resume, &wish, false).await,
        Command::Compensate(wish) => intervene::run(&system, Action::Compensate, &wish, false).await,
        Command::Skip { intervention, acknowledge_effect } => {
            intervene::run(&system, Action::Skip, &intervention, acknowledge_effect).await
        }
    }
}
