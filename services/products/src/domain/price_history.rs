//! What a product has cost, and since when. Pure.

#[cfg(test)]
mod tests;

use ::store::Time;
use contracts::money::Money;
use serde::{Deserialize, Serialize};

/// Most prices that are kept of a product, the newest ones. The log has all of them.
pub const KEPT_PRICES: usize = 100;

/// How far a look back for the lowest price goes: the 30 days of the directive (EU) 2019/2161.
const LOOK_BACK_MS: i64 = 30 * 24 * 3600 * 1000;

/// A price that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceStart {
    #[serde(with = "::store::fields::money")]
    pub price: Money,
    pub at: Time,
}

/// A price, and the time in which it held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceSpan {
    #[serde(with = "::store::fields::money")]
    pub price: Money,
    pub at: Time,
    /// None while it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
}

/// Prices of which each ends when the next one begins.
pub fn spans(starts: &[PriceStart]) -> Vec<PriceSpan> {
    let ends = starts.iter().skip(1).map(|next| Some(next.at)).chain([None]);
    starts
        .iter()
        .zip(ends)
        .map(|(PriceStart { price, at }, until)| PriceSpan { price: price.clone(), at: *at, until })
        .collect()
}

/// The prices after a change to `price`; `before` has the oldest first.
pub fn after(mut before: Vec<PriceStart>, price: &Money, now: Time) -> Vec<PriceStart> {
    if before.last().is_none_or(|last| last.price != *price) {
        before.push(PriceStart { price: price.clone(), at: now });
        before.drain(..before.len().saturating_sub(KEPT_PRICES));
    }
    before
}

/// Since when all prices are there; none: since ever.
pub fn known_since(starts: &[PriceStart]) -> Option<Time> {
    starts.first().filter(|_| starts.len() >= KEPT_PRICES).map(|oldest| oldest.at)
}

/// The lowest price, in the currency of the present one, that held within the 30 days before the present one began; none when there is no
/// present one, or a lower one may have been dropped, as not all are there from before `known_since`.
pub fn lowest_before(spans: &[PriceSpan], known_since: Option<Time>) -> Option<&Money> {
    let (present, before) = spans.split_last().filter(|(last, _)| last.until.is_none())?;
    let from = present.at.timestamp_millis().saturating_sub(LOOK_BACK_MS);
    if known_since.is_some_and(|since| since.timestamp_millis() > from) {
        return None;
    }
    let held = before.iter().filter(|span| span.until.is_none_or(|until| until.timestamp_millis() > from));
    let prices = held.map(|span| &span.price).filter(|price| price.currency == present.price.currency);
    prices.min_by_key(|price| price.amount)
}
