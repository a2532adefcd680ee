//! The events of each aggregate: numbered from 1 without gaps, up to the document's own `seq`, in the log or still in the
//! outbox. And the log itself, which has no gaps either.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{Snapshot, list, number, text},
    violation::Examined,
};
use bson::{Document, doc};
use mongodb::Collection;
use std::collections::HashMap;
use store::log::{self, LOG};
use topology::Topology;

/// Looks at every aggregate of every service that publishes.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    for (service, table) in &Topology::get().service {
        let segments = cluster.collection(service, LOG)?;
        for (collection, noun) in &table.aggregates {
            let subject = format!("{service}/{noun}/");
            let Some(scope) = within(scope, &subject) else { continue };
            let aggregates =
                Aggregates { subject, noun, log: &segments, documents: cluster.collection(service, collection)? };
            aggregates.up_to_date(cluster, &scope, &mut examined).await?;
            aggregates.without_gaps(cluster.snapshot().await?, &scope, &mut examined).await?;
        }
        if !table.aggregates.is_empty() && within(scope, &format!("{service}/{LOG}")).is_some() {
            log_without_gaps(cluster.snapshot().await?, &segments, service, &mut examined).await?;
        }
    }
    Ok(examined)
}

/// The ids of the subjects that begin with `prefix`; none when there is no such subject. What follows a `#` is a place.
pub fn within(scope: &Scope, prefix: &str) -> Option<Scope> {
    let Scope::Only(subjects) = scope else { return Some(Scope::All) };
    let ids = subjects.iter().filter_map(|subject| subject.strip_prefix(prefix));
    let ids: Vec<String> = ids.map(|id| id.split('#').next().unwrap_or(id).to_owned()).collect();
    (!ids.is_empty()).then_some(Scope::Only(ids))
}

struct Aggregates<'a> {
    subject: String,
    noun: &'a str,
    log: &'a Collection<Document>,
    documents: Collection<Document>,
}

impl Aggregates<'_> {
    /// What the document has counted is in the log, or on its way there.
    async fn up_to_date(&self, cluster: &Cluster, scope: &Scope, examined: &mut Examined) -> anyhow::Result<()> {
        let mut pages = Pages::new(scope);
        let fields = doc! { "seq": 1, "outbox.seq": 1 };
        while let Some((mut snapshot, found)) = pages.read(cluster, &self.documents, fields.clone()).await? {
            let ids: Vec<&str> = found.iter().map(|document| text(document, "_id")).collect();
            let mut stages = log::entries(doc! { "agg": self.noun, "aid": { "$in": ids } });
            stages.push(doc! { "$group": { "_id": "$aid", "last": { "$max": "$seq" } } });
            let logged = snapshot.aggregate(self.log, stages).await?;
            let logged: HashMap<&str, i64> =
                logged.iter().map(|entry| (text(entry, "_id"), number(entry, "last"))).collect();
            for document in &found {
                let last = logged.get(text(document, "_id")).copied().unwrap_or(0);
                examined.checked += 1;
                self.compare(document, last, examined);
            }
        }
        Ok(())
    }

    fn compare(&self, document: &Document, logged: i64, examined: &mut Examined) {
        let subject = format!("{}{}", self.subject, text(document, "_id"));
        let (seq, waiting): (i64, Vec<i64>) =
            (number(document, "seq"), list(document, "outbox").map(|entry| number(entry, "seq")).collect());
        if logged > seq {
            examined.suspect(&subject, format!("{logged} events, as in the log"), format!("the document knows {seq}"));
        }
        for missing in (logged + 1)..=seq {
            if waiting.contains(&missing) {
                let subject = format!("{subject}#{missing}");
                examined.suspect(&subject, "the event in the log", "it waits in the outbox");
            } else {
                examined.suspect(&subject, format!("events 1 to {seq}"), format!("{missing} is nowhere"));
                return;
            }
        }
    }

    /// A unique index sees to it that no place is taken twice; so as many as the highest place means no gaps.
    async fn without_gaps(&self, mut snapshot: Snapshot, scope: &Scope, examined: &mut Examined) -> anyhow::Result<()> {
        let mut filter = doc! { "agg": self.noun };
        if let Scope::Only(ids) = scope {
            filter.insert("aid", doc! { "$in": ids });
        }
        let mut stages = log::entries(filter);
        stages.extend([
            doc! { "$group": { "_id": "$aid", "count": { "$sum": 1_i64 }, "last": { "$max": "$seq" } } },
            // mongod answers with the faulty aggregates alone, however many there are.
            doc! { "$match": { "$expr": { "$ne": ["$count", "$last"] } } },
        ]);
        for entry in snapshot.aggregate(self.log, stages).await? {
            let (count, last) = (number(&entry, "count"), number(&entry, "last"));
            let subject = format!("{}{}", self.subject, text(&entry, "_id"));
            examined.suspect(&subject, format!("events 1 to {last} in the log"), format!("{count} of them"));
        }
        Ok(())
    }
}

async fn log_without_gaps(
    mut snapshot: Snapshot,
    segments: &Collection<Document>,
    service: &str,
    examined: &mut Examined,
) -> anyhow::Result<()> {
    let group = doc! { "_id": null, "count": { "$sum": 1_i64 }, "last": { "$max": "$_id" } };
    examined.checked += 1;
    let mut stages = log::entries(doc! {});
    stages.push(doc! { "$group": group });
    for entry in snapshot.aggregate(segments, stages).await? {
        let (count, last) = (number(&entry, "count"), number(&entry, "last"));
        if count != last {
            let (expected, found) = (format!("entries 1 to {last}"), format!("{count} of them"));
            examined.suspect(&format!("{service}/{LOG}"), expected, found);
        }
    }
    Ok(())
}
