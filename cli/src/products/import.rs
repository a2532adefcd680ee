//! Brings the products of a file into the catalogue, a hundred lines at a time.

use super::{
    connect::{Client, PRODUCTS, client},
    file::{Form, Line, Lines},
    record::Record,
};
use crate::events::{
    connect::{System, explain},
    table::{Table, print},
};
use ::rpc::status::reason;
use anyhow::{Context, bail};
use clap::Args;
use contracts::{
    products::v1::{CreateProductRequest, LookupProductsRequest, Product, UpdateProductRequest},
    text,
};
use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};
use prost_types::FieldMask;
use serde::Serialize;
use std::{collections::HashMap, fs::File, path::PathBuf, time::Duration};
use tonic::{Code, Response, Status};

/// Lines that are looked up with one call: as many SKUs as that call takes.
const BATCH: usize = 100;

/// Writes that are under way at once.
const AT_ONCE: usize = 16;

/// How often a call is repeated that could not be made now; the pause doubles from a tenth of a second.
const REPEATS: u32 = 8;

/// Refused lines that are kept for the report of `--json`; each is told on standard error too.
const MOST_ERRORS: usize = 1_000;

/// Options of `comptoir products import`.
#[derive(Debug, Args)]
pub struct Options {
    /// The file, .csv or .ndjson
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub form: Form,
    /// Tell what would be done, and write nothing. What products alone knows, such as whether a category exists, is not looked at
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// What became of a line.
enum Outcome {
    Created,
    Updated,
    Unchanged,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    dry_run: bool,
    created: u64,
    updated: u64,
    unchanged: u64,
    failed: u64,
    errors: Vec<Refusal>,
}

#[derive(Debug, Serialize)]
struct Refusal {
    line: u64,
    sku: String,
    message: String,
}

struct Import {
    client: Client,
    report: Report,
    /// The line of each product, by its identifier or the key of its SKU: a file that says two things of one is at fault.
    known: HashMap<String, u64>,
    bar: ProgressBar,
    name: String,
}

/// Imports the file; an error when a line was refused.
pub async fn run(system: &System, options: Options) -> anyhow::Result<()> {
    let Options { file, form, dry_run, json } = options;
    let (format, name) = (form.of(Some(&file))?, file.display().to_string());
    let input = File::open(&file).with_context(|| format!("open {name}"))?;
    let bar = ProgressBar::new(input.metadata().with_context(|| format!("look at {name}"))?.len());
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {bytes}/{total_bytes}  {msg}  {elapsed_precise}, {eta} to go",
    )?);
    let mut lines = Lines::new(bar.wrap_read(input), format, form.delimiter)?;
    let client = client(system).await?;
    let report = Report { dry_run, ..Report::default() };
    let mut import = Import { client, report, known: HashMap::new(), bar, name };
    let imported = import.all(&mut lines).await;
    import.bar.finish_and_clear();
    let Import { report, .. } = import;
    print(&if json { serde_json::to_string_pretty(&report)? + "\n" } else { report.table() })?;
    imported?;
    match report.failed {
        0 => Ok(()),
        1 => bail!("1 line was refused"),
        count => bail!("{count} lines were refused"),
    }
}

impl Import {
    async fn all(&mut self, lines: &mut Lines<impl std::io::Read>) -> anyhow::Result<()> {
        loop {
            let some = lines.some(BATCH)?;
            if some.is_empty() {
                return Ok(());
            }
            self.batch(some).await?;
            let Report { created, updated, unchanged, failed, .. } = &self.report;
            self.bar
                .set_message(format!("{created} created, {updated} updated, {unchanged} unchanged, {failed} refused"));
        }
    }

    async fn batch(&mut self, lines: Vec<Line>) -> anyhow::Result<()> {
        let (mut records, mut refused) = (Vec::new(), Vec::new());
        for Line { number: line, record } in lines {
            match record {
                Err(message) => refused.push(Refusal { line, sku: String::new(), message }),
                Ok(record) => records.push((line, record)),
            }
        }
        let found = self.found(&records).await?;
        let mut single = Vec::new();
        for (line, record) in records {
            let product = found.of(&record.product.sku);
            match self.claim(line, &record.product.sku, product) {
                Some(before) => {
                    let message = format!("line {before} has this SKU, too");
                    refused.push(Refusal { line, sku: record.product.sku, message });
                }
                None => single.push((line, record, product)),
            }
        }
        let (client, dry_run) = (&self.client, self.report.dry_run);
        let work = single.into_iter().map(|(line, record, product)| async move {
            (line, record.product.sku.clone(), apply(client, record, product, dry_run).await)
        });
        let outcomes: Vec<_> = stream::iter(work).buffered(AT_ONCE).collect().await;
        for (line, sku, outcome) in outcomes {
            match outcome.with_context(|| format!("line {line}"))? {
                Ok(Outcome::Created) => self.report.created += 1,
                Ok(Outcome::Updated) => self.report.updated += 1,
                Ok(Outcome::Unchanged) => self.report.unchanged += 1,
                Err(message) => refused.push(Refusal { line, sku, message }),
            }
        }
        refused.sort_by_key(|refusal| refusal.line);
        refused.into_iter().for_each(|refusal| self.refused(refusal));
        Ok(())
    }

