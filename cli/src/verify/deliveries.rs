//! Webhooks against the events that endpoints want: a delivery for each, and no other.

use super::{
    cluster::{Cluster, PAGE, Pages, Scope},
    snapshot::text,
    violation::Examined,
};
use anyhow::Context;
use bson::{Document, doc};
use futures::TryStreamExt;
use std::collections::{BTreeMap, BTreeSet};
use store::{
    Time,
    log::{self, LOG},
    now,
};
use topology::Topology;
use webhooks::{Endpoint, HEARD_FOR, delivery_id};

const SERVICE: &str = "webhooks";

/// A collection whose documents publish events.
struct Source<'a> {
    service: &'a str,
    collection: &'a str,
    noun: &'a str,
}

impl Source<'_> {
    /// Those that webhooks reads.
    fn all() -> impl Iterator<Item = Source<'static>> {
        let services = Topology::get().service(SERVICE).into_iter().flat_map(|webhooks| &webhooks.consumes);
        services.flat_map(|service| {
            let aggregates = Topology::get().service(service).into_iter().flat_map(|table| &table.aggregates);
            aggregates.map(move |(collection, noun)| Source { service, collection, noun })
        })
    }

    /// The types of its events that some endpoint wants.
    fn types(&self, endpoints: &[Endpoint]) -> BTreeSet<String> {
        let is_own = |event_type: &&String| event_type.split('.').next() == Some(self.noun);
        endpoints.iter().flat_map(|endpoint| &endpoint.event_types).filter(is_own).cloned().collect()
    }
}

/// Deliveries that events must have, and may have.
#[derive(Default)]
struct Wanted {
    must: BTreeSet<String>,
    may: BTreeSet<String>,
}

/// Each event that an endpoint wants has its delivery, once; no delivery is without its event.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    let endpoints = cluster.collection(SERVICE, "endpoints")?.clone_with_type::<Endpoint>();
    let endpoints: Vec<Endpoint> = endpoints.find(doc! {}).await?.try_collect().await.context("read the endpoints")?;
    for source in Source::all().filter(|source| !source.types(&endpoints).is_empty()) {
        of_source(cluster, scope, &mut examined, (&source, &endpoints)).await?;
    }
    strangers(cluster, scope, &mut examined).await?;
    Ok(examined)
}

async fn of_source(
    cluster: &Cluster,
    scope: &Scope,
    examined: &mut Examined,
    (source, endpoints): (&Source<'_>, &[Endpoint]),
) -> anyhow::Result<()> {
    let aggregates = cluster.collection(source.service, source.collection)?;
    let (log, deliveries) = (cluster.collection(source.service, LOG)?, cluster.collection(SERVICE, "deliveries")?);
    let types: Vec<String> = source.types(endpoints).into_iter().collect();
    let names: Vec<&str> = types.iter().filter_map(|event_type| event_type.split('.').nth(1)).collect();
    let of_endpoints: Vec<&str> = endpoints.iter().map(|endpoint| &*endpoint.id).collect();
    let mut pages = Pages::new(scope);
    while let Some((mut snapshot, found)) = pages.read(cluster, &aggregates, doc! { "_id": 1 }).await? {
        let ids: Vec<&str> = found.iter().map(|each| text(each, "_id")).collect();
        let entries = doc! { "agg": source.noun, "aid": { "$in": &ids }, "name": { "$in": &names } };
        let entries = snapshot.aggregate(&log, log::entries(entries)).await?;
        let wanted = wanted(&entries, endpoints);
        let those = doc! {
            "aggregate_id": { "$in": &ids }, "event_type": { "$in": &types }, "endpoint_id": { "$in": &of_endpoints },
        };
        let mut written: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for delivery in snapshot.find(&deliveries, those, doc! { "aggregate_id": 1 }, 0).await? {
            let of = written.entry(text(&delivery, "aggregate_id").to_owned()).or_default();
            of.insert(text(&delivery, "_id").to_owned());
        }
        let (nothing, none) = (Wanted::default(), BTreeSet::new());
        for id in ids {
            examined.checked += 1;
            let (wanted, written) = (wanted.get(id).unwrap_or(&nothing), written.get(id).unwrap_or(&none));
            if !wanted.must.is_subset(written) || !written.is_subset(&wanted.may) {
                examined.suspect(
                    id,
                    format!("the deliveries {:?}", wanted.must),
                    format!("the deliveries {written:?}"),
                );
            }
        }
    }
    Ok(())
}

/// The deliveries of these entries of a log, by aggregate. One heard of long after its event has none, and what came while its
/// endpoint was being stored may have one.
fn wanted(entries: &[Document], endpoints: &[Endpoint]) -> BTreeMap<String, Wanted> {
    let heard_from = now().timestamp_millis() - i64::try_from(HEARD_FOR.as_millis()).unwrap_or(i64::MAX);
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    for entry in entries {
        let event_type = format!("{}.{}", text(entry, "agg"), text(entry, "name"));
        let Ok(at) = entry.get_datetime("at").copied() else { continue };
        for endpoint in endpoints.iter().filter(|endpoint| endpoint.event_types.contains(&event_type)) {
            let of = wanted.entry(text(entry, "aid").to_owned()).or_default();
            let id = delivery_id(text(entry, "eid"), &endpoint.id, at);
            if endpoint.certain_from.is_some_and(|from: Time| at >= from) && at.timestamp_millis() > heard_from {
                of.must.insert(id.clone());
            }
            of.may.insert(id);
        }
    }
    wanted
}

/// Looks for deliveries of what there is not.
async fn strangers(cluster: &Cluster, scope: &Scope, examined: &mut Examined) -> anyhow::Result<()> {
    let (deliveries, mut pages) = (cluster.collection(SERVICE, "deliveries")?, Pages::new(scope));
    while let Some(filter) = pages.next() {
        let mut snapshot = cluster.snapshot().await?;
        let found = snapshot.find(&deliveries, filter, doc! { "aggregate_id": 1, "endpoint_id": 1 }, PAGE).await?;
        pages.seen(&found);
        let ids: Vec<&str> = found.iter().map(|delivery| text(delivery, "aggregate_id")).collect();
        let mut known = BTreeSet::new();
        for Source { service, collection, .. } in Source::all() {
            let collection = cluster.collection(service, collection)?;
            known.extend(snapshot.by_id(&collection, &ids, doc! { "_id": 1 }).await?.into_keys());
        }
        let of: Vec<&str> = found.iter().map(|delivery| text(delivery, "endpoint_id")).collect();
        let endpoints = snapshot.by_id(&cluster.collection(SERVICE, "endpoints")?, &of, doc! { "_id": 1 }).await?;
        let is_strange = |delivery: &&Document| {
            !known.contains(text(delivery, "aggregate_id")) || !endpoints.contains_key(text(delivery, "endpoint_id"))
        };
        for delivery in found.iter().filter(is_strange) {
            examined.suspect(
                text(delivery, "_id"),
                "no delivery, for what it tells of, or its endpoint, is not there",
                "a delivery",
            );
        }
    }
    Ok(())
}
