//! `comptoir docs`: the documents about events, generated from the contracts and the topology. `make docs` writes them
//! to docs/, and a test compares what is committed with what these functions return.

mod asyncapi;
mod catalogue;
mod markdown;
mod proto_text;

pub use catalogue::{Catalogue, Event, Field, HEADERS, Header, Publisher, fields};
pub use proto_text::proto_text;

use std::{io::Write as _, path::PathBuf};

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
}

/// Writes the document that was asked for.
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
    let catalogue = Catalogue::of_this_build()?;
    match document {
        Kind::Events => Ok(markdown::render(&catalogue)),
        Kind::Asyncapi => asyncapi::render(&catalogue),
    }
}
