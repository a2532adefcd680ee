//! `comptoir gateway`: what the gateway answers to, and how it reads one request. Both need the contracts alone, and with
//! `--reflect` a server that tells its own.

mod explain;
mod routes;

use ::gateway::{self as gateway, DefaultAccess, reflected};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use rpc::tls::Roots;
use std::{borrow::Cow, path::PathBuf};
use transcode::Router;

/// Options of `comptoir gateway`.
#[derive(Debug, Args)]
pub struct Options {
    /// Use this descriptor set (`buf build -o FILE`, `protoc --include_imports -o FILE`) instead of Comptoir's contracts
    #[arg(long, value_name = "FILE", global = true)]
    pub descriptors: Option<PathBuf>,
    /// Ask this server's gRPC reflection instead
    #[arg(long, value_name = "URI", global = true, conflicts_with = "descriptors")]
    pub reflect: Option<String>,
    /// Authorities that sign for a server at https://, beside those of the web, PEM, as the gateway's setting of that name
    #[arg(long, value_name = "FILE", global = true, requires = "reflect")]
    pub upstream_ca: Option<PathBuf>,
    /// Who may call an RPC whose contract does not say it, as the gateway's setting of that name
    #[arg(long, value_name = "WHO", default_value = "none", global = true)]
    pub default_access: DefaultAccess,
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

pub async fn run(options: Options) -> anyhow::Result<()> {
    let router = router(&options).await?;
    match options.command {
        Command::Routes { json } => routes::run(&router, json),
        Command::Explain(options) => explain::run(&router, &options),
    }
}

async fn router(options: &Options) -> anyhow::Result<Router> {
    let (encoded, name) = match (&options.descriptors, &options.reflect) {
        (Some(path), _) => {
            let encoded = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            (Cow::Owned(encoded), path.display().to_string())
        }
        (None, Some(uri)) => {
            let roots = options.upstream_ca.as_deref().map(Roots::read).transpose()?.unwrap_or_default();
            let told = reflected(uri, &roots).await.with_context(|| format!("cannot ask {uri}"))?;
            (Cow::Owned(told), uri.clone())
        }
        (None, None) => (Cow::Borrowed(contracts::DESCRIPTORS), "the contracts".to_owned()),
    };
    gateway::router(&encoded, &options.default_access.0).with_context(|| format!("cannot serve {name}"))
}
