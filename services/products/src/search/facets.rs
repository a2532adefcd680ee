//! What was found, counted by category and by price. Pure.

#[cfg(test)]
mod tests;

use crate::categories::domain::Tree;
use contracts::money::Money;
use rust_decimal::Decimal;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// Most categories and most price bands of a reply.
pub const MAX_FACETS: usize = 100;

/// Three steps for each digit that a price may have before its point.
const MAX_STEPS: usize = 3 * 14;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Facets {
    /// Categories with the number of products in each or below it: the largest first.
    pub categories: Vec<(String, i32)>,
    /// Bands with the number of products in each: by currency and price.
    pub bands: Vec<(Band, i32)>,
}

/// Prices from `from`, and below `below`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Band {
    pub currency: String,
    pub from: Decimal,
    pub below: Decimal,
}

/// Counts products by the categories that they are in and by their prices.
pub fn count(products: impl IntoIterator<Item = (Vec<String>, Money)>, tree: &Tree) -> Facets {
    let (mut categories, mut bands) = (BTreeMap::<String, i32>::new(), BTreeMap::<Band, i32>::new());
    for (category_ids, price) in products {
        // A product in two categories of one branch counts there once.
        let within: BTreeSet<&str> = category_ids.iter().flat_map(|id| tree.line(id)).collect();
        for id in within {
            *categories.entry(id.to_owned()).or_default() += 1;
        }
        *bands.entry(band(&price)).or_default() += 1;
    }
    let mut categories: Vec<(String, i32)> = categories.into_iter().collect();
    categories.sort_by_key(|(_, count)| Reverse(*count));
    categories.truncate(MAX_FACETS);
    Facets { categories, bands: bands.into_iter().take(MAX_FACETS).collect() }
}

/// The band of a price: its bounds are 0, 1, 2, 5, 10, 20, 50 and so on.
fn band(price: &Money) -> Band {
    let (mut from, mut below) = (Decimal::ZERO, Decimal::ONE);
    for step in [Decimal::TWO, Decimal::new(25, 1), Decimal::TWO].into_iter().cycle().take(MAX_STEPS) {
        if price.amount < below {
            break;
        }
        (from, below) = (below, (below * step).normalize());
    }
    Band { currency: price.currency.clone(), from, below }
}
