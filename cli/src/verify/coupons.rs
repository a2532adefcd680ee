//! The count of each coupon against the redemptions that count, and these against their orders.

use super::{
    cluster::{Cluster, Pages, Scope},
    snapshot::{number, text},
    violation::Examined,
};
use bson::{Document, doc};
use std::collections::HashMap;

const SERVICE: &str = "orders";

/// The sagas that use a coupon.
const PLACING: [&str; 2] = ["place_order_with_coupon", "place_free_order"];

/// Count = redemptions that count, no more than may be, and none of an order that should have given its use back.
pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let (coupons, redemptions) = (cluster.collection(SERVICE, "coupons")?, cluster.collection(SERVICE, "redemptions")?);
    let (mut examined, mut pages) = (Examined::default(), Pages::new(scope));
    while let Some((mut snapshot, found)) = pages.read(cluster, &coupons, doc! { "outbox": 0, "requests": 0 }).await? {
        let codes: Vec<&str> = found.iter().map(|document| text(document, "_id")).collect();
        let counts = snapshot.aggregate(&redemptions, counts(&codes)).await?;
        let counts: HashMap<&str, &Document> = counts.iter().map(|count| (text(count, "_id"), count)).collect();
        for coupon in &found {
            let (code, none) = (text(coupon, "_id"), Document::new());
            let counted = counts.get(code).copied().unwrap_or(&none);
            let (uses, stray) = (number(counted, "uses"), number(counted, "stray"));
            let (count, most) = (number(coupon, "redemption_count"), number(coupon, "max_redemptions"));
            examined.checked += 1;
            if count != uses {
                examined.suspect(code, format!("a count of {uses}, its redemptions"), format!("a count of {count}"));
            } else if most > 0 && count > most {
                examined.suspect(code, format!("at most {most} redemptions"), format!("{count}"));
            } else if stray > 0 {
                let expected = "redemptions of orders that are being placed, or were confirmed and not cancelled";
                examined.suspect(code, expected, format!("{stray} without such an order"));
            }
        }
    }
    Ok(examined)
}

/// Redemptions that count, by coupon, and how many of them have no order that may use it.
fn counts(codes: &[&str]) -> Vec<Document> {
    let of_saga = |field: &str, value: &str| doc! { "$in": [value, format!("$order.saga.{field}")] };
    let is_placing = doc! { "$or": PLACING.map(|kind| of_saga("kind", kind)).to_vec() };
    let gave_up = doc! { "$and": [is_placing, of_saga("status", "Compensated")] };
    let cancelled = doc! { "$and": [of_saga("kind", "cancel_order_with_coupon"), of_saga("status", "Completed")] };
    let has_ended = of_saga("kind", "cancel_late_payment");
    // An order that was never written, or whose saga has given the use back, must not count.
    let is_stray = doc! { "$or": [{ "$eq": ["$order", []] }, gave_up, cancelled, has_ended] };
    vec![
        doc! { "$match": { "code": { "$in": codes }, "state": "Redeemed" } },
        doc! { "$lookup": { "from": "orders", "localField": "_id", "foreignField": "_id", "as": "order" } },
        doc! { "$group": {
            "_id": "$code",
            "uses": { "$sum": 1_i64 },
            "stray": { "$sum": { "$cond": [is_stray, 1_i64, 0_i64] } },
        } },
    ]
}
