//! Baskets that are orders, against these orders.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::text,
    stock::units,
    violation::{Examined, Violation},
};
use bson::{Document, doc};

/// A basket that is checked out names an order that there is: its own, which no other basket can name, of its user and lines.
/// And the order of a basket has no basket that is open.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (baskets, orders) = (cluster.collection("baskets", "baskets")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    let fields = doc! { "state": 1, "user_id": 1, "order_id": 1, "items": 1, "checkout": 1 };
    while let Some((mut snapshot, found)) = pages.read(cluster, &baskets, fields.clone()).await? {
        let ids: Vec<&str> = found.iter().map(|basket| text(basket, "order_id")).collect();
        let fields = doc! { "request_key": 1, "user_id": 1, "items": 1 };
        let orders = snapshot.by_id(&orders, &ids, fields).await?;
        for basket in &found {
            examined.checked += 1;
            if let Some((expected, found)) = compare(basket, orders.get(text(basket, "order_id"))) {
                examined.suspect(text(basket, "_id"), expected, found);
            }
        }
    }
    examined.suspects.extend(open_ones(cluster, scope).await?);
    Ok(examined)
}

/// Orders of baskets that are open still, merged or deleted. A basket that has expired says nothing.
async fn open_ones(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Vec<Violation>> {
    let (baskets, orders) = (cluster.collection("baskets", "baskets")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &orders, doc! { "request_key": 1 }).await? {
        let ids: Vec<&str> = found.iter().filter_map(basket_of).collect();
        let baskets = snapshot.by_id(&baskets, &ids, doc! { "state": 1, "order_id": 1 }).await?;
        for order in &found {
            let Some(basket) = basket_of(order).and_then(|id| baskets.get(id)) else { continue };
            // One that names an order was looked at already.
            if text(basket, "order_id").is_empty() && text(basket, "state") != "CheckingOut" {
                let state = text(basket, "state").to_uppercase();
                examined.suspect(text(order, "_id"), "a basket that is checked out", state);
            }
        }
    }
    Ok(examined.suspects)
}

/// The basket that an order was placed under.
fn basket_of(order: &Document) -> Option<&str> {
    text(order, "request_key").strip_prefix("baskets/")
}

/// What should be and what is, when they differ.
fn compare(basket: &Document, order: Option<&Document>) -> Option<(String, String)> {
    let (id, state, order_id) = (text(basket, "_id"), text(basket, "state"), text(basket, "order_id"));
    let wrong = |expected: &str, found: String| Some((expected.to_owned(), found));
    if (state == "CheckedOut") == order_id.is_empty() {
        return wrong(
            "an order once it is checked out, and not before",
            format!("{state} with the order {order_id:?}"),
        );
    }
    if (state == "CheckingOut") != basket.contains_key("checkout") {
        return wrong("a checkout while it is checked out, and at no other time", state.to_owned());
    }
    if order_id.is_empty() {
        return None;
    }
    let Some(order) = order else { return wrong("its order", format!("no order {order_id}")) };
    let (key, user) = (text(order, "request_key"), text(order, "user_id"));
    if basket_of(order) != Some(id) {
        return wrong("an order of its own", format!("{order_id}, an order under the key {key}"));
    }
    if user != text(basket, "user_id") {
        return wrong("an order of its user", format!("{order_id}, an order of {user}"));
    }
    let (wanted, ordered) = (units(basket, "items"), units(order, "items"));
    if wanted == ordered { None } else { Some((format!("an order of {wanted:?}"), format!("{ordered:?}"))) }
}
