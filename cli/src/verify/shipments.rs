//! Shipments against their orders.

use super::{
    cut::text,
    invariant::{Examined, Violation},
    orders::{Standing, standing},
    site::{PAGE, Pages, Scope, Site},
};
use bson::{Document, doc};

/// Looks at shipments, and from the orders at those that are missing.
pub async fn examine(site: &Site, scope: &Scope) -> anyhow::Result<Examined> {
    let (shipments, orders) = (site.collection("shipping", "shipments")?, site.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some(filter) = pages.next() {
        let mut cut = site.cut().await?;
        let found = cut.find(&shipments, filter, doc! { "state": 1, "order_id": 1 }, PAGE).await?;
        pages.seen(&found);
        let ids: Vec<&str> = found.iter().map(|shipment| text(shipment, "order_id")).collect();
        let orders = cut.by_id(&orders, &ids, doc! { "state": 1, "saga": 1 }).await?;
        for shipment in &found {
            let (id, order_id) = (text(shipment, "_id"), text(shipment, "order_id"));
            examined.checked += 1;
            match orders.get(order_id) {
                None => examined.suspect(id, format!("an order {order_id}"), "no order"),
                Some(order) => {
                    if let Some((expected, found)) = compare(order, text(shipment, "state")) {
                        examined.suspect(id, expected, found);
                    }
                }
            }
        }
    }
    examined.suspects.extend(missing(site, scope).await?);
    Ok(examined)
}

async fn missing(site: &Site, scope: &Scope) -> anyhow::Result<Vec<Violation>> {
    let (shipments, orders) = (site.collection("shipping", "shipments")?, site.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some(filter) = pages.next() {
        let mut cut = site.cut().await?;
        let found = cut.find(&orders, filter, doc! { "state": 1, "saga": 1, "shipment_id": 1 }, PAGE).await?;
        pages.seen(&found);
        let ids: Vec<&str> = found.iter().map(|order| text(order, "shipment_id")).collect();
        let known = cut.by_id(&shipments, &ids, doc! { "_id": 1 }).await?;
        for order in found.iter().filter(|order| !known.contains_key(text(order, "shipment_id"))) {
            if let Some((expected, found)) = compare(order, "") {
                examined.suspect(text(order, "_id"), expected, found);
            }
        }
    }
    Ok(examined.suspects)
}

/// What should be and what is, when they differ; no shipment is an empty state.
fn compare(order: &Document, state: &str) -> Option<(String, String)> {
    let wanted: &[&str] = match standing(order) {
        Standing::Moving => return None,
        Standing::Confirmed => &["Created"],
        Standing::Shipped => &["Dispatched", "Lost"],
        Standing::Delivered => &["Delivered"],
        Standing::Over => &["Cancelled", ""],
    };
    if wanted.contains(&state) {
        return None;
    }
    let wanted: Vec<&str> = wanted.iter().copied().filter(|state| !state.is_empty()).collect();
    let expected = format!("{}, for the order is {}", wanted.join(" or "), text(order, "state")).to_uppercase();
    Some((expected, if state.is_empty() { "no shipment".to_owned() } else { state.to_uppercase() }))
}
