//! Reservations against their orders, and against the clock.

use super::{
    cluster::{Cluster, Pages, Scope},
    orders::{OrderPhase, phase},
    snapshot::text,
    stock::units,
    violation::Examined,
};
use bson::{Document, doc};

/// The sweeper waits for this part of a hold's life after its end, and once more when it starts.
const GRACE_PART: i64 = 15;

/// What the sweeper needs beyond its grace.
const SWEEP_MS: i64 = 5_000;

const NONE: &str = "no reservation";

/// Looks at reservations, and from the orders at those that are missing.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let mut examined = of_reservations(cluster, scope).await?;
    examined.suspects.extend(missing(cluster, scope).await?);
    Ok(examined)
}

async fn of_reservations(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (reservations, orders) =
        (cluster.collection("inventory", "reservations")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &reservations, doc! { "outbox": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|document| text(document, "_id")).collect();
        let fields = doc! { "state": 1, "saga": 1, "items": 1 };
        let orders = snapshot.by_id(&orders, &ids, fields).await?;
        let now = bson::DateTime::now().timestamp_millis();
        for reservation in &found {
            let id = text(reservation, "_id");
            examined.checked += 1;
            match orders.get(id) {
                None => examined.suspect(id, "an order of this id", format!("{}, and no order", state(reservation))),
                Some(order) => {
                    if let Some((expected, found)) = compare(order, reservation).or_else(|| overdue(reservation, now)) {
                        examined.suspect(id, expected, found);
                    }
                }
            }
        }
    }
    Ok(examined)
}

fn state(reservation: &Document) -> String {
    text(reservation, "state").to_uppercase()
}

fn compare(order: &Document, reservation: &Document) -> Option<(String, String)> {
    let (is, order_is) = (text(reservation, "state"), text(order, "state").to_uppercase());
    let wanted: &[&str] = match phase(order) {
        OrderPhase::Moving | OrderPhase::Unknown => return None,
        OrderPhase::Confirmed => &["Committed"],
        OrderPhase::Shipped | OrderPhase::Delivered => &["Shipped"],
        OrderPhase::Over => &["Released", "Expired"],
    };
    if !wanted.contains(&is) {
        let wanted = wanted.join(" or ").to_uppercase();
        return Some((format!("{wanted}, for the order is {order_is}"), state(reservation)));
    }
    let (ordered, kept) = (units(order, "items"), units(reservation, "lines"));
    // A release that came before its hold leaves a reservation without lines, which refuses the late hold.
    let is_mark = kept.is_empty() && is == "Released";
    (!is_mark && ordered != kept).then(|| (format!("the units of the order: {ordered:?}"), format!("{kept:?}")))
}

/// A hold whose end is so long ago that the sweeper should have met it.
fn overdue(reservation: &Document, now: i64) -> Option<(String, String)> {
    let at = |name: &str| reservation.get_datetime(name).map_or(i64::MAX, |at| at.timestamp_millis());
    let end = at("expires_at");
    // A hold is written when it is made and when it is extended: that is how long it lives.
    let grace = end.saturating_sub(at("updated_at")).max(0) / GRACE_PART * 2 + SWEEP_MS;
    let is_overdue = text(reservation, "state") == "Held" && now > end.saturating_add(grace);
    let ended = || bson::DateTime::from_millis(end).try_to_rfc3339_string().unwrap_or_default();
    is_overdue.then(|| ("no hold past its end".to_owned(), format!("HELD, and its end was {}", ended())))
}

/// Orders that should have a reservation and have none.
async fn missing(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Vec<super::violation::Violation>> {
    let (reservations, orders) =
        (cluster.collection("inventory", "reservations")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &orders, doc! { "state": 1, "saga": 1 }).await? {
        let ids: Vec<&str> = found.iter().map(|document| text(document, "_id")).collect();
        let known = snapshot.by_id(&reservations, &ids, doc! { "_id": 1 }).await?;
        for order in found.iter().filter(|order| !known.contains_key(text(order, "_id"))) {
            if matches!(phase(order), OrderPhase::Confirmed | OrderPhase::Shipped | OrderPhase::Delivered) {
                let expected = format!("a reservation, for the order is {}", text(order, "state").to_uppercase());
                examined.suspect(text(order, "_id"), expected, NONE);
            }
        }
    }
    Ok(examined.suspects)
}
