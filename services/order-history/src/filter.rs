//! What a list asks for, as a filter and an order of the database. Its texts are values there, and never operators. Pure.

#[cfg(test)]
mod tests;

use ::store::Time;
use bson::{Bson, Document, doc};
use std::collections::BTreeSet;

/// Divides the values of a place. No number and no identifier has this character.
const DIVIDER: char = '/';

/// What the order of an entry must be; what is not said may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    pub user_id: Option<String>,
    /// Any of these `comptoir.orders.v1.Order.State`; all when empty.
    pub states: BTreeSet<i32>,
    /// Placed then or later.
    pub start: Option<Time>,
    /// Placed before.
    pub end: Option<Time>,
    /// With this product in it.
    pub product_id: Option<String>,
    /// Each of them begins a word of an item.
    pub words: BTreeSet<String>,
}

/// The place of an entry in the lists: newest order first, and by identifier where two have one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub created_at: Time,
    pub order_id: String,
}

impl Filter {
    /// The rows of the filter that are behind a place. Stubs have no time and are never among them.
    pub fn rows(&self, behind: Option<&Place>) -> Document {
        let mut created = doc! { "$gte": self.start.unwrap_or(Time::MIN) };
        created.extend(self.end.map(|end| ("$lt".to_owned(), Bson::from(end))));
        let mut filter = doc! {};
        filter.extend(self.user_id.iter().map(|id| ("order.user_id".to_owned(), Bson::from(id))));
        filter.extend(self.product_id.iter().map(|id| ("order.items.product_id".to_owned(), Bson::from(id))));
        if !self.states.is_empty() {
            filter.insert("order.state", doc! { "$in": self.states.iter().copied().collect::<Vec<i32>>() });
        }
        let begins = |word: &String| doc! { "$gte": word, "$lt": format!("{word}\u{10FFFF}") };
        let begins = |word: &String| doc! { "order.words": { "$elemMatch": begins(word) } };
        if !self.words.is_empty() {
            filter.insert("$and", self.words.iter().map(begins).collect::<Vec<_>>());
        }
        if let Some(Place { created_at, order_id }) = behind {
            // The bound for the index, and beside it what is behind among those of one time.
            created.insert("$lte", *created_at);
            let of_one_time = doc! { "_id": { "$lt": order_id } };
            filter.insert("$or", vec![doc! { "order.created_at": { "$lt": *created_at } }, of_one_time]);
        }
        filter.insert("order.created_at", created);
        filter
    }

    pub fn sort() -> Document {
        doc! { "order.created_at": -1, "_id": -1 }
    }
}

impl Place {
    /// As page tokens have it.
    pub fn text(&self) -> String {
        format!("{}{DIVIDER}{}", self.created_at.timestamp_millis(), self.order_id)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let (millis, order_id) = text.split_once(DIVIDER)?;
        Some(Self { created_at: Time::from_millis(millis.parse().ok()?), order_id: order_id.to_owned() })
    }
}
