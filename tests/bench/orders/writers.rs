//! Whose durable writes they are: mongod logs each command with the name of the service that has sent it.

use bson::doc;
use kit::Stack;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

/// mongod logs commands that take longer than this, by default.
const SLOW_MS: i32 = 100;

/// Runs `load`, and counts the durable writes of each service meanwhile. The log costs mongod time: measure nothing else.
pub async fn during<T>(stack: &Stack, load: impl Future<Output = T>) -> anyhow::Result<(T, BTreeMap<String, usize>)> {
    let mut log = std::fs::File::open(stack.data().join("mongod.log"))?;
    log.seek(SeekFrom::End(0))?;
    log_slower_than(stack, -1).await?;
    let done = load.await;
    log_slower_than(stack, SLOW_MS).await?;
    let mut text = String::new();
    log.read_to_string(&mut text)?;
    let mut writers = BTreeMap::new();
    for name in text.lines().filter_map(writer) {
        *writers.entry(name).or_default() += 1;
    }
    Ok((done, writers))
}

async fn log_slower_than(stack: &Stack, millis: i32) -> anyhow::Result<()> {
    stack.mongodb().database("admin").run_command(doc! { "profile": 0, "slowms": millis }).await?;
    Ok(())
}

/// The service of a line that tells of a command that has waited for the majority.
fn writer(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let told = &line["attr"];
    let is_durable = line["c"] == "COMMAND" && told["writeConcern"]["w"] == "majority";
    is_durable.then(|| told["appName"].as_str().unwrap_or("others").to_owned())
}
