//! Which prices may be beside the main one, and what is kept of them.

use crate::domain::{
    Error, PriceSpan,
    other_prices::{KEPT_OF_A_CURRENCY, after, check, in_currency, known_since},
    price_history::lowest_before,
};
use ::store::Time;
use contracts::money::{MOST_OF_A_PRICE, Money};

fn money(currency: &str, text: &str) -> Money {
    Money::parse(currency, text).expect("a price")
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn span(price: Money, from: i64, until: Option<i64>) -> PriceSpan {
    PriceSpan { price, at: at(from), until: until.map(at) }
}

#[test]
fn each_other_currency_has_one_price_within_the_bounds_of_the_main_one() {
    let highest = Money::from_minor("JPY", MOST_OF_A_PRICE).expect("a price");
    let above = Money::from_minor("JPY", MOST_OF_A_PRICE + 1).expect("money");
    let usd = || money("USD", "1");
    check(&money("EUR", "1"), &[usd(), highest, money("GBP", "0")]).expect("they may be");
    for (others, wanted) in [
        (vec![usd(), money("EUR", "1")], 1),
        (vec![usd(), money("GBP", "1"), money("USD", "2")], 2),
        (vec![money("USD", "-1")], 0),
        (vec![usd(), above], 1),
    ] {
        let refused = check(&money("EUR", "1"), &others);
        assert!(matches!(refused, Err(Error::OtherPrice { place, .. }) if place == wanted), "{others:?}: {refused:?}");
    }
}

#[test]
fn a_price_holds_until_it_changes_or_is_taken_away() {
    let (usd, dearer, gbp) = (money("USD", "10"), money("USD", "11"), money("GBP", "9"));
    let first = after(Vec::new(), &[gbp.clone(), usd.clone()], at(1));
    assert_eq!(first, [span(gbp.clone(), 1, None), span(usd.clone(), 1, None)]);
    assert_eq!(after(first.clone(), &[gbp.clone(), usd.clone()], at(2)), first, "nothing has changed");
    let second = after(first, std::slice::from_ref(&dearer), at(3));
    let ended = [span(gbp.clone(), 1, Some(3)), span(usd.clone(), 1, Some(3))];
    assert_eq!(second, [ended.as_slice(), &[span(dearer, 3, None)]].concat());
    let third = after(second, std::slice::from_ref(&gbp), at(5));
    assert_eq!(in_currency(Vec::new(), third.clone(), "GBP"), [ended[0].clone(), span(gbp, 5, None)]);
    assert_eq!(in_currency(Vec::new(), third, "EUR"), []);
}

#[test]
fn a_price_that_goes_on_as_the_main_one_does_not_begin_anew() {
    let usd = money("USD", "10");
    let main = vec![span(money("EUR", "9"), 0, Some(5)), span(usd.clone(), 5, None)];
    let others = vec![span(usd.clone(), 1, Some(5))];
    assert_eq!(in_currency(main, others, "USD"), [span(usd, 1, None)]);
}

#[test]
fn the_newest_spans_of_a_currency_are_kept_and_all_present_ones() {
    let currencies: Vec<&str> = contracts::money::currencies().map(|(code, _)| code).collect();
    let mut spans = after(Vec::new(), &[money("EUR", "1")], at(0));
    for round in 1..=60 {
        for twenty in currencies.chunks(19) {
            let mut present: Vec<Money> = twenty.iter().map(|code| money(code, &round.to_string())).collect();
            present.retain(|price| price.currency != "EUR");
            present.push(money("EUR", "1"));
            spans = after(spans, &present, at(round));
        }
    }
    assert_eq!(spans.first(), Some(&span(money("EUR", "1"), 0, None)), "it holds since the beginning");
    assert!(spans.len() <= 20 * KEPT_OF_A_CURRENCY + 20, "{}", spans.len());
    let mut daily = Vec::new();
    for day in 0..100 {
        daily = after(daily, &[money("USD", &day.to_string())], at(day));
    }
    let kept: Vec<i64> = daily.iter().map(|span| span.at.timestamp_millis()).collect();
    assert_eq!(kept, (100 - KEPT_OF_A_CURRENCY as i64..100).collect::<Vec<_>>());
}

#[test]
fn no_lowest_price_is_told_when_a_lower_one_may_have_been_dropped() {
    let day = |day: i64| day * 24 * 3600 * 1000;
    // The main price of before, and then one in the same currency among the others, which changed more often than is kept.
    let main = vec![span(money("USD", "10"), day(0), Some(day(60)))];
    let changed = |times: i64| {
        (0..times).fold(Vec::new(), |all, change| {
            after(all, &[money("USD", &(90 - change).to_string())], at(day(60) + change))
        })
    };
    let lowest = |others: Vec<PriceSpan>| {
        let known_since = known_since(&others, "USD");
        lowest_before(&in_currency(main.clone(), others, "USD"), known_since).cloned()
    };
    assert_eq!(lowest(changed(39)), Some(money("USD", "10")));
    assert_eq!(lowest(changed(50)), None);
    // Many changes of another currency drop nothing of this one.
    let mut others = changed(20);
    for change in 0..200 {
        others = after(others, &[money("USD", "71"), money("JPY", &change.to_string())], at(day(61) + change));
    }
    assert_eq!(lowest(others), Some(money("USD", "10")));
}
