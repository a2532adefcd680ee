//! Writes all products into a file.

use super::{
    connect::{PRODUCTS, client},
    file::{Form, Format},
    record::{Reader, cells, titles},
};
use crate::events::connect::{System, explain};
use anyhow::Context;
use clap::Args;
use contracts::products::v1::{ListProductsRequest, Product};
use indicatif::ProgressBar;
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
    time::Duration,
};

/// Products of a page.
const PAGE: i32 = 200;

/// Options of `comptoir products export`.
#[derive(Debug, Args)]
pub struct Options {
    /// The file, .csv or .ndjson; standard output when not set
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    #[command(flatten)]
    pub form: Form,
}

enum Output<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Ndjson(W, Reader),
}

/// Exports all products, the newest first. A file is there as a whole or not at all.
pub async fn run(system: &System, options: Options) -> anyhow::Result<()> {
    let format = options.form.of(options.file.as_deref())?;
    let Some(file) = options.file else {
        return all(system, Output::new(io::stdout().lock(), format, options.form.delimiter)?).await.map(drop);
    };
    let unfinished = PathBuf::from([file.as_os_str(), OsStr::new(".part")].into_iter().collect::<OsString>());
    let name = unfinished.display().to_string();
    let part = File::create(&unfinished).with_context(|| format!("create {name}"))?;
    let written = all(system, Output::new(BufWriter::new(part), format, options.form.delimiter)?).await?;
    written.into_inner()?.sync_all().with_context(|| format!("write {name}"))?;
    std::fs::rename(&unfinished, &file).with_context(|| format!("rename {name}"))
}

async fn all<W: Write>(system: &System, mut output: Output<W>) -> anyhow::Result<W> {
    let mut client = client(system).await?;
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(100));
    let (mut count, mut page_token) = (0, String::new());
    loop {
        let request = ListProductsRequest { page_size: PAGE, page_token };
        let page = client.list_products(request).await.map_err(|status| explain(PRODUCTS, &status))?.into_inner();
        for product in &page.products {
            output.product(product)?;
            count += 1;
        }
        bar.set_message(format!("{count} products"));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            bar.finish_and_clear();
            return output.end();
        }
    }
}

impl<W: Write> Output<W> {
    fn new(output: W, format: Format, delimiter: u8) -> anyhow::Result<Self> {
        match format {
            Format::Ndjson => Ok(Self::Ndjson(output, Reader::new()?)),
            Format::Csv => {
                let mut csv = csv::WriterBuilder::new().delimiter(delimiter).from_writer(output);
                csv.write_record(titles())?;
                Ok(Self::Csv(Box::new(csv)))
            }
        }
    }

    fn product(&mut self, product: &Product) -> anyhow::Result<()> {
        match self {
            Self::Csv(csv) => Ok(csv.write_record(cells(product)?)?),
            Self::Ndjson(output, reader) => {
                serde_json::to_writer(&mut *output, &reader.shown(product)?)?;
                Ok(output.write_all(b"\n")?)
            }
        }
    }

    fn end(self) -> anyhow::Result<W> {
        match self {
            Self::Csv(csv) => csv.into_inner().map_err(|error| error.into_error().into()),
            Self::Ndjson(mut output, _) => {
                output.flush()?;
                Ok(output)
            }
        }
    }
}
