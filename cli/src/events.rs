//! `comptoir events`: see what is published, how far everyone is, what could not be applied; and move it.
//!
//! Every command is a call of `comptoir.events.v1.EventService`, so it works on this machine and on a cluster alike.

pub(crate) mod connect;
pub(crate) mod json;
mod lag;
mod letters;
pub mod merge;
mod operate;
pub(crate) mod since;
mod subject;
pub(crate) mod table;
mod tail;

pub use subject::Pattern;

use crate::Environment;
use clap::{Args, Subcommand};
use connect::{System, Target};
use since::Since;

/// Options of `comptoir events`.
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
    /// Print events as they are published, one JSON object per line; Ctrl-C ends it
    ///
    /// Each line has the CloudEvents attributes and the data, decoded. `natssubject` is the subject,
    /// evt.SERVICE.AGGREGATE.NAME.ID. Events of all services are merged by time. Coloured on a terminal unless NO_COLOR
    /// is set.
    Tail {
        /// Only these subjects: words between dots, `*` for any word, a last `>` for any rest. `evt.orders.>`
        #[arg(long, value_name = "PATTERN", default_value = ">")]
        subject: Pattern,
        /// Begin with events at or after this time (2026-01-31T09:00:00Z), or so long ago (90s, 15m, 2h, 7d); now when
        /// not set
        #[arg(long, value_name = "TIME|DURATION")]
        since: Option<Since>,
        /// Only of these publishers
        #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
        service: Vec<String>,
    },
    /// Show how far relays and consumers are behind
    Lag {
        /// Only of these services
        #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
        service: Vec<String>,
        /// Print JSON instead of tables
        #[arg(long)]
        json: bool,
    },
    /// Events that a service could not apply, those that wait behind them, and messages that are no events
    DeadLetters {
        /// Only those of this consumer; all when not set
        #[arg(long, value_name = "NAME", global = true)]
        service: Option<String>,
        /// Print JSON instead of a table
        #[arg(long, global = true)]
        json: bool,
        /// What to do with them.
        #[command(subcommand)]
        action: letters::Action,
    },
    /// Read a source's events again from a place in its log; what was applied has no further effect
    Replay {
        /// The service that reads
        #[arg(long, value_name = "SERVICE")]
        consumer: String,
        /// The service whose events are read
        #[arg(long, value_name = "SERVICE")]
        source: String,
        /// First place in the log of the source, from 1; `logsequence` of `tail`
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        from: i64,
    },
    /// Build a service's read model anew beside the one in use, and switch to it when it has caught up
    ///
    /// Prints its progress, and at the end the hashes of both models; they differ when the old one was not what its
    /// events say. Ctrl-C before the end leaves the old model in use.
    Rebuild {
        /// The service with the read model, for example order-history
        #[arg(value_name = "SERVICE")]
        service: String,
    },
}

pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let system = System::open(&options.target, environment)?;
    match options.command {
        Command::Tail { subject, since, service } => {
            let output = json::Output::new(environment);
            tail::run(&system, tail::Wanted { subject, since, services: service }, output).await
        }
        Command::Lag { service, json } => lag::run(&system, &service, json).await,
        Command::DeadLetters { service, json, action } => {
            letters::run(&letters::DeadLetters { system: &system, service, json }, action).await
        }
        Command::Replay { consumer, source, from } => operate::replay(&system, &consumer, &source, from).await,
        Command::Rebuild { service } => operate::rebuild(&system, &service).await,
    }
}
