//! Shipments against their orders.

use super::{
    cluster::{Cluster, Pages, Scope},
    orders::{OrderPhase, contract_name, phase},
    snapshot::{list, text},
    stock::units,
    violation::{Examined, Violation},
};
use bson::{Document, doc};
use std::collections::BTreeMap;

/// Looks at shipments, and from the orders at those that are missing.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (shipments, orders) = (cluster.collection("shipping", "shipments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &shipments, doc! { "state": 1, "order_id": 1 }).await? {
        let ids: Vec<&str> = found.iter().map(|shipment| text(shipment, "order_id")).collect();
        let orders = snapshot.by_id(&orders, &ids, doc! { "state": 1, "saga": 1, "shipments": 1 }).await?;
        for shipment in &found {
            let (id, order_id) = (text(shipment, "_id"), text(shipment, "order_id"));
            examined.checked += 1;
            match orders.get(order_id) {
                None => examined.suspect(id, format!("an order {order_id}"), "no order"),
                Some(order) => {
                    let state = text(shipment, "state");
                    if let Some((expected, found)) = compare(order, state).or_else(|| believed(order, id, state)) {
                        examined.suspect(id, expected, found);
                    }
                }
            }
        }
    }
    examined.suspects.extend(missing(cluster, scope).await?);
    Ok(examined)
}

async fn missing(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Vec<Violation>> {
    let (shipments, orders) = (cluster.collection("shipping", "shipments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) =
        pages.read(cluster, &orders, doc! { "state": 1, "saga": 1, "shipment_id": 1 }).await?
    {
        let ids: Vec<&str> = found.iter().map(|order| text(order, "shipment_id")).collect();
        let known = snapshot.by_id(&shipments, &ids, doc! { "_id": 1 }).await?;
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
    let has_several = list(order, "shipments").count() > 1;
    let wanted: &[&str] = match phase(order) {
        OrderPhase::Moving | OrderPhase::Unknown => return None,
        OrderPhase::Confirmed if has_several => {
            &["Created", "Dispatched", "Delivered", "Lost", "Returned", "Cancelled"]
        }
        OrderPhase::Confirmed => &["Created"],
        OrderPhase::Shipped if has_several => &["Dispatched", "Lost", "Returned", "Delivered", "Cancelled"],
        OrderPhase::Shipped => &["Dispatched", "Lost", "Returned"],
        OrderPhase::Delivered if has_several => &["Delivered", "Returned", "Cancelled"],
        OrderPhase::Delivered => &["Delivered", "Returned"],
        OrderPhase::Over => &["Cancelled", ""],
    };
    if wanted.contains(&state) {
        return None;
    }
    let wanted: Vec<&str> = wanted.iter().copied().filter(|state| !state.is_empty()).collect();
    let expected = format!("{}, for the order is {}", wanted.join(" or "), text(order, "state")).to_uppercase();
    Some((expected, if state.is_empty() { "no shipment".to_owned() } else { state.to_uppercase() }))
}

/// What the order believes of a shipment, when that is something else. An order that is older than splits believes nothing.
fn believed(order: &Document, id: &str, state: &str) -> Option<(String, String)> {
    let mut shipments = list(order, "shipments").peekable();
    if matches!(phase(order), OrderPhase::Moving | OrderPhase::Unknown) || shipments.peek().is_none() {
        return None;
    }
    let known = shipments.find(|known| text(known, "id") == id);
    let believed = known.map_or("no shipment", |known| text(known, "state"));
    (believed != state).then(|| (format!("{}, as the order believes", contract_name(believed)), contract_name(state)))
}

/// The units of an order's shipments are those of the order.
pub async fn carry(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (shipments, orders) = (cluster.collection("shipping", "shipments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) =
        pages.read(cluster, &orders, doc! { "state": 1, "saga": 1, "items": 1 }).await?
    {
        let ids: Vec<&str> = found.iter().map(|order| text(order, "_id")).collect();
        let fields = doc! { "order_id": 1, "lines": 1 };
        let mut carried: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for shipment in snapshot.find(&shipments, doc! { "order_id": { "$in": ids } }, fields, 0).await? {
            let of_order = carried.entry(text(&shipment, "order_id").to_owned()).or_default();
            for (product, quantity) in units(&shipment, "lines") {
                *of_order.entry(product).or_default() += quantity;
            }
        }
        for order in &found {
            if !matches!(phase(order), OrderPhase::Confirmed | OrderPhase::Shipped | OrderPhase::Delivered) {
                continue;
            }
            examined.checked += 1;
            let (id, ordered) = (text(order, "_id"), units(order, "items"));
            let carried = carried.remove(id).unwrap_or_default();
            if ordered != carried {
                examined.suspect(
                    id,
                    format!("the units of the order: {ordered:?}"),
                    format!("{carried:?} in shipments"),
                );
            }
        }
    }
    Ok(examined)
}
