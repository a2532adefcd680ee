//! The filter of a search, a part of AIP-160: comparisons joined by AND. Pure.

#[cfg(test)]
mod tests;

use crate::domain::{Error, Status};
use rust_decimal::Decimal;

/// What a product must be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In this category, or one below it.
    pub category_id: Option<String>,
    /// A variant of this group.
    pub group_id: Option<String>,
    /// A known one, in which it has a price.
    pub currency: Option<String>,
    pub status: Option<Status>,
    pub is_available: Option<bool>,
    /// In units of the currency.
    pub above: Option<Bound>,
    pub below: Option<Bound>,
}

/// A bound of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub amount: Decimal,
    /// Whether the bound itself is within.
    pub is_within: bool,
}

/// The longer ones first: each of them begins with one of the others.
const OPERATORS: [&str; 5] = [">=", "<=", ">", "<", "="];

/// Reads a filter such as `category = cat_… AND price < 20 AND currency = EUR`.
pub fn parse(text: &str) -> Result<Filter, Error> {
    let mut filter = Filter::default();
    for term in text.split(" AND ").map(str::trim).filter(|_| !text.trim().is_empty()) {
        let refused = |why: &str| Error::Filter(format!("{term:?} {why}"));
        let found = OPERATORS.iter().find_map(|operator| Some((*operator, term.split_once(operator)?)));
        let (operator, (field, value)) = found.ok_or_else(|| refused("is no comparison, such as price < 20"))?;
        let (field, value) = (field.trim(), value.trim().trim_matches('"'));
        let is_first = match (field, operator) {
            ("category", "=") => set(&mut filter.category_id, contracts::text::id(value)),
            ("group", "=") => set(&mut filter.group_id, contracts::text::id(value)),
            ("currency", "=") => {
                set(&mut filter.currency, currency(value).ok_or_else(|| refused("is no ISO 4217 code such as EUR"))?)
            }
            ("status", "=") => {
                set(&mut filter.status, status(value).ok_or_else(|| refused("is not ACTIVE, ARCHIVED or DRAFT"))?)
            }
            ("available", "=") => {
                set(&mut filter.is_available, value.parse().map_err(|_| refused("is not true or false"))?)
            }
            ("price", _) => filter.price(operator, value.parse().map_err(|_| refused("has no number"))?),
            ("category" | "group" | "currency" | "status" | "available", _) => {
                return Err(refused("can be compared with = only"));
            }
            _ => return Err(refused("is of no field: category, group, currency, price, status, available")),
        };
        if !is_first {
            return Err(refused("comes twice"));
        }
    }
    if filter.currency.is_none() && (filter.above.is_some() || filter.below.is_some()) {
        return Err(Error::Filter("a price needs its currency, such as currency = EUR".to_owned()));
    }
    Ok(filter)
}

impl Filter {
    /// Whether this is the first such bound.
    fn price(&mut self, operator: &str, amount: Decimal) -> bool {
        let bound = Bound { amount, is_within: operator.contains('=') };
        match operator {
            ">=" | ">" => set(&mut self.above, bound),
            "<=" | "<" => set(&mut self.below, bound),
            _ => set(&mut self.above, bound) && set(&mut self.below, bound),
        }
    }
}

fn set<T>(place: &mut Option<T>, value: T) -> bool {
    place.replace(value).is_none()
}

/// Only a known code becomes part of the name of a field.
fn currency(typed: &str) -> Option<String> {
    Some(contracts::text::code(typed)).filter(|code| contracts::money::decimals(code).is_some())
}

fn status(name: &str) -> Option<Status> {
    match name {
        "ACTIVE" => Some(Status::Active),
        "ARCHIVED" => Some(Status::Archived),
        "DRAFT" => Some(Status::Draft),
        _ => None,
    }
}
