//! What must hold once everything has come to its end.

use super::{cluster::Cluster, writers::Answered};
use crate::cli::verify::is_clean;
use anyhow::{Context, ensure};
use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use kit::{Stack, within};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long all may take to come to its end: the broker gives an event of a dead process to another one after 10 s.
const LIMIT: Duration = Duration::from_secs(90);

pub async fn holds(cluster: &Cluster, answered: &Answered) -> anyhow::Result<()> {
    let stack = &cluster.stack;
    within(LIMIT, || nothing_is_open(stack)).await.context("all comes to its end")?;
    // It waits until the consumers have caught up. Facts, history, audit, mails, deliveries and erasures are among its invariants.
    is_clean(stack).await;
    within(LIMIT, || nothing_is_open(stack)).await.context("all comes to its end")?;
    what_was_answered_is_there(stack, answered).await?;
    for (user, word) in &answered.deleted {
        let log = kit::log(&stack.db("privacy"), doc! { "aid": user }).await?;
        let names: Vec<&str> = log.iter().filter_map(|entry| entry.get_str("name").ok()).collect();
        ensure!(names == ["started", "completed"], "the erasure of {user} has told {names:?}");
        ensure!(traces(stack, word).await?.is_empty(), "{word} was erased and is in {:?}", traces(stack, word).await?);
    }
    mails_went_once(cluster).await.context("mails")?;
    deliveries_came_in_order(cluster).await.context("webhooks")
}

async fn all(stack: &Stack, service: &str, collection: &str) -> anyhow::Result<Vec<Document>> {
    Ok(stack.db(service).collection::<Document>(collection).find(doc! {}).await?.try_collect().await?)
}

async fn nothing_is_open(stack: &Stack) -> anyhow::Result<()> {
    for (service, collection, open) in [
        ("orders", "orders", doc! { "saga.status": { "$nin": ["Completed", "Compensated"] } }),
        ("privacy", "erasures", doc! { "saga.status": { "$nin": ["Completed", "Compensated"] } }),
        ("email", "emails", doc! { "state": "Pending" }),
        ("webhooks", "deliveries", doc! { "state": "Pending" }),
    ] {
        let found = stack.db(service).collection::<Document>(collection).find_one(open).await?;
        ensure!(found.is_none(), "{collection} has {found:?}");
    }
    Ok(())
}

async fn what_was_answered_is_there(stack: &Stack, answered: &Answered) -> anyhow::Result<()> {
    let ids = |documents: Vec<Document>| -> BTreeSet<String> {
        documents.iter().filter_map(|one| one.get_str("_id").ok().map(str::to_owned)).collect()
    };
    for (service, wanted) in [("users", &answered.users), ("products", &answered.products)] {
        let there = ids(all(stack, service, service).await?);
        let lost: Vec<&String> = wanted.iter().filter(|id| !there.contains(*id)).collect();
        ensure!(lost.is_empty(), "{service} were answered and are lost: {lost:?}");
    }
    let orders = all(stack, "orders", "orders").await?;
    for (basket, order) in &answered.checkouts {
        let key = format!("baskets/{basket}");
        let made: Vec<_> = orders.iter().filter(|one| one.get_str("request_key").is_ok_and(|it| it == key)).collect();
        ensure!(made.len() == 1, "{basket} was checked out once and is {} orders", made.len());
        ensure!(made.iter().all(|one| one.get_str("_id").is_ok_and(|id| id == order)), "{basket} is not {order}");
    }
    Ok(())
}

/// The collections of all databases that have this word.
async fn traces(stack: &Stack, word: &str) -> anyhow::Result<Vec<String>> {
    let mut found = BTreeSet::new();
    for store in topology::Topology::get().stores() {
        let database = stack.db(store);
        for name in database.list_collection_names().await? {
            let mut documents = database.collection::<RawDocumentBuf>(&name).find(doc! {}).await?;
            while documents.advance().await? {
                let bytes = documents.current().as_bytes();
                if bytes.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes())) {
                    found.insert(format!("{store}/{name}"));
                }
            }
        }
    }
    Ok(found.into_iter().collect())
}

/// One mail for an event and a template; the server has taken it once, and more often only by an attempt of a killed process.
async fn mails_went_once(cluster: &Cluster) -> anyhow::Result<()> {
    let mut taken: BTreeMap<String, i32> = BTreeMap::new();
    for mail in cluster.mails.mails() {
        let header = crate::email::server::header(&mail, "Message-ID");
        // `<eml_…@example.com>`; of a mail about an account `<eml_….2@example.com>` at the second attempt.
        let id = header.trim_start_matches('<').split(['.', '@']).next().unwrap_or_default();
        *taken.entry(id.to_owned()).or_default() += 1;
    }
    let mut causes = BTreeSet::new();
    for mail in all(&cluster.stack, "email", "emails").await? {
        let count = taken.remove(mail.get_str("_id")?).unwrap_or_default();
        let is_sent = mail.get_str("state")? == "Sent";
        ensure!(count >= i32::from(is_sent), "it is SENT, and the server has not taken it: {mail}");
        ensure!(count <= mail.get_i32("attempts")?, "the server has taken it {count} times: {mail}");
        ensure!(
            count <= 1 || cluster.kills.contains_key("email"),
            "email was not killed, and sent {mail} {count} times"
        );
        let cause = format!("{} {}", mail.get_document("event")?, mail.get_str("template")?);
        ensure!(causes.insert(cause), "another mail has the event and the template of {mail}");
    }
    ensure!(taken.is_empty(), "the server has mails that nobody knows: {taken:?}");
    Ok(())
}

/// Each delivery has come; within an aggregate none came after a later one.
async fn deliveries_came_in_order(cluster: &Cluster) -> anyhow::Result<()> {
    let deliveries = all(&cluster.stack, "webhooks", "deliveries").await?;
    let mut by_event: BTreeMap<&str, (&Document, i32)> = BTreeMap::new();
    for delivery in &deliveries {
        ensure!(delivery.get_str("state")? == "Delivered", "it is not delivered: {delivery}");
        let other = by_event.insert(delivery.get_str("event_id")?, (delivery, 0));
        ensure!(other.is_none(), "two deliveries of one event: {delivery}");
    }
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for taken in cluster.receiver.taken() {
        let (delivery, count) = by_event.get_mut(taken.id.as_str()).context("a webhook of no delivery")?;
        *count += 1;
        let (aggregate, seq) = (delivery.get_str("aggregate_id")?, delivery.get_i64("seq")?);
        let newest = last.insert(aggregate, seq).unwrap_or_default();
        ensure!(newest <= seq, "{aggregate}: event {seq} came after event {newest}");
    }
    for (delivery, count) in by_event.into_values() {
        ensure!(count >= 1, "it is DELIVERED, and never came: {delivery}");
        ensure!(count <= delivery.get_i32("attempts")?, "it came {count} times: {delivery}");
        ensure!(
            count <= 1 || cluster.kills.contains_key("webhooks"),
            "nobody was killed, and it came twice: {delivery}"
        );
    }
    Ok(())
}
