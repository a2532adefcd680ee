//! Deleted accounts and their erasures.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{list, number, part, text},
    violation::Examined,
};
use bson::{Document, doc};

/// Each deleted account has an erasure, which is completed or lives: it has a time to wake. No other account has one.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (users, erasures) = (cluster.collection("users", "users")?, cluster.collection("privacy", "erasures")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &users, doc! { "status": 1 }).await? {
        let ids: Vec<&str> = found.iter().map(|user| text(user, "_id")).collect();
        let fields = doc! { "state": 1, "receipts": 1, "saga.status": 1, "saga.wake_at": 1 };
        let erasures = snapshot.by_id(&erasures, &ids, fields).await?;
        for user in &found {
            examined.checked += 1;
            if let Some((expected, found)) = compare(user, erasures.get(text(user, "_id"))) {
                examined.suspect(text(user, "_id"), expected, found);
            }
        }
    }
    Ok(examined)
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
