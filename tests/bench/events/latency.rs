//! From the commit of a write to the arrival of its event at a consumer, with writes at fixed times (open loop).

use crate::site::{Item, Site, event, id};
use anyhow::Context;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use futures::StreamExt;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use store::{Change, Versioned};
use tokio::{sync::mpsc, time::MissedTickBehavior};

/// Documents that are written in turn.
const DOCUMENTS: usize = 2_000;

/// Writes before it counts.
const WARM_UP: Duration = Duration::from_secs(3);

type Key = (String, i64);

/// When a write was due, and when it was acknowledged.
struct Written {
    key: Key,
    due: Instant,
    committed: Instant,
}

/// A line of the report.
pub async fn measure(site: &Site, rate: u32, duration: Duration) -> anyhow::Result<String> {
    let items = prepare(site).await?;
    let relay = site.start_relay()?;
    site.items.insert(&id(), Item::of(0), vec![event()]).await?;
    site.wait_published(1, Duration::from_secs(30)).await?;
    let arrivals: Arc<Mutex<HashMap<Key, Instant>>> = Arc::default();
    let consumer = tokio::spawn(consume(site.nats.clone(), topology::stream(&site.name), arrivals.clone()));
    write(site, &items, rate, WARM_UP).await?;
    let before = site.usage(&relay, true);
    let written = write(site, &items, rate, duration).await?;
    let cpu = site.usage(&relay, true).since(&before, written.len());
    let arrived = || written.iter().filter(|each| arrivals.lock().expect("no holder panics").contains_key(&each.key));
    for _ in 0..500 {
        if arrived().count() == written.len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    consumer.abort();
    site.stop_relay(relay).await?;
    let arrivals = arrivals.lock().expect("no holder panics");
    let at = |each: &Written| arrivals.get(&each.key).copied().context("an event did not arrive");
    let mut from_commit = Vec::new();
    let mut from_due = Vec::new();
    for each in &written {
        from_commit.push(at(each)?.saturating_duration_since(each.committed));
        from_due.push(at(each)?.saturating_duration_since(each.due));
    }
    Ok(format!(
        "  {rate:>5}/s   from commit {}   with the write itself {}   CPU us per event: {cpu}",
        percentiles(from_commit),
        percentiles(from_due)
    ))
}

/// The usual three, in milliseconds.
pub fn percentiles(mut latencies: Vec<Duration>) -> String {
    latencies.sort_unstable();
    let at = |part: f64| {
        let index = ((latencies.len() as f64 * part) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    };
    format!("p50 {:.1} p99 {:.1} max {:.1} ms", at(0.5), at(0.99), at(1.0))
}

async fn prepare(site: &Site) -> anyhow::Result<Vec<Arc<tokio::sync::Mutex<Versioned<Item>>>>> {
    let insert = async |id: String| site.items.insert(&id, Item::of(0), Vec::new()).await;
    let items = futures::future::try_join_all((0..DOCUMENTS).map(|_| insert(id()))).await?;
    Ok(items.into_iter().map(|item| Arc::new(tokio::sync::Mutex::new(item))).collect())
}

/// One write every 1/`rate` seconds, whatever becomes of those before it.
async fn write(
    site: &Site,
    items: &[Arc<tokio::sync::Mutex<Versioned<Item>>>],
    rate: u32,
    duration: Duration,
) -> anyhow::Result<Vec<Written>> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let mut clock = tokio::time::interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let count = (f64::from(rate) * duration.as_secs_f64()) as usize;
    for item in items.iter().cycle().take(count) {
        let due = clock.tick().await.into_std();
        let (item, documents, sender) = (item.clone(), site.items.clone(), sender.clone());
        tokio::spawn(async move {
            let mut item = item.lock().await;
            let change = Change { state: Item::of(item.rev), events: vec![event()] };
            let saved = documents.save(&item, change).await;
            let committed = Instant::now();
            let written = saved.map(|saved| {
                *item = saved;
                Written { key: (item.id.clone(), item.seq), due, committed }
            });
            // The receiver lives until all writes have answered.
            let _ = sender.send(written);
        });
    }
    drop(sender);
    let mut written = Vec::new();
    while let Some(each) = receiver.recv().await {
        written.push(each?);
    }
    Ok(written)
}

/// A durable pull consumer that acknowledges each message.
async fn consume(
    nats: events::Nats,
    stream: String,
    arrivals: Arc<Mutex<HashMap<Key, Instant>>>,
) -> anyhow::Result<()> {
    let config =
        pull::Config { durable_name: Some("bench".into()), ack_policy: AckPolicy::Explicit, ..Default::default() };
    let consumer = nats.jetstream.create_consumer_on_stream(config, stream).await?;
    let mut messages = consumer.messages().await?;
    while let Some(message) = messages.next().await {
        let message = message?;
        let now = Instant::now();
        let header = |name: &str| message.headers.as_ref()?.get(name).map(|value| value.as_str().to_owned());
        let seq = header("ce-sequence").and_then(|seq| seq.parse().ok());
        let key = header("ce-partitionkey").zip(seq).context("an event has an aggregate and a sequence")?;
        arrivals.lock().expect("no holder panics").entry(key).or_insert(now);
        message.ack().await.map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(())
}
