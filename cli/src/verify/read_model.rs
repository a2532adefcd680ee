//! Read models: the copy in use, and rows that belong to no order.

use super::{
    cluster::{Cluster, PAGE, Pages, Scope},
    snapshot::{Snapshot, text},
    violation::Examined,
};
use bson::{Document, doc};
use mongodb::Collection;

/// The read model of orders in a service.
#[derive(Clone, Copy)]
pub struct ReadModel {
    pub service: &'static str,
    /// Its collection, as the first copy calls it.
    pub rows: &'static str,
}

impl ReadModel {
    /// The rows of the copy in use.
    pub async fn in_use(self, cluster: &Cluster, snapshot: &mut Snapshot) -> anyhow::Result<Collection<Document>> {
        let projection = cluster.collection(self.service, "projection")?;
        let found = snapshot.find(&projection, doc! { "_id": "projection" }, doc! { "slot": 1 }, 1).await?;
        let is_second = found.first().is_some_and(|found| text(found, "slot") == "b");
        cluster.collection(self.service, &format!("{}{}", self.rows, if is_second { "_b" } else { "" }))
    }

    /// Looks for rows without an order.
    pub async fn strangers(self, cluster: &Cluster, scope: &Scope, examined: &mut Examined) -> anyhow::Result<()> {
        let (orders, mut pages) = (cluster.collection("orders", "orders")?, Pages::new(scope));
        while let Some(mut filter) = pages.next() {
            let mut snapshot = cluster.snapshot().await?;
            let rows = self.in_use(cluster, &mut snapshot).await?;
            filter.insert("order", doc! { "$ne": null });
            let found = snapshot.find(&rows, filter, doc! { "_id": 1 }, PAGE).await?;
            pages.seen(&found);
            let ids: Vec<&str> = found.iter().map(|row| text(row, "_id")).collect();
            let known = snapshot.by_id(&orders, &ids, doc! { "_id": 1 }).await?;
            for id in ids.iter().filter(|id| !known.contains_key(**id)) {
                examined.suspect(id, "no row, for there is no such order", "a row");
            }
        }
        Ok(())
    }
}
