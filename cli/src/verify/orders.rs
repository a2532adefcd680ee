//! Orders and their sagas, and the phase of an order for the invariants that compare it with others.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{list, number, part, text},
    violation::Examined,
};
use bson::{Document, doc};

/// The states that orders stores; another one is a violation, for nothing in this build could move such an order.
const STATES: [&str; 7] = ["Pending", "Confirmed", "Shipped", "Delivered", "Rejected", "Cancelling", "Cancelled"];

/// The part of an order's life that decides where its peers have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderPhase {
    /// A saga is at work, or waits for a person: its peers may be anywhere on the way.
    Moving,
    /// CONFIRMED, and nothing is under way.
    Confirmed,
    Shipped,
    Delivered,
    /// Rejected or cancelled.
    Over,
    /// A stored state of no known name. `orders-end-or-live` reports it; nothing can be said about the peers.
    Unknown,
}

pub fn phase(order: &Document) -> OrderPhase {
    let has_ended = part(order, "saga").is_none_or(|saga| matches!(text(saga, "status"), "Completed" | "Compensated"));
    if !has_ended {
        return OrderPhase::Moving;
    }
    match text(order, "state") {
        "Confirmed" => OrderPhase::Confirmed,
        "Shipped" => OrderPhase::Shipped,
        "Delivered" => OrderPhase::Delivered,
        "Rejected" | "Cancelled" => OrderPhase::Over,
        "Pending" | "Cancelling" => OrderPhase::Moving,
        _ => OrderPhase::Unknown,
    }
}

/// Every order is terminal, or its saga lives: it has a time to wake, or is parked with a reason.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let orders = cluster.collection("orders", "orders")?;
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((_, found)) = pages.read(cluster, &orders, doc! { "state": 1, "saga": 1, "reason": 1 }).await? {
        for order in &found {
            examined.checked += 1;
            if let Some(why) = stuck(order) {
                examined.suspect(text(order, "_id"), "an end, or a saga that lives", why);
            }
        }
    }
    Ok(examined)
}

fn stuck(order: &Document) -> Option<String> {
    let state = text(order, "state");
    let Some(saga) = part(order, "saga") else { return Some(format!("{state} without a saga")) };
    let (status, is_woken) = (text(saga, "status"), saga.get_datetime("wake_at").is_ok());
    if !STATES.contains(&state) {
        return Some(format!("{state:?} is no state of an order"));
    }
    match status {
        "Completed" | "Compensated" if matches!(state, "Pending" | "Cancelling") => {
            Some(format!("{state}, and its saga is {status}"))
        }
        "Completed" | "Compensated" => None,
        "Parked" if has_reason(saga) => None,
        "Parked" => Some(format!("{state}, parked without a reason")),
        "Running" | "Compensating" if is_woken => None,
        "Running" | "Compensating" => Some(format!("{state}, its saga is {status} and never wakes")),
        _ => Some(format!("{state}, {status:?} is no status of a saga")),
    }
}

/// Why a saga is parked stands at the saga, or at the step that it has come to.
fn has_reason(saga: &Document) -> bool {
    let step = usize::try_from(number(saga, "step")).ok().and_then(|step| list(saga, "steps").nth(step));
    !text(saga, "parked").is_empty() || step.is_some_and(|step| !text(step, "error").is_empty())
}

/// Name of a contract's state for a stored one: `ActionRequired` is ACTION_REQUIRED.
pub fn contract_name(stored: &str) -> String {
    let mut name = String::new();
    for (index, letter) in stored.chars().enumerate() {
        if letter.is_uppercase() && index > 0 {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}
