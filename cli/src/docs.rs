//! `comptoir docs`: the documents that are generated from the contracts and the topology. `make docs` writes them, and a
//! test compares what is committed with what these functions return.

mod asyncapi;
mod catalogue;
mod chart;
mod markdown;
mod proto_text;
mod telemetry_table;

pub use catalogue::{Catalogue, Event, Field, HEADERS, Header, Publisher, fields};
pub use proto_text::proto_text;

use prost_reflect::DescriptorPool;
use std::{io::Write as _, path::PathBuf};
use topology::Topology;

/// Options of `comptoir docs`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which document
    #[arg(value_enum)]
    pub document: Kind,
    /// File to write; standard output when absent
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// docs/EVENTS.md: every event, for people
    Events,
    /// docs/asyncapi.json: every event, for programs (AsyncAPI 3.0.0)
    Asyncapi,
    /// docs/openapi.json: what the gateway serves, for programs (OpenAPI 3.1)
    Openapi,
    /// docs/TELEMETRY.md: what is measured, for operators
    Telemetry,
    /// helm/comptoir/topology.yaml: the topology and the call graph, for the templates of the chart
    Chart,
}

pub fn run(options: Options) -> anyhow::Result<()> {
    let text = generate(options.document)?;
    match options.output {
        Some(path) => std::fs::write(path, text)?,
        None => std::io::stdout().write_all(text.as_bytes())?,
    }
    Ok(())
}

/// The text of a document, from the contracts and the topology of this build.
pub fn generate(document: Kind) -> anyhow::Result<String> {
    match document {
        Kind::Events => Ok(markdown::render(&Catalogue::of_this_build()?)),
        Kind::Asyncapi => asyncapi::render(&Catalogue::of_this_build()?),
        Kind::Openapi => Ok(serde_json::to_string_pretty(&gateway::openapi(gateway::JsonOptions::default())?)? + "\n"),
        Kind::Telemetry => Ok(telemetry_table::render(telemetry::metrics::ALL)),
        Kind::Chart => chart::render(&DescriptorPool::decode(contracts::DESCRIPTORS)?, Topology::get()),
    }
}
