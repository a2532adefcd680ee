//! The rows of order-history against the orders.

use super::{
    cluster::{Cluster, Pages, Scope},
    money::amount,
    orders::contract_name,
    read_model::ReadModel,
    snapshot::{number, part, text},
    violation::Examined,
};
use bson::{Document, doc};
use contracts::{
    orders::v1::order::State as OrderState, payments::v1::payment::State as PaymentState,
    shipping::v1::shipment::State as ShipmentState,
};

const ROWS: ReadModel = ReadModel { service: "order-history", rows: "order_history" };

/// Looks at orders, and from the rows at those that have none.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let orders = cluster.collection("orders", "orders")?;
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    let fields = doc! { "outbox": 0, "saga": 0, "history": 0 };
    while let Some((mut snapshot, found)) = pages.read(cluster, &orders, fields.clone()).await? {
        let rows = ROWS.in_use(cluster, &mut snapshot).await?;
        let ids: Vec<&str> = found.iter().map(|order| text(order, "_id")).collect();
        let rows = snapshot.by_id(&rows, &ids, doc! {}).await?;
        for order in &found {
            let id = text(order, "_id");
            examined.checked += 1;
            if let Some((expected, found)) = compare(order, rows.get(id)) {
                examined.suspect(id, expected, found);
            }
        }
    }
    // The other way round: rows without an order.
    ROWS.strangers(cluster, scope, &mut examined).await?;
    Ok(examined)
}

/// What the order says and what its row says, when they differ.
fn compare(order: &Document, row: Option<&Document>) -> Option<(String, String)> {
    let (id, seq) = (text(order, "_id"), number(order, "seq"));
    let Some(row) = row else { return Some(("a row".to_owned(), "no row".to_owned())) };
    let Some(told) = part(row, "order") else {
        return Some(("a row with its order".to_owned(), "no order".to_owned()));
    };
    let applied = part(row, "applied").map_or(0, |applied| number(applied, id));
    if applied != seq {
        return Some((format!("the row after event {seq}"), format!("after event {applied}")));
    }
    let expected = [
        ("state", state(OrderState::from_str_name(&contract_name(text(order, "state"))))),
        ("payment_state", state(PaymentState::from_str_name(&contract_name(text(order, "payment_state"))))),
        ("shipment_state", state(ShipmentState::from_str_name(&contract_name(text(order, "shipment_state"))))),
    ];
    for (name, expected) in expected {
        if number(told, name) != expected {
            return Some((format!("{name} {expected}"), format!("{name} {}", number(told, name))));
        }
    }
    let texts = [
        ("reason", code(text(order, "state"), text(order, "reason")), text(told, "reason")),
        ("user_id", text(order, "user_id"), text(told, "user_id")),
    ];
    for (name, expected, found) in texts {
        if expected != found {
            return Some((format!("{name} {expected:?}"), format!("{name} {found:?}")));
        }
    }
    let (expected, found) = (amount(part(order, "total")), amount(part(told, "total")));
    (expected != found).then(|| (format!("total {expected}"), format!("total {found}")))
}

/// Numbers of the contracts; a state of no contract is that of one who was never asked.
fn state<S: Into<i32>>(state: Option<S>) -> i64 {
    state.map_or(0, |state| i64::from(state.into()))
}

/// Events carry a code for a reason in somebody's own words, which every reason to cancel but that of orders may be.
fn code<'a>(state: &str, reason: &'a str) -> &'a str {
    let is_code = match state {
        "Cancelling" | "Cancelled" => reason == "SHIPMENTS_STOPPED",
        _ => reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'),
    };
    if is_code { reason } else { "CANCELLED" }
}
