//! What reports sum: the orders of a running shop, and facts around the days on which clocks change.

use super::{cents, facts_have_caught_up, sell};
use crate::cli::verify::is_clean;
use anyhow::ensure;
use bson::{DateTime, Document, doc};
use kit::shop::{TIMEOUT, fields, reason};
use kit::{Client, Process, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};

/// The rows of a report for which `is_full` holds.
fn full(report: &Value, is_full: impl Fn(&Value) -> bool) -> Vec<&Value> {
    report["rows"].as_array().expect("a list").iter().filter(|row| is_full(row)).collect()
}

/// A count, or an amount in cents.
fn number(value: &Value) -> i64 {
    match value {
        Value::String(count) => count.parse().expect("a count"),
        Value::Number(cents) => cents.as_i64().expect("cents"),
        amount => cents(amount),
    }
}

/// The sum of all rows: those of sales between which midnight came are two.
fn summed(report: &Value, name: &str) -> i64 {
    full(report, |_| true).iter().map(|row| number(&row[name])).sum()
}

/// A stack whose shop is in Paris, and its analytics.
async fn paris() -> (Stack, Process) {
    let stack = Stack::start(StackOptions::without(&["analytics"])).await;
    let analytics = stack.serve_with("analytics", &[("COMPTOIR_TIME_ZONE", "Europe/Paris")]);
    let staff = Client::staff(&stack).await;
    eventually(TIMEOUT, || async {
        ensure!(staff.get("/v1/analytics/revenue").await.status == 200, "analytics is not up");
        Ok(())
    })
    .await;
    (stack, analytics)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reports_are_what_the_shop_sold_cancelled_and_refunded_to_the_cent() {
    let (stack, analytics) = paris().await;
    let (product, expected) = sell(&stack).await;
    let facts = facts_have_caught_up(&stack).await;
    assert!(!format!("{facts:?}").contains("usr_"), "no fact knows who has ordered");
    let staff = Client::staff(&stack).await;
    for period in ["DAY", "WEEK", "MONTH"] {
        let report = staff.get(&format!("/v1/analytics/revenue?period={period}")).await.expect(200);
        assert_eq!(
            (&report["timeZone"], report["rows"].as_array().expect("a list").len()),
            (&json!("Europe/Paris"), 30)
        );
        for (name, value) in expected.as_object().expect("an object") {
            match name.as_str() {
                "averageBasket" => {
                    let all = full(&report, |row| row["orders"] == expected["orders"]);
                    assert!(all.iter().all(|row| json!(cents(&row[name])) == *value), "{name} by {period}: {all:?}");
                }
                _ => assert_eq!(summed(&report, name), number(value), "{name} by {period}"),
            }
        }
        let funnel = staff.get(&format!("/v1/analytics/funnel?period={period}&currencyCode=EUR")).await.expect(200);
        let counts = ["placed", "confirmed", "shipped", "delivered", "rejected", "cancelled", "refunded"];
        assert_eq!(counts.map(|name| summed(&funnel, name)), [5, 4, 2, 0, 1, 1, 1], "by {period}");
        let all = full(&funnel, |row| row["placed"] == "5");
        assert!(all.iter().all(|row| row["conversionPercent"] == "80.00"), "by {period}: {all:?}");
    }
    let top = staff.get("/v1/analytics/products?currencyCode=eur").await.expect(200);
    let rows = full(&top, |_| true);
    assert_eq!((rows.len(), &rows[0]["productId"], cents(&rows[0]["gross"])), (1, &json!(product), 12_500));
    assert_eq!((&rows[0]["orders"], &rows[0]["units"]), (&json!("4"), &json!("10")));
    is_clean(&stack).await;
    analytics.stop(TIMEOUT).await.expect("analytics drains");
    stack.stop().await;
}

/// A fact as it is stored: confirmed at this time for so many cents, of one product.
fn fact(id: &str, at: &str, cents: i64, product: &str) -> Document {
    let at = DateTime::parse_rfc3339_str(at).expect("a time");
    let number = format!("{}.{:02}", cents / 100, cents % 100);
    let amount = doc! { "currency": "EUR", "amount": number.parse::<bson::Decimal128>().expect("a number") };
    let line = doc! { "product_id": product, "sku": product, "name": product, "units": 1_i64, "gross": &amount };
    doc! {
        "_id": id, "rev": 1_i64, "seq": 2_i64, "state": 2, "confirmed_at": at,
        "order": { "at": at, "total": &amount, "units": 1_i64, "lines": [line] },
        "movements": [{ "kind": "gross", "at": at, "amount": amount, "units": 1_i64 }],
    }
}

/// The report's rows as `period gross`, in cents, without those of nothing.
fn sums(report: &Value) -> Vec<String> {
    let rows = full(report, |row| row["orders"] != "0");
    rows.iter().map(|row| format!("{} {}", row["period"].as_str().expect("a text"), cents(&row["gross"]))).collect()
}

#[tokio::test]
async fn sums_are_those_of_the_days_of_the_shop_also_when_clocks_change() {
    let (stack, analytics) = paris().await;
    let times = [
        ("2026-03-28T22:59:59.999Z", 1),
        ("2026-03-28T23:00:00Z", 2), // midnight, in winter
        ("2026-03-29T21:59:59.999Z", 4),
        ("2026-03-29T22:00:00Z", 8), // midnight, in summer; a Monday
        ("2026-10-24T21:59:59.999Z", 16),
        ("2026-10-24T22:00:00Z", 32),
        ("2026-10-25T00:30:00Z", 64),  // half past two
        ("2026-10-25T01:30:00Z", 128), // half past two once more
        ("2026-10-25T22:59:59.999Z", 256),
        ("2026-10-25T23:00:00Z", 512),
    ];
    let documents = (0..).zip(times).map(|(number, (at, cents))| fact(&format!("ord_{number}"), at, cents, "prd_1"));
    stack.db("analytics").collection::<Document>("facts").insert_many(documents).await.expect("root may");
    let staff = Client::staff(&stack).await;
    let report = async |query: &str| staff.get(&format!("/v1/analytics/revenue?{query}")).await.expect(200);
    let spring = report("startDate=2026-03-28&endDate=2026-03-31").await;
    assert_eq!(sums(&spring), ["2026-03-28 1", "2026-03-29 6", "2026-03-30 8"]);
    let autumn = report("startDate=2026-10-24&endDate=2026-10-27").await;
    assert_eq!(sums(&autumn), ["2026-10-24 16", "2026-10-25 480", "2026-10-26 512"]);
    assert_eq!(autumn["rows"][1]["startTime"], "2026-10-24T22:00:00Z");
    assert_eq!(autumn["rows"][1]["endTime"], "2026-10-25T23:00:00Z");
    let half_open = report("startDate=2026-10-24&endDate=2026-10-25").await;
    assert_eq!(sums(&half_open), ["2026-10-24 16"]);
    let weeks = report("period=WEEK&startDate=2026-03-29&endDate=2026-10-27").await;
    assert_eq!(sums(&weeks), ["2026-W13 7", "2026-W14 8", "2026-W43 496", "2026-W44 512"]);
    let months = report("period=MONTH&startDate=2026-01-01&endDate=2027-01-01").await;
    assert_eq!(sums(&months), ["2026-03 15", "2026-10 1008"]);
    assert_eq!(months["rows"].as_array().expect("a list").len(), 12, "those of nothing are there too");
    analytics.stop(TIMEOUT).await.expect("analytics drains");
    stack.stop().await;
}

#[tokio::test]
async fn products_are_ranked_by_what_was_paid_or_by_units_and_bounded() {
    let stack = Stack::start(StackOptions::default()).await;
    let sold = [("prd_a", 500), ("prd_b", 300), ("prd_b", 200), ("prd_c", 900), ("prd_d", 1)];
    let documents = (0..).zip(sold).map(|(number, (product, cents))| {
        fact(&format!("ord_{number}"), &format!("2026-05-0{}T12:00:00Z", number + 1), cents, product)
    });
    stack.db("analytics").collection::<Document>("facts").insert_many(documents).await.expect("root may");
    let staff = Client::staff(&stack).await;
    let ranked = async |query: &str| -> Vec<String> {
        let path = format!("/v1/analytics/products?currencyCode=EUR&{query}");
        let report = staff.get(&path).await.expect(200);
        full(&report, |_| true).iter().map(|row| row["productId"].as_str().expect("a text").to_owned()).collect()
    };
    assert_eq!(
        ranked("startDate=2026-05-01&endDate=2026-06-01&rank=GROSS").await,
        ["prd_c", "prd_a", "prd_b", "prd_d"],
        "of equals the smaller id first"
    );
    assert_eq!(ranked("period=MONTH&endDate=2026-06-01&rank=UNITS&limit=2").await, ["prd_b", "prd_a"]);
    assert_eq!(ranked("startDate=2026-06-01&endDate=2026-07-01").await, Vec::<String>::new());
    stack.stop().await;
}

#[tokio::test]
async fn a_range_that_is_none_names_the_field_at_fault() {
    let staff = Client::staff(shared().await).await;
    for (query, field) in [
        ("startDate=2026-02-30", "startDate"),
        ("startDate=March", "startDate"),
        ("startDate=2026-03-02&endDate=2026-03-02", "endDate"),
        ("startDate=2020-01-01&endDate=2026-01-01", "endDate"),
        ("currencyCode=EURO", "currencyCode"),
        ("currencyCode=ZZZ", "currencyCode"),
        ("period=HOUR", "period"),
    ] {
        let refused = staff.get(&format!("/v1/analytics/revenue?{query}")).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{query}: {refused:?}");
        assert_ne!(reason(&refused), "", "{refused:?}");
    }
    for report in ["funnel", "products"] {
        let refused = staff.get(&format!("/v1/analytics/{report}?currencyCode=ZZZ")).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["currencyCode".to_owned()]), "{report}: {refused:?}");
    }
    let refused = staff.get("/v1/analytics/products").await;
    assert_eq!(fields(&refused), ["currencyCode"], "amounts of several currencies cannot be compared");
}
