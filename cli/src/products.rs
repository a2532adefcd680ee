//! `comptoir products`: a catalogue from a file, and into one.
//!
//! Every command is a call of `comptoir.products.v1.ProductService`, so it works on this machine and on a cluster alike. A product
//! is known by its SKU: a line makes one, changes it, or finds it as the line says. So an import that was cut off is begun again.

mod connect;
mod export;
mod file;
mod import;
mod record;

use crate::{
    Environment,
    events::connect::{System, Target},
};
use clap::{Args, Subcommand};

/// Options of `comptoir products`.
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
    /// Create and change products as the lines of a file say
    ///
    /// A line is a product, known by its sku. In a CSV file the first line names the columns: sku, name, description, price and
    /// currency (12.50 and EUR), status, tax_category, weight_grams, category_ids (divided by spaces), media (on each line of the
    /// cell a URL, a space and the text for those who do not see it), other_prices (in other currencies: 13.90 USD; 1500 JPY),
    /// group_id, options (on each line of the cell a name, = and the value). What has no column stays as it is; an empty cell
    /// empties its field, but for name, price and status. In an NDJSON file a line is a product as the API shows it; what it does not
    /// mention stays as it is.
    ///
    /// A line that is refused is told on standard error, and the others are imported; the command then ends with 1. After an
    /// interruption run it again: what is as its line says is left alone.
    Import(import::Options),
    /// Write all products into a file that `import` reads, drafts and archived ones too
    Export(export::Options),
}

/// Imports or exports.
pub async fn run(options: Options, environment: &Environment) -> anyhow::Result<()> {
    let system = System::open(&options.target, environment)?;
    match options.command {
        Command::Import(options) => import::run(&system, options).await,
        Command::Export(options) => export::run(&system, options).await,
    }
}
