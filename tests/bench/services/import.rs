//! `comptoir products import` of a whole catalogue, and a bare driver that writes what products has stored of it.

use crate::{
    Sizes,
    catalogue::product,
    table,
    usage::{Usage, Used},
};
use anyhow::{Context, ensure};
use bson::{Document, doc};
use futures::{StreamExt, TryStreamExt, stream};
use kit::Stack;
use mongodb::IndexModel;
use std::{
    io::{BufWriter, Write},
    path::Path,
    time::Instant,
};

/// Rows that the bare driver writes: enough to tell its rate.
const BARE_ROWS: usize = 10_000;

/// As `import` has it: lines of a look-up, and writes that are under way at once.
const BATCH: usize = 100;
const AT_ONCE: usize = 16;

/// As long as the event of a new product in the log.
const EVENT_BYTES: usize = 400;

/// Imports the catalogue, which is searched afterwards.
pub async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<()> {
    let directory = kit::Directory::new();
    let file = directory.0.join("catalogue.csv");
    write(&file, sizes.products)?;
    table::head(
        &format!("Import of {} products by `comptoir products import`", sizes.products),
        &["", "rows", "seconds", "rows/s", "durable commands a row", "messages a row", "CPU ms a row"],
    );
    let mut pids = stack.state().pids.clone();
    let before = Usage::of(stack, &pids).await?;
    let began = Instant::now();
    let mut import = tokio::process::Command::new(kit::binary());
    import.args(["products", "import", "--data"]).arg(stack.data()).arg(&file).arg("--json").kill_on_drop(true);
    let output = import.output().await.context("run comptoir")?;
    let seconds = began.elapsed().as_secs_f64();
    ensure!(output.status.success(), "the import has failed: {}", String::from_utf8_lossy(&output.stderr));
    let used = Usage::of(stack, &pids).await?.since(&before, sizes.products);
    row("import", sizes.products, seconds, &used);
    let rows = sizes.products.min(BARE_ROWS);
    pids.insert("driver".to_owned(), std::process::id());
    let (before, began) = (Usage::of(stack, &pids).await?, Instant::now());
    let copying = bare(stack, rows).await?;
    let used = Usage::of(stack, &pids).await?.since(&before, rows);
    row("bare driver", rows, (began.elapsed() - copying).as_secs_f64(), &used);
    Ok(())
}

fn row(name: &str, rows: usize, seconds: f64, used: &Used) {
    let (rate, cells) = (rows as f64 / seconds, [used.writes, used.messages].map(|count| format!("{count:.2}")));
    let [writes, messages] = cells;
    let (rows, seconds, rate) = (rows.to_string(), format!("{seconds:.1}"), format!("{rate:.0}"));
    table::row(&[name.to_owned(), rows, seconds, rate, writes, messages, used.cpu.to_string()]);
}

fn write(file: &Path, products: usize) -> anyhow::Result<()> {
    let mut file = BufWriter::new(std::fs::File::create(file)?);
    writeln!(file, "sku,name,description,price,currency")?;
    for number in 0..products {
        let (name, description, cents) = product(number);
        writeln!(file, "BENCH-{number:06},{name},{description},{}.{:02},EUR", cents / 100, cents % 100)?;
    }
    Ok(file.flush()?)
}

/// Looks a hundred SKUs up, inserts their documents under the indexes of products, and moves their events to a log. Returns how long
/// it took to read the documents beforehand.
async fn bare(stack: &Stack, rows: usize) -> anyhow::Result<std::time::Duration> {
    let began = Instant::now();
    let stored = stack.db("products").collection::<Document>("products");
    let limit = i64::try_from(rows)?;
    let documents: Vec<Document> =
        stored.find(doc! { "sku": { "$gte": "BENCH-" } }).limit(limit).await?.try_collect().await?;
    let indexes: Vec<IndexModel> = stored.list_indexes().await?.try_collect().await?;
    let database = store::connect(&stack.state().mongodb_uri, "bench_products", "bench-services").await?;
    let (products, log) = (database.collection::<Document>("products"), database.collection::<Document>("events"));
    products
        .create_indexes(indexes.into_iter().filter(|index| !index.keys.contains_key("_id") || index.keys.len() > 1))
        .await?;
    let copying = began.elapsed();
    let event = "x".repeat(EVENT_BYTES);
    for (number, batch) in documents.chunks(BATCH).enumerate() {
        let keys: Vec<_> = batch.iter().filter_map(|product| product.get("sku_key").cloned()).collect();
        let ids: Vec<_> = batch.iter().filter_map(|product| product.get("_id").cloned()).collect();
        let found: Vec<Document> = products.find(doc! { "sku_key": { "$in": keys } }).await?.try_collect().await?;
        ensure!(found.is_empty(), "it is there already");
        let inserts = batch.iter().map(|product| {
            let mut product = product.clone();
            product.insert("outbox", vec![event.as_str()]);
            let products = &products;
            async move { products.insert_one(product).await }
        });
        let inserted: Vec<_> = stream::iter(inserts).buffer_unordered(AT_ONCE).try_collect().await?;
        let entries = vec![event.as_str(); inserted.len()];
        log.insert_one(doc! { "_id": i64::try_from(number)?, "entries": entries }).await?;
        products.update_many(doc! { "_id": { "$in": ids } }, doc! { "$set": { "outbox": [] } }).await?;
    }
    Ok(copying)
}
