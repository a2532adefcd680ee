//! Prices in other currencies than the main one: which a product may have, and when they held. Pure.

#[cfg(test)]
mod tests;

use crate::domain::{Error, PriceSpan};
use ::store::Time;
use contracts::money::{MOST_OF_A_PRICE, Money};
use rust_decimal::Decimal;
use std::collections::HashMap;

/// Most spans that are kept in each of these currencies, the newest ones: of a price that follows a rate day by day, those of the
/// 30 days that a look back needs. The log has all of them.
pub const KEPT_OF_A_CURRENCY: usize = 40;

/// Most spans that are kept of a product: as many currencies as a product may have, each with all that is kept of it.
const KEPT_SPANS: usize = 20 * KEPT_OF_A_CURRENCY;

/// Refuses the first of the prices that may not be beside `main`.
pub fn check(main: &Money, others: &[Money]) -> Result<(), Error> {
    for (place, price) in others.iter().enumerate() {
        let refused = |why: String| Err(Error::OtherPrice { place, why });
        if price.currency == main.currency {
            return refused(format!("is in {}, the currency of the product's price", main.currency));
        }
        if others.iter().take(place).any(|before| before.currency == price.currency) {
            return refused(format!("is the second price in {}", price.currency));
        }
        if price.amount < Decimal::ZERO {
            return refused("must be 0 or more".to_owned());
        }
        price.at_most(MOST_OF_A_PRICE).or_else(|cause| refused(cause.to_string()))?;
    }
    Ok(())
}

/// The spans after a change to the prices `present`.
pub fn after(mut spans: Vec<PriceSpan>, present: &[Money], now: Time) -> Vec<PriceSpan> {
    for span in spans.iter_mut().filter(|span| span.until.is_none() && !present.contains(&span.price)) {
        span.until = Some(now);
    }
    for price in present {
        if !spans.iter().any(|span| span.until.is_none() && span.price == *price) {
            spans.push(PriceSpan { price: price.clone(), at: now, until: None });
        }
    }
    let (mut kept, mut counts) = (0, HashMap::<String, usize>::new());
    let mut newest: Vec<PriceSpan> = spans.into_iter().rev().collect();
    newest.retain(|span| {
        let count = counts.entry(span.price.currency.clone()).or_default();
        *count += 1;
        kept += 1;
        span.until.is_none() || (*count <= KEPT_OF_A_CURRENCY && kept <= KEPT_SPANS)
    });
    newest.reverse();
    newest
}

/// Since when all spans of a currency are there; none: since ever.
pub fn known_since(spans: &[PriceSpan], currency: &str) -> Option<Time> {
    let of = || spans.iter().filter(|span| span.price.currency == currency);
    let of_currency = of().next().filter(|_| of().count() >= KEPT_OF_A_CURRENCY);
    let of_all = spans.first().filter(|_| spans.len() >= KEPT_SPANS);
    of_currency.into_iter().chain(of_all).map(|oldest| oldest.at).max()
}

/// The spans of all prices in a currency, whether they were the main one or not.
pub fn in_currency(main: Vec<PriceSpan>, others: Vec<PriceSpan>, currency: &str) -> Vec<PriceSpan> {
    let mut spans: Vec<PriceSpan> = main.into_iter().chain(others).collect();
    spans.retain(|span| span.price.currency == currency);
    spans.sort_by_key(|span| span.at);
    // A price that goes on as the main one, or as one of the others, does not begin anew.
    spans.dedup_by(|next, last| {
        let goes_on = last.until == Some(next.at) && last.price == next.price;
        if goes_on {
            last.until = next.until;
        }
        goes_on
    });
    spans
}
