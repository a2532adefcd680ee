//! What products know of their stock against what inventory says of it.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{number, part},
    violation::Examined,
};
use bson::{Document, doc};

/// Each product has the availability of its stock, of no event that there was not, and none when it was never stocked. One that sells fast
/// is always some events behind, which make no difference as a rule.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (products, stock) = (cluster.collection("products", "products")?, cluster.collection("inventory", "stock")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &products, doc! { "stock": 1 }).await? {
        let ids: Vec<&str> = found.iter().filter_map(|product| product.get_str("_id").ok()).collect();
        let stocks = snapshot.by_id(&stock, &ids, doc! { "outbox": 0, "requests": 0 }).await?;
        for product in &found {
            let id = product.get_str("_id").unwrap_or_default();
            let (expected, found) = (stocks.get(id).map(expected), part(product, "stock").map(known));
            examined.checked += 1;
            if differ(expected, found) {
                examined.suspect(id, told(expected.as_ref()), told(found.as_ref()));
            }
        }
    }
    Ok(examined)
}

/// Whether a unit is available, and after which event.
type Availability = (bool, i64);

/// What the stock makes of it.
fn expected(stock: &Document) -> Availability {
    let [on_hand, reserved, committed] = ["on_hand", "reserved", "committed"].map(|name| number(stock, name));
    (on_hand - reserved - committed > 0, number(stock, "seq"))
}

/// What the product knows.
fn known(stock: &Document) -> Availability {
    (stock.get_bool("is_available").unwrap_or(false), number(stock, "seq"))
}

fn differ(expected: Option<Availability>, found: Option<Availability>) -> bool {
    match (expected, found) {
        (Some((is_available, seq)), Some((found, known))) => is_available != found || known > seq,
        (expected, found) => expected != found,
    }
}

fn told(availability: Option<&Availability>) -> String {
    match availability {
        None => "never stocked".to_owned(),
        Some((true, seq)) => format!("available after event {seq} of the stock"),
        Some((false, seq)) => format!("not available after event {seq} of the stock"),
    }
}
