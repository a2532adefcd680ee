//! The counters of each product against its ledger, and against the reservations.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{Snapshot, list, number, text},
    violation::Examined,
};
use bson::{Document, doc};
use std::collections::HashMap;

const SERVICE: &str = "inventory";

/// on_hand, reserved, committed.
type Counters = [i64; 3];

const NAMES: [&str; 3] = ["on_hand", "reserved", "committed"];

fn counters(document: &Document) -> Counters {
    NAMES.map(|name| number(document, name))
}

/// Tells apart only what differs: the rest of a busy product changes all the time.
fn difference(expected: Counters, found: Counters) -> Option<String> {
    let parts = NAMES.iter().zip(expected.iter().zip(found)).filter(|(_, (expected, found))| *expected != found);
    let parts: Vec<String> = parts.map(|(name, (expected, found))| format!("{name} {:+}", found - expected)).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Counters = fold of the movements, and each movement is there.
pub async fn movements(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (stock, ledger) = (cluster.collection(SERVICE, "stock")?, cluster.collection(SERVICE, "movements")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &stock, doc! { "outbox": 0, "requests": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|document| text(document, "_id")).collect();
        let folded: Vec<Document> = snapshot.aggregate(&ledger, fold(&ids)).await?;
        let folded: HashMap<&str, &Document> = folded.iter().map(|fold| (text(fold, "_id"), fold)).collect();
        for document in &found {
            let (id, empty) = (text(document, "_id"), Document::new());
            let fold = folded.get(id).copied().unwrap_or(&empty);
            examined.checked += 1;
            if let Some(difference) = difference(counters(fold), counters(document)) {
                examined.suspect(
                    id,
                    "the counters are the sums of the movements",
                    format!("the stock has {difference}"),
                );
            } else if number(fold, "count") != number(document, "moves") {
                let missing = number(document, "moves") - number(fold, "count");
                examined.suspect(id, "as many movements as were made", format!("{missing} fewer"));
            }
        }
    }
    Ok(examined)
}

fn fold(ids: &[&str]) -> Vec<Document> {
    let mut group = doc! { "_id": "$product_id", "count": { "$sum": 1_i64 } };
    group.extend(NAMES.map(|name| (name.to_owned(), doc! { "$sum": format!("${name}") }.into())));
    let mut stages = inventory::movements(doc! { "product_id": { "$in": ids } });
    stages.push(doc! { "$group": group });
    stages
}

/// reserved and committed = units of the reservations, and nothing is sold that is not there.
pub async fn reservations(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (stock, reservations) = (cluster.collection(SERVICE, "stock")?, cluster.collection(SERVICE, "reservations")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &stock, doc! { "outbox": 0, "requests": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|document| text(document, "_id")).collect();
        let set_aside = set_aside(&mut snapshot, &reservations, &ids).await?;
        for document in &found {
            let id = text(document, "_id");
            let [on_hand, reserved, committed] = counters(document);
            let units = |state: &str| set_aside.get(&(id.to_owned(), state.to_owned())).copied().unwrap_or(0);
            examined.checked += 1;
            // The units on hand follow from the movements, which another invariant checks.
            let expected = [on_hand, units("Held"), units("Committed")];
            let available = on_hand - reserved - committed;
            if let Some(difference) = difference(expected, [on_hand, reserved, committed]) {
                let text = format!("the stock has {difference}");
                examined.suspect(id, "what the reservations hold is reserved, what they sold is committed", text);
            } else if reserved < 0 || committed < 0 {
                examined.suspect(id, "counters of 0 or more", format!("reserved {reserved}, committed {committed}"));
            } else if available < 0 && !document.get_bool("backorder").unwrap_or(false) {
                let text = format!("{} more than there are, without backorder", -available);
                examined.suspect(id, "no more is held and sold than is on hand", text);
            }
        }
    }
    Ok(examined)
}

/// Units by product and state of the reservation.
async fn set_aside(
    snapshot: &mut Snapshot,
    reservations: &mongodb::Collection<Document>,
    ids: &[&str],
) -> anyhow::Result<HashMap<(String, String), i64>> {
    let pipeline = vec![
        doc! { "$match": { "state": { "$in": ["Held", "Committed"] }, "lines.product_id": { "$in": ids } } },
        doc! { "$unwind": "$lines" },
        doc! { "$group": {
            "_id": { "product": "$lines.product_id", "state": "$state" },
            "units": { "$sum": "$lines.quantity" },
        } },
    ];
    let groups = snapshot.aggregate(reservations, pipeline).await?;
    let pair = |group: &Document| {
        let key = group.get_document("_id").ok()?;
        Some(((text(key, "product").to_owned(), text(key, "state").to_owned()), number(group, "units")))
    };
    Ok(groups.iter().filter_map(pair).collect())
}

/// Units by product of the lines of an order or a reservation.
pub fn units(document: &Document, lines: &str) -> std::collections::BTreeMap<String, i64> {
    let mut units = std::collections::BTreeMap::new();
    for line in list(document, lines) {
        *units.entry(text(line, "product_id").to_owned()).or_default() += number(line, "quantity");
    }
    units
}
