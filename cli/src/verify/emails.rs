//! Mails against the events that ask for them: one for each, and no other.

use super::{
    cluster::{Cluster, PAGE, Pages, Scope},
    snapshot::{Snapshot, part, text},
    violation::Examined,
};
use bson::{Document, doc};
use email::{Template, asked_by, email_id};
use std::collections::{BTreeMap, BTreeSet};
use store::log::{self, LOG};

/// Services whose events ask for mails, and the collections of what they are about.
const SOURCES: [(&str, &str); 3] = [("orders", "orders"), ("shipping", "shipments"), ("users", "users")];

/// Each event of an order, of a shipment or of an account that asks for a mail has it, once; no mail is without its event.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    for (service, collection) in SOURCES {
        of_aggregates(cluster, scope, &mut examined, (service, collection)).await?;
    }
    strangers(cluster, scope, &mut examined).await?;
    Ok(examined)
}

async fn of_aggregates(
    cluster: &Cluster,
    scope: &Scope,
    examined: &mut Examined,
    (service, collection): (&str, &str),
) -> anyhow::Result<()> {
    let (aggregates, log) = (cluster.collection(service, collection)?, cluster.collection(service, LOG)?);
    let (emails, mut pages) = (cluster.collection("email", "emails")?, Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &aggregates, doc! { "_id": 1 }).await? {
        let ids: Vec<&str> = found.iter().map(|each| text(each, "_id")).collect();
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for entry in snapshot.aggregate(&log, log::entries(asking(service, &ids))).await? {
            if let Some(id) = wanted_id(service, &entry) {
                wanted.entry(text(&entry, "aid").to_owned()).or_default().insert(id);
            }
        }
        let written = by_aggregate(&mut snapshot, &emails, &ids).await?;
        let none = BTreeSet::new();
        for id in ids {
            examined.checked += 1;
            let (wanted, written) = (wanted.get(id).unwrap_or(&none), written.get(id).unwrap_or(&none));
            if wanted != written {
                examined.suspect(id, format!("the mails {wanted:?}"), format!("the mails {written:?}"));
            }
        }
    }
    Ok(())
}

/// The entries of these aggregates' events that ask for mails.
fn asking(service: &str, ids: &[&str]) -> Document {
    let events = Template::ALL.map(Template::event);
    let names: Vec<&str> = events.iter().filter(|(of, ..)| *of == service).map(|(.., name)| *name).collect();
    let noun = events.iter().find(|(of, ..)| *of == service).map(|(_, noun, _)| *noun);
    doc! { "agg": noun, "aid": { "$in": ids }, "name": { "$in": names } }
}

/// The identifier of the mail that an entry of the log asks for.
fn wanted_id(service: &str, entry: &Document) -> Option<String> {
    let data = entry.get_binary_generic("data").ok()?;
    let template = asked_by(service, text(entry, "agg"), text(entry, "name"), data)?;
    Some(email_id(text(entry, "eid"), template, *entry.get_datetime("at").ok()?))
}

async fn by_aggregate(
    snapshot: &mut Snapshot,
    emails: &mongodb::Collection<Document>,
    ids: &[&str],
) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let mut written: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let of_these = doc! { "event.aggregate_id": { "$in": ids } };
    for email in snapshot.find(emails, of_these, doc! { "event": 1 }, 0).await? {
        let aggregate_id = part(&email, "event").map(|event| text(event, "aggregate_id")).unwrap_or_default();
        written.entry(aggregate_id.to_owned()).or_default().insert(text(&email, "_id").to_owned());
    }
    Ok(written)
}

/// Looks for mails of orders, shipments and accounts that there are not.
async fn strangers(cluster: &Cluster, scope: &Scope, examined: &mut Examined) -> anyhow::Result<()> {
    let (emails, mut pages) = (cluster.collection("email", "emails")?, Pages::new(scope));
    while let Some(filter) = pages.next() {
        let mut snapshot = cluster.snapshot().await?;
        let found = snapshot.find(&emails, filter, doc! { "event": 1 }, PAGE).await?;
        pages.seen(&found);
        let of = |email: &Document| part(email, "event").map(|event| text(event, "aggregate_id").to_owned());
        let ids: Vec<String> = found.iter().filter_map(of).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let mut known = BTreeMap::new();
        for (service, collection) in SOURCES {
            let collection = cluster.collection(service, collection)?;
            known.extend(snapshot.by_id(&collection, &ids, doc! { "_id": 1 }).await?);
        }
        for email in found.iter().filter(|email| of(email).is_none_or(|id| !known.contains_key(&id))) {
            examined.suspect(text(email, "_id"), "no mail, for its order, shipment or account is not there", "a mail");
        }
    }
    Ok(())
}
