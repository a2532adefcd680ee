//! The rows of reports.

use super::{at, euros};
use crate::domain::{Amount, Bucket, Entered, Layout, Moved, Period, ReportError, fact::MovementKind};
use contracts::money::Money;

fn days(start: &str, end: &str) -> Vec<Bucket> {
    let calendar: crate::domain::Calendar = "Europe/Paris".parse().expect("a zone");
    calendar.buckets(Period::Day, start, end, at("2026-01-01T00:00:00Z")).expect("a range")
}

fn moved(time: &str, kind: MovementKind, amount: Amount, count: i64) -> Moved {
    Moved { at: at(time), kind, amount, count, units: 0 }
}

#[test]
fn sums_are_in_their_rows_and_all_others_are_zeros() {
    let dollars = Amount(Money::from_minor("USD", 999).expect("an amount"));
    let sums = [
        moved("2026-03-28T22:59:59.999Z", MovementKind::Gross, euros(1_000), 3),
        moved("2026-03-28T23:00:00Z", MovementKind::Gross, euros(2_000), 4),
        moved("2026-03-29T21:59:59.999Z", MovementKind::Refunded, euros(2_500), 1),
        moved("2026-03-29T22:00:00Z", MovementKind::Cancelled, dollars, 1),
    ];
    let currencies = sums.iter().map(|sum| sum.amount.0.currency.as_str());
    let layout = Layout::new(days("2026-03-28", "2026-03-31"), "", currencies).expect("a layout");
    let rows = layout.revenue(&sums).expect("rows");
    let row = |row: &crate::domain::RevenueRow| {
        let net = row.net().expect("an amount").to_string();
        format!("{} {net} {} {} {}", row.bucket.label, row.orders, row.cancellations, row.refunds)
    };
    let expected = [
        "2026-03-28 10.00 EUR 3 0 0",
        "2026-03-28 0.00 USD 0 0 0",
        "2026-03-29 -5.00 EUR 4 0 1",
        "2026-03-29 0.00 USD 0 0 0",
        "2026-03-30 0.00 EUR 0 0 0",
        "2026-03-30 -9.99 USD 0 1 0",
    ];
    assert_eq!(rows.iter().map(row).collect::<Vec<_>>(), expected);
}

#[test]
fn a_currency_that_is_asked_for_has_rows_without_any_sum() {
    let layout = Layout::new(days("2026-03-28", "2026-03-30"), "JPY", [].into_iter()).expect("a layout");
    let rows = layout.revenue(&[]).expect("rows");
    assert_eq!(rows.iter().map(|row| row.gross.to_string()).collect::<Vec<_>>(), ["0 JPY", "0 JPY"]);
}

#[test]
fn the_average_basket_is_rounded_half_even_and_absent_without_orders() {
    for (gross, orders, expected) in [(1_001, 2, Some(500)), (1_003, 2, Some(502)), (1_000, 3, Some(333)), (0, 0, None)]
    {
        let sums = [moved("2026-03-28T12:00:00Z", MovementKind::Gross, euros(gross), orders)];
        let layout = Layout::new(days("2026-03-28", "2026-03-29"), "EUR", [].into_iter()).expect("a layout");
        let rows = layout.revenue(&sums).expect("rows");
        let average = rows[0].average_basket().expect("an amount");
        assert_eq!(average.map(|average| average.minor()), expected, "{gross} / {orders}");
    }
}

#[test]
fn conversion_is_a_decimal_number_and_empty_without_orders() {
    for (placed, confirmed, expected) in [(3, 2, "66.67"), (1, 1, "100.00"), (8, 0, "0.00"), (0, 0, "")] {
        let entered = Entered {
            at: at("2026-03-28T12:00:00Z"),
            currency: "EUR".to_owned(),
            placed,
            confirmed,
            shipped: 0,
            delivered: 0,
            rejected: 0,
            cancelled: 0,
            refunded: 0,
        };
        let layout = Layout::new(days("2026-03-28", "2026-03-29"), "EUR", [].into_iter()).expect("a layout");
        let rows = layout.funnel(vec![entered]).expect("rows");
        assert_eq!(rows[0].conversion_percent(), expected);
    }
}

#[test]
fn a_report_of_too_many_rows_is_refused() {
    let found = ["AED", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "INR"];
    let layout = |count: usize| Layout::new(days("2025-01-01", "2026-02-05"), "", found.into_iter().take(count));
    assert!(layout(12).is_ok());
    assert_eq!(layout(13).err(), Some(ReportError::TooManyRows));
}
