//! Deleted accounts and their erasures.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{Snapshot, list, number, part, text},
    violation::Examined,
};
use bson::{Document, doc};
use std::collections::BTreeMap;

/// Each deleted account has an erasure, which is completed or lives: it has a time to wake. No other account has one.
/// Of whom it is completed no service keeps anything personal.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (users, erasures) = (cluster.collection("users", "users")?, cluster.collection("privacy", "erasures")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &users, doc! { "status": 1 }).await? {
        let ids: Vec<&str> = found.iter().map(|user| text(user, "_id")).collect();
        let fields = doc! { "state": 1, "receipts": 1, "saga.status": 1, "saga.wake_at": 1 };
        let erasures = snapshot.by_id(&erasures, &ids, fields).await?;
        let is_completed = |id: &str| erasures.get(id).is_some_and(|erasure| text(erasure, "state") == "Completed");
        let completed: Vec<&str> = ids.into_iter().filter(|id| is_completed(id)).collect();
        let kept = kept(cluster, &mut snapshot, &completed).await?;
        for user in &found {
            examined.checked += 1;
            let id = text(user, "_id");
            if let Some((expected, found)) = compare(user, erasures.get(id)) {
                examined.suspect(id, expected, found);
            } else if let Some(found) = kept.get(id) {
                examined.suspect(id, "nothing left", found.as_str());
            }
        }
    }
    Ok(examined)
}

/// What is still kept of these users: for each of whom there is something, one document of it.
async fn kept(cluster: &Cluster, snapshot: &mut Snapshot, users: &[&str]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut kept = BTreeMap::new();
    if users.is_empty() {
        return Ok(kept);
    }
    let is_there = doc! { "$gt": "" };
    let either = vec![doc! { "user.email": is_there.clone() }, doc! { "address.line1": is_there.clone() }];
    let addresses = doc! { "_id": { "$in": users }, "addresses.0": { "$exists": true } };
    for user in snapshot.find(&cluster.collection("users", "users")?, addresses, doc! { "_id": 1 }, 0).await? {
        kept.insert(text(&user, "_id").to_owned(), "users keeps addresses".to_owned());
    }
    let personal = [
        ("orders", "orders", doc! { "$or": either }),
        ("shipping", "shipments", doc! { "address.line1": is_there }),
        ("email", "emails", doc! { "addressed": { "$ne": null } }),
    ];
    for (service, name, mut filter) in personal {
        filter.insert("user_id", doc! { "$in": users });
        for document in snapshot.find(&cluster.collection(service, name)?, filter, doc! { "user_id": 1 }, 0).await? {
            let found = format!("{service} keeps {}", text(&document, "_id"));
            kept.insert(text(&document, "user_id").to_owned(), found);
        }
    }
    Ok(kept)
}

/// What should be and what is, when they differ.
fn compare(user: &Document, erasure: Option<&Document>) -> Option<(&'static str, String)> {
    let is_deleted = text(user, "status") == "Deleted";
    let Some(erasure) = erasure else {
        return is_deleted.then(|| ("an erasure", "no erasure of a deleted account".to_owned()));
    };
    let state = text(erasure, "state");
    if !is_deleted {
        return Some(("no erasure", format!("{state}, and the account is not deleted")));
    }
    let saga = part(erasure, "saga");
    let (status, is_woken) =
        saga.map_or(("", false), |saga| (text(saga, "status"), saga.get_datetime("wake_at").is_ok()));
    let keeps = list(erasure, "receipts").find(|receipt| number(receipt, "remaining") > 0);
    match (state, status, keeps) {
        ("Completed", "Completed", None) => None,
        ("Completed", _, Some(keeps)) => Some(("nothing left", format!("{} keeps some", text(keeps, "service")))),
        ("Erasing" | "Waiting", "Running", _) if is_woken => None,
        _ => Some(("an end, or a saga that lives", format!("{state}, its saga is {status} and never wakes"))),
    }
}
