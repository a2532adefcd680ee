//! What a search asks for, as an order and a filter of the database. Its texts are values there, and never operators. Pure.

#[cfg(test)]
mod tests;

use crate::{
    categories::domain::Tree,
    domain::{Audience, Error, Product, Status},
    search::{
        filter::{self, Filter},
        price_key,
    },
};
use ::store::Versioned;
use bson::{Bson, Decimal128, Document, doc};
use contracts::{
    money::currencies,
    words::{MAX_QUERY_WORDS, prefixes},
};
use std::borrow::Cow;

/// Divides the values of a place. No currency, number, name key or identifier has this character.
const DIVIDER: char = '\n';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Newest,
    /// The main price, by its currency first.
    Price,
    /// The price in this currency.
    PriceIn(&'static str),
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    key: Key,
    is_descending: bool,
}

#[derive(Debug)]
pub struct Query {
    pub filter: Document,
    pub order: Order,
    /// The currency of the filter.
    pub currency: Option<&'static str>,
}

impl Query {
    pub fn parse(query: &str, filter: &str, order_by: &str, audience: Audience, tree: &Tree) -> Result<Self, Error> {
        let words = prefixes(query);
        if words.len() > MAX_QUERY_WORDS {
            return Err(Error::Query(MAX_QUERY_WORDS));
        }
        let begins =
            |word: &String| doc! { "words": { "$elemMatch": { "$gte": word, "$lt": format!("{word}\u{10FFFF}") } } };
        let mut all: Vec<Document> = words.iter().map(begins).collect();
        let filter = filter::parse(filter)?;
        all.push(doc! { "status": { "$in": statuses(&filter, audience)? } });
        if let Some(id) = &filter.category_id {
            if !tree.has(id) {
                return Err(Error::Filter(format!("there is no category {id:?}")));
            }
            all.push(doc! { "category_ids": { "$in": tree.subtree(id).into_iter().collect::<Vec<_>>() } });
        }
        all.extend(filter.group_id.iter().map(|id| doc! { "group_id": id }));
        all.extend(filter.is_available.map(availability));
        all.extend(filter.currency.iter().map(|currency| price_key::range(&filter, currency)));
        let wanted = filter.currency.as_deref();
        let currency = wanted.and_then(|wanted| currencies().map(|(code, _)| code).find(|code| *code == wanted));
        Ok(Self { filter: doc! { "$and": all }, order: Order::parse(order_by, currency)?, currency })
    }
}

/// The names of the status that a product may have. A search of the public finds what can be ordered.
fn statuses(filter: &Filter, audience: Audience) -> Result<Vec<&'static str>, Error> {
    let wanted: &[Status] = match (audience, &filter.status) {
        (_, Some(status)) if audience.sees().contains(status) => std::slice::from_ref(status),
        (_, Some(_)) => return Err(Error::Filter("drafts are seen by staff only".to_owned())),
        (Audience::Public, None) => &[Status::Active],
        (Audience::Staff, None) => audience.sees(),
    };
    Ok(wanted.iter().map(|status| status.name()).collect())
}

/// What was never stocked is not available.
fn availability(is_wanted: bool) -> Document {
    match is_wanted {
        true => doc! { "stock.is_available": true },
        false => doc! { "stock.is_available": { "$in": [false, Bson::Null] } },
    }
}

fn decimal(text: &str) -> Bson {
    text.parse::<Decimal128>().map_or(Bson::Null, Bson::Decimal128)
}

impl Order {
    fn parse(text: &str, currency: Option<&'static str>) -> Result<Self, Error> {
        let price = currency.map_or(Key::Price, Key::PriceIn);
        let (key, is_descending) = match text {
            "" | "create_time desc" => (Key::Newest, true),
            "create_time" => (Key::Newest, false),
            "price" => (price, false),
            "price desc" => (price, true),
            "name" => (Key::Name, false),
            "name desc" => (Key::Name, true),
            _ => return Err(Error::OrderBy),
        };
        Ok(Self { key, is_descending })
    }

    /// The fields of the order. Identifiers have the order of their time.
    fn fields(self) -> Vec<Cow<'static, str>> {
        let fields: &[&str] = match self.key {
            Key::Newest => &["_id"],
            Key::Price => &["price.currency", "price.amount", "_id"],
            Key::PriceIn(currency) => return vec![price_key::field(currency).into()],
            Key::Name => &["name_key", "_id"],
        };
        fields.iter().map(|field| Cow::Borrowed(*field)).collect()
    }

    pub fn sort(self) -> Document {
        let direction = if self.is_descending { -1 } else { 1 };
        self.fields().into_iter().map(|field| (field.into_owned(), Bson::from(direction))).collect()
    }

    /// The place of a product in this order.
    pub fn place(self, found: &Versioned<Product>) -> String {
        let Product { price, name_key, price_keys, .. } = &found.state;
        let amount = price.amount.to_string();
        let values: &[&str] = match self.key {
            Key::Newest => &[&found.id],
            Key::Price => &[&price.currency, &amount, &found.id],
            Key::PriceIn(currency) => &[price_keys.get(currency).map_or("", String::as_str)],
            Key::Name => &[name_key, &found.id],
        };
        values.join(&DIVIDER.to_string())
    }

    /// The products behind a place.
    pub fn behind(self, place: &str) -> Document {
        let operator = if self.is_descending { "$lt" } else { "$gt" };
        let value = |field: &str, text: &str| if field == "price.amount" { decimal(text) } else { text.into() };
        let fields = self.fields();
        let places: Vec<(&str, Bson)> =
            fields.iter().zip(place.split(DIVIDER)).map(|(field, text)| (&**field, value(field, text))).collect();
        let mut any = Vec::new();
        for (count, (field, value)) in places.iter().enumerate() {
            let same = places.iter().take(count).map(|(field, value)| ((*field).to_owned(), value.clone()));
            let mut behind: Document = same.collect();
            behind.insert(*field, doc! { operator: value.clone() });
            any.push(behind);
        }
        doc! { "$or": any }
    }
}
