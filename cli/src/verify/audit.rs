//! The audit trail against the logs: an entry for each event, no other, and chains that are whole.

use super::{
    cluster::{Cluster, Pages, Scope},
    sequences::within,
    snapshot::{Snapshot, number, text},
    violation::Examined,
};
use audit::{hex, key};
use bson::{Bson, Document, doc};
use mongodb::Collection;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use store::log::{self, LOG};
use topology::{Service, Topology};

/// Name of the service, and of its database.
const AUDIT: &str = "audit";

/// Segments of a log that are read at a time.
const SEGMENTS: i64 = 20;

pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    let entries = cluster.collection(AUDIT, "entries")?;
    let publishers = Topology::get().service.iter().filter(|(_, table)| !table.aggregates.is_empty());
    for (service, table) in publishers {
        let of = Logged { service, log: cluster.collection(service, LOG)?, entries: &entries };
        match scope {
            Scope::All => of.all(cluster, &mut examined).await?,
            Scope::Only(_) => of.some(cluster, (table, scope), &mut examined).await?,
        }
    }
    if within(scope, &format!("{AUDIT}/")).is_some() {
        strangers(cluster, &entries, &mut examined).await?;
        let faults = audit::faults(&cluster.database(AUDIT)?).await?;
        for fault in faults {
            examined.suspect(&format!("{AUDIT}/{}", fault.entry_id), "a chain that is whole", fault.description);
        }
    }
    Ok(examined)
}

/// The events of one service.
struct Logged<'a> {
    service: &'a str,
    log: Collection<Document>,
    entries: &'a Collection<Document>,
}

impl Logged<'_> {
    async fn all(&self, cluster: &Cluster, examined: &mut Examined) -> anyhow::Result<()> {
        let mut after = 0;
        loop {
            let mut stages = vec![
                doc! { "$match": { "_id": { "$gt": after } } },
                doc! { "$sort": { "_id": 1 } },
                doc! { "$limit": SEGMENTS },
            ];
            stages.extend(log::entries(doc! {}));
            let mut snapshot = cluster.snapshot().await?;
            let events = snapshot.aggregate(&self.log, stages).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = number(last, "_id");
            self.compare(snapshot, &events, examined).await?;
        }
    }

    /// Those of the aggregates of the scope.
    async fn some(
        &self,
        cluster: &Cluster,
        (table, scope): (&Service, &Scope),
        examined: &mut Examined,
    ) -> anyhow::Result<()> {
        for noun in table.aggregates.values() {
            let Some(Scope::Only(ids)) = within(scope, &format!("{}/{noun}/", self.service)) else { continue };
            let mut snapshot = cluster.snapshot().await?;
            let of_these = doc! { "agg": noun, "aid": { "$in": ids } };
            let events = snapshot.aggregate(&self.log, log::entries(of_these)).await?;
            self.compare(snapshot, &events, examined).await?;
        }
        Ok(())
    }

    async fn compare(
        &self,
        mut snapshot: Snapshot,
        events: &[Document],
        examined: &mut Examined,
    ) -> anyhow::Result<()> {
        let named = events.iter().map(|event| (text(event, "aid"), number(event, "seq")));
        let recorded = snapshot.find(self.entries, places("aggregate_id", named), doc! {}, 0).await?;
        let recorded: HashMap<String, &Document> = recorded.iter().map(|entry| (recorded_key(entry), entry)).collect();
        for event in events {
            let subject = key(self.service, text(event, "agg"), text(event, "aid"), number(event, "seq"));
            let expected = told(event, ["eid", "type", "name"], &hex(event.get_binary_generic("data")?), "at");
            examined.checked += 1;
            match recorded.get(&subject) {
                None => examined.suspect(&subject, expected, "no entry"),
                Some(entry) => {
                    let found = told(entry, ["event_id", "type", "name"], text(entry, "data_digest"), "event_at");
                    if found != expected {
                        examined.suspect(&subject, expected, found);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the log and the trail both tell of an event.
fn told(document: &Document, names: [&str; 3], digest: &str, at: &str) -> String {
    let [id, message, name] = names.map(|name| text(document, name));
    let actor = match (text(document, "actor_role"), text(document, "actor")) {
        ("", actor) => actor.to_owned(),
        (role, "") => role.to_owned(),
        (role, id) => format!("{role}:{id}"),
    };
    format!("{id} {message} {name} by {actor:?} at {} with {digest}", document.get(at).unwrap_or(&Bson::Null))
}

fn recorded_key(entry: &Document) -> String {
    key(text(entry, "service"), text(entry, "aggregate"), text(entry, "aggregate_id"), number(entry, "seq"))
}

/// A filter of places of events among those of their aggregates, whose ids are in the field `id`.
fn places<'a>(id: &str, events: impl Iterator<Item = (&'a str, i64)>) -> Document {
    let mut seqs: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for (aggregate_id, seq) in events {
        seqs.entry(aggregate_id).or_default().insert(seq);
    }
    let of = |(aggregate_id, seqs): (&str, BTreeSet<i64>)| {
        doc! { id: aggregate_id, "seq": { "$in": seqs.into_iter().collect::<Vec<_>>() } }
    };
    doc! { "$or": seqs.into_iter().map(of).collect::<Vec<_>>() }
}

/// Looks for entries of events that are in no log.
async fn strangers(cluster: &Cluster, entries: &Collection<Document>, examined: &mut Examined) -> anyhow::Result<()> {
    let mut pages = Pages::new(&Scope::All);
    while let Some((mut snapshot, found)) = pages.read(cluster, entries, doc! {}).await? {
        let mut by_noun: BTreeMap<(&str, &str), Vec<&Document>> = BTreeMap::new();
        for entry in &found {
            by_noun.entry((text(entry, "service"), text(entry, "aggregate"))).or_default().push(entry);
        }
        for ((service, noun), entries) in by_noun {
            let known = match cluster.collection(service, LOG) {
                Ok(log) => logged(&mut snapshot, (&log, service, noun), &entries).await?,
                Err(_) => HashSet::new(), // a service that there is not
            };
            for entry in entries.into_iter().filter(|entry| !known.contains(&recorded_key(entry))) {
                let subject = format!("{AUDIT}/{}", text(entry, "_id"));
                examined.suspect(&subject, "no entry, for its event is in no log", recorded_key(entry));
            }
        }
    }
    Ok(())
}

/// The keys of those events of `entries` that the log has.
async fn logged(
    snapshot: &mut Snapshot,
    (log, service, noun): (&Collection<Document>, &str, &str),
    entries: &[&Document],
) -> anyhow::Result<HashSet<String>> {
    let ids: BTreeSet<&str> = entries.iter().map(|entry| text(entry, "aggregate_id")).collect();
    let seqs: BTreeSet<i64> = entries.iter().map(|entry| number(entry, "seq")).collect();
    let [ids, seqs] = [Bson::from_iter(ids), Bson::from_iter(seqs)];
    let mut stages = log::entries(doc! { "agg": noun, "aid": { "$in": ids }, "seq": { "$in": seqs } });
    stages.push(doc! { "$project": { "aid": 1, "seq": 1 } });
    let found = snapshot.aggregate(log, stages).await?;
    Ok(found.iter().map(|event| key(service, noun, text(event, "aid"), number(event, "seq"))).collect())
}
