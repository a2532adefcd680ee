//! What orders cost the stores, counted: commands and documents by collection, messages of the broker.
//!
//! mongod logs each command with its collection, its statements and the service that has sent it. Counts do not depend on
//! the machine, but for what happens at the same time and so shares a command.

use bson::doc;
use futures::TryStreamExt;
use kit::Stack;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
    ops::AddAssign,
};

/// mongod logs commands that take longer than this, by default.
const SLOW_MS: i32 = 100;

/// What was done to one collection, or for one service.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub commands: u64,
    /// Commands that have waited for the majority and the journal.
    pub durable: u64,
    /// Documents.
    pub inserted: u64,
    pub updated: u64,
    pub deleted: u64,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.commands += other.commands;
        self.durable += other.durable;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.deleted += other.deleted;
    }
}

/// Counts by service and collection. A commit of a transaction has no collection.
#[derive(Default)]
pub struct Counts(pub BTreeMap<(String, String), Count>);

impl Counts {
    pub fn sum(&self) -> Count {
        self.of(|_| true)
    }

    /// The counts of one service.
    pub fn of_service(&self, name: &str) -> Count {
        self.of(|service| service == name)
    }

    fn of(&self, wanted: impl Fn(&str) -> bool) -> Count {
        let mut sum = Count::default();
        self.0.iter().filter(|((service, _), _)| wanted(service)).for_each(|(_, count)| sum += *count);
        sum
    }
}

/// What the broker has done so far.
pub struct Broker {
    /// Messages of all streams.
    pub stored: u64,
    /// Deliveries to all consumers, those that came again too.
    pub delivered: u64,
    /// Messages that a consumer has not acknowledged yet.
    pub pending: u64,
}

impl Broker {
    pub async fn of(stack: &Stack) -> anyhow::Result<Self> {
        let nats = async_nats::jetstream::new(stack.nats().await);
        let mut found = Self { stored: 0, delivered: 0, pending: 0 };
        let mut streams = nats.streams();
        while let Some(info) = streams.try_next().await? {
            found.stored += info.state.last_sequence;
            let stream = nats.get_stream(&info.config.name).await?;
            let mut consumers = stream.consumers();
            while let Some(consumer) = consumers.try_next().await? {
                found.delivered += consumer.delivered.consumer_sequence;
                found.pending += consumer.num_pending + consumer.num_ack_pending as u64;
            }
        }
        Ok(found)
    }
}

/// Runs `load`, and counts meanwhile. The log costs mongod time: measure nothing else.
pub async fn during<T>(stack: &Stack, load: impl Future<Output = T>) -> anyhow::Result<(T, Counts)> {
    let mut log = std::fs::File::open(stack.data().join("mongod.log"))?;
    log.seek(SeekFrom::End(0))?;
    log_slower_than(stack, -1).await?;
    let done = load.await;
    log_slower_than(stack, SLOW_MS).await?;
    let mut text = String::new();
    log.read_to_string(&mut text)?;
    let mut counts = Counts::default();
    for (place, count) in text.lines().filter_map(count) {
        *counts.0.entry(place).or_default() += count;
    }
    Ok((done, counts))
}

async fn log_slower_than(stack: &Stack, millis: i32) -> anyhow::Result<()> {
    stack.mongodb().database("admin").run_command(doc! { "profile": 0, "slowms": millis }).await?;
    Ok(())
}

/// What a line tells: of a command, or of one statement of an update or a delete.
fn count(line: &str) -> Option<((String, String), Count)> {
    let line: Value = serde_json::from_str(line).ok()?;
    let told = &line["attr"];
    let service = told["appName"].as_str()?;
    let (database, collection) = told["ns"].as_str()?.split_once('.')?;
    // The namespace of these commands is the database alone; they name their collection themselves.
    let named = ["update", "delete"].iter().find_map(|verb| told["command"][*verb].as_str());
    let collection = if collection == "$cmd" { named.unwrap_or("") } else { collection };
    let number = |field: &str| told[field].as_u64().unwrap_or(0);
    let count = match line["c"].as_str()? {
        "COMMAND" => Count {
            commands: 1,
            durable: u64::from(told["writeConcern"]["w"] == "majority" && is_write(told)),
            inserted: number("ninserted"),
            ..Count::default()
        },
        "WRITE" => {
            Count { updated: number("nModified") + number("upsert"), deleted: number("ndeleted"), ..Count::default() }
        }
        _ => return None,
    };
    Some(((service.to_owned(), format!("{database}.{collection}")), count))
}

/// Whether a command writes; mongod logs a concern for reads too.
fn is_write(told: &Value) -> bool {
    const WRITES: [&str; 5] = ["insert", "update", "delete", "findAndModify", "commitTransaction"];
    WRITES.iter().any(|verb| told["command"].get(verb).is_some())
}
