//! Payments against their orders, and against the provider's book.

use super::{
    cluster::{Cluster, Pages, Scope},
    ledgers,
    orders::{OrderPhase, phase},
    snapshot::{list, part, text},
    violation::Examined,
};
use bson::{Bson, Document, doc};

/// The book of the sandbox provider; another provider has none here.
const BOOK: (&str, &str) = ("sandbox-psp", "charges");

/// Key of a payment's authorization at the provider.
const AUTHORIZE: &str = "/authorize";

/// Looks at payments, and from the orders at those that are missing.
pub async fn payments(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (payments, orders) = (cluster.collection("payments", "payments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &payments, doc! { "outbox": 0, "token": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|payment| text(payment, "order_id")).collect();
        let orders = snapshot.by_id(&orders, &ids, doc! { "outbox": 0, "history": 0 }).await?;
        for payment in &found {
            let (id, order_id) = (text(payment, "_id"), text(payment, "order_id"));
            examined.checked += 1;
            match orders.get(order_id) {
                None => examined.suspect(id, format!("an order {order_id}"), "no order"),
                Some(order) if text(order, "payment_id") != id => {
                    let other = text(order, "payment_id");
                    examined.suspect(
                        id,
                        format!("{other}, the payment of {order_id}"),
                        "another payment for the order",
                    );
                }
                Some(order) => {
                    if let Some((expected, found)) = compare(order, Some(payment)) {
                        examined.suspect(id, expected, found);
                    }
                }
            }
        }
    }
    examined.suspects.extend(missing(cluster, scope).await?);
    Ok(examined)
}

async fn missing(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Vec<super::violation::Violation>> {
    let (payments, orders) = (cluster.collection("payments", "payments")?, cluster.collection("orders", "orders")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &orders, doc! { "outbox": 0, "history": 0 }).await? {
        let ids: Vec<&str> = found.iter().map(|order| text(order, "payment_id")).collect();
        let known = snapshot.by_id(&payments, &ids, doc! { "_id": 1 }).await?;
        for order in found.iter().filter(|order| !known.contains_key(text(order, "payment_id"))) {
            if let Some((expected, found)) = compare(order, None) {
                examined.suspect(text(order, "_id"), expected, found);
            }
        }
    }
    Ok(examined.suspects)
}

/// What should be and what is, when they differ.
fn compare(order: &Document, payment: Option<&Document>) -> Option<(String, String)> {
    let wanted: &[&str] = match phase(order) {
        OrderPhase::Moving | OrderPhase::Unknown => return None,
        // An order that has nothing to pay has no payment.
        _ if is_nothing(part(order, "total")) => &["Unspecified", "Voided"],
        OrderPhase::Confirmed if has_captured(order) => &["Captured"],
        OrderPhase::Confirmed => &["Authorized"],
        OrderPhase::Shipped | OrderPhase::Delivered if is_refunded(order) => &["Refunded"],
        // What has left was free, and what was to be paid was stopped.
        OrderPhase::Shipped | OrderPhase::Delivered if owes_nothing(order) => &["Voided"],
        OrderPhase::Shipped | OrderPhase::Delivered => &["Captured"],
        OrderPhase::Over => &["Voided", "Declined", "Refunded", "Unspecified"],
    };
    let is = payment.map_or("Unspecified", |payment| text(payment, "state"));
    if !wanted.contains(&is) {
        let (wanted, state) = (wanted.join(" or ").to_uppercase(), text(order, "state").to_uppercase());
        return Some((format!("{wanted}, for the order is {state}"), name(is)));
    }
    let believed = text(order, "payment_state");
    if believed != is {
        return Some((format!("{}, as the order believes", name(believed)), name(is)));
    }
    let payment = payment?;
    let authorized = list(payment, "ledger").filter(|entry| text(entry, "kind") == "Authorization").count();
    if authorized > 1 {
        return Some(("one authorization".to_owned(), format!("{authorized} authorizations")));
    }
    let asked = amount(part(payment, "asked").and_then(|asked| part(asked, "amount")));
    let total = amount(part(order, "total"));
    let is_other = !asked.is_empty() && asked != total;
    is_other.then(|| (format!("{total}, the total of the order"), asked))
}

/// Whether a part of it has left and is paid.
fn has_captured(order: &Document) -> bool {
    let captures = list(order, "shipments").filter_map(|shipment| part(shipment, "capture"));
    captures.filter_map(|capture| part(capture, "amount")).any(|amount| !is_nothing(Some(amount)))
}

/// Whether parts of it have left, and none of them had a price.
fn owes_nothing(order: &Document) -> bool {
    list(order, "shipments").any(|shipment| part(shipment, "capture").is_some()) && !has_captured(order)
}

/// Whether money was given back: units that had cost nothing come back without any.
fn is_refunded(order: &Document) -> bool {
    let done = list(order, "refunds").filter(|refund| text(refund, "progress") == "Done");
    done.filter_map(|refund| part(refund, "amount")).any(|amount| !is_nothing(Some(amount)))
}

fn is_nothing(money: Option<&Document>) -> bool {
    amount(money).starts_with("0 ")
}

fn name(state: &str) -> String {
    if state == "Unspecified" { "no payment".to_owned() } else { super::orders::contract_name(state) }
}

/// `12.5 EUR`; empty when there is none. Zeros at the end say nothing.
pub fn amount(money: Option<&Document>) -> String {
    let Some(money) = money else { return String::new() };
    let number = match money.get("amount") {
        Some(Bson::Decimal128(number)) => number.to_string(),
        _ => String::new(),
    };
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { &number };
    format!("{number} {}", text(money, "currency"))
}

/// The provider's book against the payments.
pub async fn charges(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (book, payments) = (cluster.collection(BOOK.0, BOOK.1)?, cluster.collection("payments", "payments")?);
    let mut examined = Examined::default();
    // With another provider there is no such collection, and nothing to compare.
    if cluster.snapshot().await?.find(&book, doc! {}, doc! { "_id": 1 }, 1).await?.is_empty() {
        return Ok(examined); // no sandbox
    }
    let mut pages = Pages::new(scope);
    while let Some((mut snapshot, found)) = pages.read(cluster, &book, doc! {}).await? {
        let ids: Vec<&str> = found.iter().map(payment_of).collect();
        let payments = snapshot.by_id(&payments, &ids, doc! { "outbox": 0, "token": 0 }).await?;
        for charge in &found {
            let id = text(charge, "_id");
            examined.checked += 1;
            if let Some((expected, found)) = compare_charge(charge, payments.get(payment_of(charge))) {
                examined.suspect(id, expected, found);
            }
        }
    }
    examined.suspects.extend(uncharged(cluster, scope).await?);
    Ok(examined)
}

fn payment_of(charge: &Document) -> &str {
    let key = text(charge, "_id");
    key.strip_suffix(AUTHORIZE).unwrap_or(key)
}

fn compare_charge(charge: &Document, payment: Option<&Document>) -> Option<(String, String)> {
    let status = text(charge, "status");
    let Some(payment) = payment else {
        return Some(("a payment that asked for it".to_owned(), format!("{}, and no payment", name(status))));
    };
    if part(payment, "intent").is_some() {
        return None; // the provider is being asked
    }
    let (state, charged) = (text(payment, "state"), amount(part(charge, "amount")));
    if state != status {
        return Some((format!("{}, as the payment", name(state)), format!("the provider has {}", name(status))));
    }
    let asked = amount(part(payment, "asked").and_then(|asked| part(asked, "amount")));
    if asked != charged {
        return Some((format!("{asked}, as the payment"), format!("the provider has {charged}")));
    }
    ledgers::differing(charge, payment)
}

/// Payments that say that money moved, and the provider knows nothing of it.
async fn uncharged(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Vec<super::violation::Violation>> {
    let (book, payments) = (cluster.collection(BOOK.0, BOOK.1)?, cluster.collection("payments", "payments")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &payments, doc! { "state": 1 }).await? {
        let keys: Vec<String> = found.iter().map(|payment| text(payment, "_id").to_owned() + AUTHORIZE).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let charges = snapshot.by_id(&book, &keys, doc! { "_id": 1 }).await?;
        for (payment, key) in found.iter().zip(keys) {
            let state = text(payment, "state");
            if matches!(state, "Authorized" | "Captured" | "Refunded") && !charges.contains_key(key) {
                examined.suspect(
                    text(payment, "_id"),
                    format!("a charge {key}, for it is {}", name(state)),
                    "no charge",
                );
            }
        }
    }
    Ok(examined.suspects)
}
