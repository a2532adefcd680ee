//! The audit trail of a running system: who did what, whole chains, and what is found when somebody touches them.

mod killed;
mod reading;
mod verifying;

use crate::cli::verify::verify;
use anyhow::ensure;
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, id};
use kit::{Client, Stack, eventually};
use serde_json::Value;
use std::collections::BTreeMap;

/// The entries of an aggregate in the order of its events, once there are at least as many.
pub async fn entries_of(stack: &Stack, service: &str, aggregate_id: &str, least: usize) -> Vec<Value> {
    let admin = Client::admin(stack).await;
    eventually(TIMEOUT, || async {
        let page = admin.get(&format!("/v1/audit/entries?aggregateId={aggregate_id}&pageSize=200")).await.expect(200);
        let mut found: Vec<Value> = page["entries"].as_array().cloned().unwrap_or_default();
        found.retain(|entry| entry["service"] == service);
        found.reverse();
        ensure!(found.len() >= least, "{found:?}");
        Ok(found)
    })
    .await
}

/// Who did the event of this name.
pub fn actor<'a>(entries: &'a [Value], name: &str) -> (&'a str, &'a str) {
    let entry = entries.iter().find(|entry| entry["name"] == name);
    let entry = entry.unwrap_or_else(|| panic!("no {name} in {entries:?}"));
    (id(entry, "actorRole"), id(entry, "actor"))
}

/// The trail is that of the logs, as `comptoir verify` looks at it, once all is recorded.
async fn is_that_of_the_logs(stack: &Stack) {
    let output = verify(stack, &["--only", "audit-is-the-logs"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The identifiers of all events in the logs, and how many of each there are in `stored` entries.
async fn recorded(stack: &Stack) -> (Vec<String>, BTreeMap<String, usize>) {
    let mut logged = Vec::new();
    for (service, _) in topology::Topology::get().service.iter().filter(|(_, table)| !table.aggregates.is_empty()) {
        let log = stack.db(service).collection::<Document>("events");
        let segments: Vec<Document> = log.find(doc! {}).await.expect("answers").try_collect().await.expect("reads");
        let entries = segments.iter().flat_map(|segment| segment.get_array("entries").expect("a segment"));
        logged.extend(entries.map(|entry| entry.as_document().expect("an entry").get_str("eid").unwrap().to_owned()));
    }
    let mut counts = BTreeMap::new();
    for entry in stored(stack).await {
        *counts.entry(entry.get_str("event_id").expect("an entry").to_owned()).or_default() += 1;
    }
    logged.sort_unstable();
    (logged, counts)
}

/// All entries as they are stored, in the order of their places.
pub async fn stored(stack: &Stack) -> Vec<Document> {
    let entries = stack.db("audit").collection::<Document>("entries");
    let found = entries.find(doc! {}).sort(doc! { "_id": 1 }).await.expect("mongod answers");
    found.try_collect().await.expect("mongod answers")
}
