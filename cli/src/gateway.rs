//! `comptoir gateway`: what the gateway answers to, and how it reads one request. Both need the contracts alone, no running
//! system.

mod explain;
mod routes;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use transcode::Router;

/// Options of `comptoir gateway`.
#[derive(Debug, Args)]
pub struct Options {
    /// Use this descriptor set (`buf build -o FILE`, `protoc --include_imports -o FILE`) instead of Comptoir's contracts
    #[arg(long, value_name = "FILE", global = true)]
    pub descriptors: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show all methods and paths, the RPCs behind them, and who may call
    ///
    /// Below the table stand the paths that two templates fit, and which of them answers.
    Routes {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show which RPC a request reaches and where each of its fields comes from, or why it is refused
    ///
    /// Nothing is sent. Ends with 1 when the request would be refused.
    Explain(explain::Options),
}

pub fn run(options: Options) -> anyhow::Result<()> {
    let router = match &options.descriptors {
        None => Router::from_descriptors(contracts::DESCRIPTORS)?,
        Some(path) => {
            let encoded = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Router::from_descriptors(&encoded).with_context(|| format!("cannot serve {}", path.display()))?
        }
    };
    match options.command {
        Command::Routes { json } => routes::run(&router, json),
        Command::Explain(options) => explain::run(&router, &options),
    }
}
