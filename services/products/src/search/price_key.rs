//! The text by which a product is found and sorted by its price in a currency: minor units with leading zeros, then the identifier.
//! So one wildcard index has the order of each currency, and equal prices have one order. Pure.

#[cfg(test)]
mod tests;

use crate::{
    domain::Product,
    search::filter::{Bound, Filter},
};
use bson::{Document, doc};
use contracts::money::decimals;
use rust_decimal::{Decimal, prelude::ToPrimitive};

/// Digits of minor units in a key: one more than the highest price has.
const DIGITS: usize = 15;

/// The field of the keys of a currency, which must be a known one.
pub fn field(currency: &str) -> String {
    format!("price_keys.{currency}")
}

/// `product`, whose identifier is `id`, with its keys.
pub fn keyed(id: &str, product: Product) -> Product {
    let prices = product.other_prices.iter().chain([&product.price]);
    let key = |minor: i128| format!("{minor:0DIGITS$}{id}");
    let price_keys = prices.map(|price| (price.currency.clone(), key(price.minor()))).collect();
    Product { price_keys, price_keys_at: Some(product.updated_at), ..product }
}

/// The range of the keys that a filter asks for in its currency.
pub fn range(filter: &Filter, currency: &str) -> Document {
    let first = |bound: &Bound, is_behind: bool| format!("{:0DIGITS$}", minor(bound.amount, currency, is_behind));
    let mut range = doc! { "$gte": filter.above.map_or(String::new(), |above| first(&above, !above.is_within)) };
    if let Some(below) = filter.below {
        range.insert("$lt", first(&below, below.is_within));
    }
    doc! { field(currency): range }
}

/// The least minor units that are not below an amount, or are above it.
fn minor(amount: Decimal, currency: &str, is_above: bool) -> i128 {
    let most = 10_i128.pow(DIGITS as u32) - 1;
    let units = Decimal::from(10_u32.pow(decimals(currency).unwrap_or(0)));
    let Some(exact) = amount.checked_mul(units) else { return if amount.is_sign_negative() { 0 } else { most } };
    let least = if is_above { exact.floor().checked_add(Decimal::ONE) } else { Some(exact.ceil()) };
    least.and_then(|least| least.to_i128()).unwrap_or(most).clamp(0, most)
}
