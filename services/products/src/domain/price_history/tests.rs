//! Which prices are kept, and which was the lowest.

use crate::domain::price_history::{KEPT_PRICES, PriceStart, after, known_since, lowest_before, spans};
use ::store::Time;
use contracts::money::Money;

const DAY: i64 = 24 * 3600 * 1000;

fn eur(text: &str) -> Money {
    Money::parse("EUR", text).expect("a price")
}

fn prices(starts: &[(i64, &str)]) -> Vec<PriceStart> {
    starts.iter().map(|(day, price)| PriceStart { price: eur(price), at: Time::from_millis(day * DAY) }).collect()
}

fn lowest_of(starts: &[PriceStart]) -> Option<String> {
    lowest_before(&spans(starts), known_since(starts)).map(ToString::to_string)
}

fn lowest(starts: &[(i64, &str)]) -> Option<String> {
    lowest_of(&prices(starts))
}

#[test]
fn a_price_begins_when_it_is_another_one() {
    let first = after(Vec::new(), &eur("10"), Time::from_millis(0));
    assert_eq!(first, prices(&[(0, "10")]));
    assert_eq!(after(first.clone(), &eur("10.00"), Time::from_millis(DAY)), first);
    assert_eq!(after(first, &eur("9"), Time::from_millis(DAY)), prices(&[(0, "10"), (1, "9")]));
}

#[test]
fn the_newest_hundred_prices_are_kept() {
    let mut all = Vec::new();
    for number in 0..250 {
        all = after(all, &eur(&number.to_string()), Time::from_millis(number));
    }
    let kept: Vec<i64> = all.iter().map(|start| start.at.timestamp_millis()).collect();
    assert_eq!(kept, (250 - KEPT_PRICES as i64..250).collect::<Vec<_>>());
}

#[test]
fn the_lowest_price_of_the_thirty_days_before_the_present_one_counts() {
    assert_eq!(lowest(&[(0, "10")]), None, "there was none before");
    assert_eq!(lowest(&[(0, "10"), (50, "8")]).as_deref(), Some("10.00 EUR"));
    // It was raised, and then reduced to less than that.
    assert_eq!(lowest(&[(0, "10"), (95, "15"), (100, "12")]).as_deref(), Some("10.00 EUR"));
    // The lowest one ended 30 days before, and a moment later.
    assert_eq!(lowest(&[(0, "5"), (70, "15"), (100, "12")]).as_deref(), Some("15.00 EUR"));
    assert_eq!(lowest(&[(0, "5"), (71, "15"), (100, "12")]).as_deref(), Some("5.00 EUR"));
    let often: Vec<(i64, &str)> =
        (0..KEPT_PRICES as i64).map(|day| (day, if day % 2 == 0 { "10" } else { "11" })).collect();
    assert_eq!(lowest(&often).as_deref(), Some("10.00 EUR"));
    let within =
        often.iter().map(|(day, price)| PriceStart { price: eur(price), at: Time::from_millis(day * DAY / 10) });
    assert_eq!(lowest_of(&within.collect::<Vec<_>>()), None, "one that was dropped may have been lower");
    let mut other = prices(&[(0, "10"), (90, "15"), (100, "12")]);
    other[0].price = Money::parse("USD", "10").expect("a price");
    assert_eq!(lowest_of(&other).as_deref(), Some("15.00 EUR"), "in its currency");
}
