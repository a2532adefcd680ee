//! Orders and their sagas, and how an order stands for the invariants that compare it with others.

use super::{
    cut::{list, number, part, text},
    invariant::Examined,
    site::{PAGE, Pages, Scope, Site},
};
use bson::{Document, doc};

/// How the invariants see an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A saga is at work, or waits for a person: its peers may be anywhere on the way.
    Moving,
    /// CONFIRMED, and nothing is under way.
    Confirmed,
    /// With the carrier.
    Shipped,
    /// At the door.
    Delivered,
    /// Rejected or cancelled.
    Over,
}

/// Where this order stands.
pub fn standing(order: &Document) -> Standing {
    let has_ended = part(order, "saga").is_none_or(|saga| matches!(text(saga, "status"), "Completed" | "Compensated"));
    if !has_ended {
        return Standing::Moving;
    }
    match text(order, "state") {
        "Confirmed" => Standing::Confirmed,
        "Shipped" => Standing::Shipped,
        "Delivered" => Standing::Delivered,
        "Rejected" | "Cancelled" => Standing::Over,
        _ => Standing::Moving,
    }
}

/// Every order is terminal, or its saga lives: it has a time to wake, or is parked with a reason.
pub async fn examine(site: &Site, scope: &Scope) -> anyhow::Result<Examined> {
    let orders = site.collection("orders", "orders")?;
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some(filter) = pages.next() {
        let found = site.cut().await?.find(&orders, filter, doc! { "state": 1, "saga": 1, "reason": 1 }, PAGE).await?;
        pages.seen(&found);
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
    match status {
        "Completed" | "Compensated" if matches!(state, "Pending" | "Cancelling") => {
            Some(format!("{state}, and its saga is {status}"))
        }
        "Completed" | "Compensated" => None,
        "Parked" if has_reason(saga) => None,
        "Parked" => Some(format!("{state}, parked without a reason")),
        _ if is_woken => None,
        _ => Some(format!("{state}, its saga is {status} and never wakes")),
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
