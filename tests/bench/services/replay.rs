//! All events through analytics and audit, from the beginning of the logs, beside a bare driver that takes the same messages from
//! the broker and does the reads and writes of each batch.

use crate::{
    Sizes, table,
    usage::{Usage, Used},
};
use anyhow::{Context, ensure};
use async_nats::jetstream::{self, consumer::pull, stream::Stream};
use bson::{Document, doc};
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use kit::{Client, Stack, eventually, shop};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use store::Database;

/// Clients that place the orders.
const CLIENTS: usize = 32;

/// Events that the bare driver takes: enough to tell its rate.
const BARE_EVENTS: usize = 20_000;

/// Events of a batch, as the services have it at most.
const AUDIT_BATCH: usize = 256;
const ANALYTICS_BATCH: usize = 512;

/// About as long as an entry and a fact.
const ENTRY_BYTES: usize = 300;
const FACT_BYTES: usize = 500;

/// How long a consumer may take.
const LIMIT: Duration = Duration::from_secs(600);

pub async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<()> {
    place(stack, sizes.placed).await;
    let columns = ["", "events", "seconds", "events/s", "durable commands for 100 events", "CPU ms for 100 events"];
    let title =
        format!("Events from the beginning of the logs, {} orders and all else that has happened", sizes.placed);
    table::head(&title, &columns);
    let database = store::connect(&stack.state().mongodb_uri, "bench_replay", "bench-services").await?;
    consumed(stack, "analytics").await?;
    bare(stack, "analytics", ANALYTICS_BATCH, async |ids| facts(&database, ids).await).await?;
    consumed(stack, "audit").await?;
    bare(stack, "audit", AUDIT_BATCH, async |ids| entries(&database, ids).await).await
}

/// Orders that are CONFIRMED.
async fn place(stack: &Stack, count: usize) {
    let (customer, product) = (Client::customer(stack).await, shop::product(stack, 1_000_000).await);
    let begun = AtomicUsize::new(0);
    let one = |_| async {
        while begun.fetch_add(1, Ordering::Relaxed) < count {
            let body = shop::draft(&[(&product, 1)], "tok_visa");
            customer.post("/v1/orders?wait=20s", body).await.expect(201);
        }
    };
    futures::future::join_all((0..CLIENTS).map(one)).await;
}

async fn streams(stack: &Stack, service: &str) -> anyhow::Result<Vec<Stream>> {
    let jetstream = jetstream::new(stack.nats().await);
    let sources = topology::Topology::get().service[service].consumes.iter();
    Ok(try_join_all(sources.map(|source| jetstream.get_stream(topology::stream(source)))).await?)
}

/// What the durable consumers of a service have before them.
async fn waiting(streams: &[Stream], service: &str) -> anyhow::Result<usize> {
    let mut waiting = 0;
    for stream in streams {
        let info = stream.consumer_info(service).await?;
        waiting += usize::try_from(info.num_pending)? + info.num_ack_pending;
    }
    Ok(waiting)
}

/// Starts a service, and waits until it has applied all.
async fn consumed(stack: &Stack, service: &'static str) -> anyhow::Result<()> {
    let streams = streams(stack, service).await?;
    // What the last orders tell is on its way still.
    eventually(LIMIT, || async {
        let before = waiting(&streams, service).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        ensure!(waiting(&streams, service).await? == before, "events still come");
        Ok(())
    })
    .await;
    let events = waiting(&streams, service).await?;
    let process = stack.serve(service);
    let mut pids = stack.state().pids.clone();
    pids.insert(service.to_owned(), process.pid());
    eventually(LIMIT, || async {
        ensure!(waiting(&streams, service).await? < events, "it has not begun");
        Ok(())
    })
    .await;
    let (before, began) = (Usage::of(stack, &pids).await?, Instant::now());
    let left = waiting(&streams, service).await?;
    eventually(LIMIT, || async {
        ensure!(waiting(&streams, service).await? == 0, "events wait");
        Ok(())
    })
    .await;
    let seconds = began.elapsed().as_secs_f64();
    let used = Usage::of(stack, &pids).await?.since(&before, left / 100);
    row(service, left, seconds, &used);
    process.stop(Duration::from_secs(30)).await
}