    /// The line before that is about the same product, if there is one.
    fn claim(&mut self, line: u64, sku: &str, found: Option<&Product>) -> Option<u64> {
        let key = text::sku_key(sku);
        match found {
            // Of two products that are older than keys, each has its line; one that a line of this file has made has it by its key.
            Some(product) if !self.known.contains_key(&key) => self.known.insert(product.product_id.clone(), line),
            _ => self.known.insert(key, line),
        }
    }

    /// The products that there are.
    async fn found(&self, records: &[(u64, Record)]) -> anyhow::Result<Found> {
        if records.is_empty() {
            return Ok(Found::default());
        }
        let skus: Vec<String> = records.iter().map(|(_, record)| record.product.sku.clone()).collect();
        let ask = || {
            let (mut client, skus) = (self.client.clone(), skus.clone());
            async move { client.lookup_products(LookupProductsRequest { skus }).await }
        };
        Ok(Found(repeated(ask).await?.map_err(|status| explain(PRODUCTS, &status))?.products))
    }

    fn refused(&mut self, refusal: Refusal) {
        let Refusal { line, sku, message } = &refusal;
        let of = if sku.is_empty() { String::new() } else { format!("{sku:?}: ") };
        self.bar.suspend(|| eprintln!("{}:{line}: {of}{message}", self.name));
        self.report.failed += 1;
        if self.report.errors.len() < MOST_ERRORS {
            self.report.errors.push(refusal);
        }
    }
}

/// The products of some lines.
#[derive(Default)]
struct Found(Vec<Product>);

impl Found {
    /// The product with this SKU, or else with another spelling of it.
    fn of(&self, sku: &str) -> Option<&Product> {
        let (key, all) = (text::sku_key(sku), || self.0.iter());
        all().find(|product| product.sku == sku).or_else(|| all().find(|product| text::sku_key(&product.sku) == key))
    }
}

impl Report {
    fn table(&self) -> String {
        let mut table = Table::new(&[" CREATED", " UPDATED", " UNCHANGED", " REFUSED"]);
        table.row([self.created, self.updated, self.unchanged, self.failed].map(|count| count.to_string()).to_vec());
        let note = if self.dry_run { "nothing was written: it was a dry run\n" } else { "" };
        table.text() + note
    }
}

/// Makes the product of a line, or changes the one that was found; why the line was refused. An error when nothing can go on.
async fn apply(
    client: &Client,
    record: Record,
    found: Option<&Product>,
    dry_run: bool,
) -> anyhow::Result<Result<Outcome, String>> {
    let request_id = format!("import-{:032x}", rand::random::<u128>());
    let Some(found) = found else {
        let missing = record.missing();
        if !missing.is_empty() {
            return Ok(Err(format!(
                "there is no such product, and for a new one it has no {}",
                missing.join(" and no ")
            )));
        }
        let create = || {
            let request =
                CreateProductRequest { product: Some(record.product.clone()), request_id: request_id.clone() };
            let mut client = client.clone();
            async move { client.create_product(request).await }
        };
        return Ok(match dry_run {
            true => Ok(Outcome::Created),
            false => repeated(create).await?.map(|_| Outcome::Created).map_err(|status| told(&status)),
        });
    };
    let paths = record.differences(found);
    if paths.is_empty() || dry_run {
        return Ok(Ok(if paths.is_empty() { Outcome::Unchanged } else { Outcome::Updated }));
    }
    let Product { product_id, etag, .. } = found.clone();
    let product = Product { product_id, etag, ..record.product };
    let request = UpdateProductRequest { product: Some(product), update_mask: Some(FieldMask { paths }), request_id };
    let update = || {
        let (mut client, request) = (client.clone(), request.clone());
        async move { client.update_product(request).await }
    };
    Ok(match repeated(update).await? {
        // Such as a category that the line names twice.
        Ok(updated) if updated.etag == found.etag => Ok(Outcome::Unchanged),
        Ok(_) => Ok(Outcome::Updated),
        Err(status) => Err(told(&status)),
    })
}

/// Why a line was refused, about its own fields.
fn told(status: &Status) -> String {
    status.message().replace("product.", "")
}

/// The answer to a call, which is repeated while it cannot be made. An error when that lasts, or the token is refused: the other
/// lines would fare alike.
async fn repeated<T, F>(call: impl Fn() -> F) -> anyhow::Result<Result<T, Status>>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut repeats = 0;
    loop {
        match call().await {
            Ok(answer) => return Ok(Ok(answer.into_inner())),
            Err(status) => match status.code() {
                Code::Unauthenticated | Code::PermissionDenied => return Err(explain(PRODUCTS, &status)),
                // Somebody has changed it since it was read; a repeat would not be another one.
                Code::Aborted if reason(&status) == "STALE_ETAG" => return Ok(Err(status)),
                Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Aborted => {
                    if repeats == REPEATS {
                        return Err(explain(PRODUCTS, &status));
                    }
                    tokio::time::sleep(Duration::from_millis(100 << repeats)).await;
                    repeats += 1;
                }
                _ => return Ok(Err(status)),
            },
        }
    }
}
