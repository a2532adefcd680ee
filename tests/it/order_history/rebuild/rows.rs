//! The rows of the history, and what they must be: the fold of the logs.

use super::event_service;
use ::order_history::{Entry, fact, fold};
use anyhow::ensure;
use bson::{Document, doc};
use contracts::events::v1::{Event as WireEvent, ListEventsRequest};
use futures::TryStreamExt;
use kit::shop::TIMEOUT;
use kit::{Stack, eventually};
use std::collections::BTreeMap;

/// The suffix of the slot in use.
pub async fn suffix(stack: &Stack) -> &'static str {
    let state = stack.db("order-history").collection::<Document>("projection").find_one(doc! {}).await;
    match state.expect("mongod answers").as_ref().and_then(|state| state.get_str("slot").ok()) {
        Some("b") => "_b",
        _ => "",
    }
}

/// How many rows a collection has.
pub async fn count(stack: &Stack, collection: &str) -> u64 {
    let rows = stack.db("order-history").collection::<Document>(collection);
    rows.count_documents(doc! {}).await.expect("mongod answers")
}

/// The rows in use by order, without their revision.
async fn rows(stack: &Stack) -> anyhow::Result<BTreeMap<String, Entry>> {
    let name = format!("order_history{}", suffix(stack).await);
    let found: Vec<Entry> =
        stack.db("order-history").collection::<Entry>(&name).find(doc! {}).await?.try_collect().await?;
    Ok(found.into_iter().map(|entry| (entry.order_id.clone(), Entry { rev: 0, ..entry })).collect())
}

/// The rows as the logs of the sources tell them.
async fn fold_of_the_logs(stack: &Stack) -> anyhow::Result<BTreeMap<String, Entry>> {
    let mut rows = BTreeMap::new();
    for source in ["orders", "payments", "shipping"] {
        let mut service = event_service(stack, source).await;
        let mut after = 0;
        loop {
            let request = ListEventsRequest { after_log_sequence: after, ..Default::default() };
            let page = service.list_events(request).await?.into_inner().events;
            let Some(last) = page.last() else { break };
            after = last.log_sequence;
            for event in page {
                let fact = fact(&received(event))?;
                if let Some(row) = fold(rows.get(&fact.order_id).cloned(), &fact)? {
                    rows.insert(fact.order_id, row);
                }
            }
        }
    }
    Ok(rows)
}

fn received(event: WireEvent) -> events::Event {
    let at = event.time.expect("an event has a time");
    events::Event {
        id: event.id,
        service: event.service,
        aggregate: event.aggregate,
        aggregate_id: event.aggregate_id,
        seq: event.seq,
        log_sequence: event.log_sequence,
        r#type: event.r#type,
        name: event.name,
        at: store::Time::from_millis(at.seconds * 1000 + i64::from(at.nanos) / 1_000_000),
        trace: None,
        actor: None,
        data: event.data.into(),
    }
}

/// Waits until the rows in use are what the logs tell.
pub async fn rows_are_the_fold_of_the_logs(stack: &Stack) {
    eventually(TIMEOUT, || async {
        let (rows, fold) = (rows(stack).await?, fold_of_the_logs(stack).await?);
        ensure!(rows.len() == fold.len(), "{} rows, the logs tell of {}", rows.len(), fold.len());
        for (id, row) in &fold {
            ensure!(rows.get(id) == Some(row), "{id} is {:?}, the logs tell {row:?}", rows.get(id));
        }
        Ok(())
    })
    .await;
}