fn row(name: &str, events: usize, seconds: f64, used: &Used) {
    let (rate, writes) = (events as f64 / seconds, used.writes);
    let (events, seconds, rate) = (events.to_string(), format!("{seconds:.1}"), format!("{rate:.0}"));
    table::row(&[name.to_owned(), events, seconds, rate, format!("{writes:.1}"), used.cpu.to_string()]);
}

/// Takes the messages of the streams in batches, and acknowledges them after their write. `write` gets the identifier of the
/// aggregate and of the event of each.
async fn bare(
    stack: &Stack,
    service: &str,
    batch: usize,
    write: impl AsyncFn(Vec<(String, String)>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut pids = stack.state().pids.clone();
    pids.insert("driver".to_owned(), std::process::id());
    let (before, began) = (Usage::of(stack, &pids).await?, Instant::now());
    let mut sources = Vec::new();
    for stream in streams(stack, service).await? {
        let there = usize::try_from(stream.get_info().await?.state.messages)?;
        let config = pull::Config { max_ack_pending: 4_096, ..Default::default() };
        sources.push(stream.create_consumer(config).await?.messages().await?.take(there).boxed());
    }
    let mut batches = stream::select_all(sources).take(BARE_EVENTS).ready_chunks(batch);
    let mut events = 0;
    while let Some(messages) = batches.next().await {
        let messages: Vec<_> = messages.into_iter().collect::<Result<_, _>>()?;
        let header = |message: &jetstream::Message, name: &str| {
            let value = message.headers.as_ref().and_then(|headers| headers.get(name));
            value.map(|value| value.as_str().to_owned()).context("an event has its headers")
        };
        let ids = messages.iter().map(|one| Ok((header(one, "ce-partitionkey")?, header(one, "ce-id")?)));
        write(ids.collect::<anyhow::Result<_>>()?).await?;
        for message in &messages {
            message.ack().await.map_err(|error| anyhow::anyhow!("{error}"))?;
        }
        events += messages.len();
    }
    let seconds = began.elapsed().as_secs_f64();
    let used = Usage::of(stack, &pids).await?.since(&before, events / 100);
    row(&format!("bare driver of {service}"), events, seconds, &used);
    Ok(())
}

/// Reads the facts of a batch and writes them with one command.
async fn facts(database: &Database, ids: Vec<(String, String)>) -> anyhow::Result<()> {
    let (facts, orders) = (database.collection::<Document>("facts"), ids.iter().map(|(order, _)| order));
    let orders: BTreeSet<&String> = orders.collect();
    try_join_all(orders.iter().map(|order| async { facts.find_one(doc! { "_id": *order }).await })).await?;
    let fact = "x".repeat(FACT_BYTES);
    let update = |order: &&String| doc! { "q": { "_id": *order }, "u": { "$set": { "fact": &fact } }, "upsert": true };
    let updates: Vec<Document> = orders.iter().map(update).collect();
    let command = doc! {
        "update": "facts", "updates": updates, "ordered": false, "writeConcern": { "w": "majority", "j": true },
    };
    database.run_command(command).await?;
    Ok(())
}

/// Looks for the entries of a batch and the anchor, and writes entries, day and anchor in one transaction.
async fn entries(database: &Database, ids: Vec<(String, String)>) -> anyhow::Result<()> {
    let (entries, heads) = (database.collection::<Document>("entries"), database.collection::<Document>("heads"));
    let events: Vec<&String> = ids.iter().map(|(_, event)| event).collect();
    let found: Vec<Document> = entries.find(doc! { "_id": { "$in": events } }).await?.try_collect().await?;
    ensure!(found.is_empty(), "they are there already");
    heads.find_one(doc! { "_id": "anchor" }).await?;
    let text = "x".repeat(ENTRY_BYTES);
    let entry = |(aggregate, event): &(String, String)| doc! { "_id": event, "aggregate_id": aggregate, "text": &text };
    let mut session = database.client().start_session().await?;
    session.start_transaction().await?;
    entries.insert_many(ids.iter().map(entry)).session(&mut session).await?;
    for head in ["day", "anchor"] {
        let count = doc! { "$inc": { "count": i64::try_from(ids.len())? } };
        heads.update_one(doc! { "_id": head }, count).upsert(true).session(&mut session).await?;
    }
    Ok(session.commit_transaction().await?)
}
