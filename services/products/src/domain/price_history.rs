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

/// The prices after a change to `price`; `before` has the oldest first.
pub fn after(mut before: Vec<PriceStart>, price: &Money, now: Time) -> Vec<PriceStart> {
    if before.last().is_none_or(|last| last.price != *price) {
        before.push(PriceStart { price: price.clone(), at: now });
        before.drain(..before.len().saturating_sub(KEPT_PRICES));
    }
    before
}

/// The lowest price, in the currency of the present one, that held within the 30 days before the present one began.
pub fn lowest_before(prices: &[PriceStart]) -> Option<&Money> {
    let (present, before) = prices.split_last()?;
    let from = present.at.timestamp_millis().saturating_sub(LOOK_BACK_MS);
    // A lower one may have been dropped.
    if prices.len() >= KEPT_PRICES && prices.first().is_some_and(|oldest| oldest.at.timestamp_millis() > from) {
        return None;
    }
    let ends = prices.iter().skip(1).map(|next| next.at.timestamp_millis());
    let held = before.iter().zip(ends).filter(|(_, end)| *end > from).map(|(start, _)| &start.price);
    held.filter(|price| price.currency == present.price.currency).min_by_key(|price| price.amount)
}
