//! Finds products by indexes: of their words, categories, prices and names.

use crate::{
    categories::domain::Tree,
    domain::{Product, Stock},
    error::Error,
    search::{
        facets::{self, Facets},
        price_key,
        query::Query,
    },
};
use ::store::{Aggregate, Database, Documents, Found, Index, READ_LIMIT, Versioned};
use bson::{Document, doc};
use contracts::{
    money::Money,
    words::{found_by, name_key},
};
use futures::TryStreamExt;
use mongodb::Collection;
use serde::Deserialize;

/// Most products that facets count: a search that finds more would read all of them.
const FACETED: usize = 5_000;

/// Products that are given their words at once.
const AT_ONCE: usize = 32;

pub fn indexes() -> [Index; 5] {
    let keys = [
        doc! { "words": 1 },
        doc! { "status": 1, "price.currency": 1, "price.amount": 1, "_id": 1 },
        doc! { "status": 1, "name_key": 1, "_id": 1 },
        doc! { "stock.is_available": 1, "status": 1, "_id": 1 },
        doc! { "price_keys.$**": 1 },
    ];
    keys.map(|keys| Index::new(Product::COLLECTION, keys))
}

/// What facets need of a product.
#[derive(Deserialize)]
struct Faceted {
    #[serde(default)]
    category_ids: Vec<String>,
    #[serde(with = "::store::fields::money")]
    price: Money,
    #[serde(default, with = "::store::fields::moneys")]
    other_prices: Vec<Money>,
    #[serde(default)]
    stock: Option<Stock>,
}

/// What a query finds, counted.
pub struct Counted {
    pub facets: Facets,
    /// Products of which a unit is available.
    pub available: i32,
    /// Whether more was found than was counted.
    pub is_partial: bool,
}

impl Faceted {
    /// The categories, and the price in a currency; without one the main price.
    fn within(self, currency: Option<&str>) -> (Vec<String>, Money) {
        let Self { category_ids, price, other_prices, .. } = self;
        let is_wanted = |price: &Money| Some(price.currency.as_str()) == currency;
        let other = other_prices.into_iter().find(|other| is_wanted(other) && !is_wanted(&price));
        (category_ids, other.unwrap_or(price))
    }
}

/// A product as it is stored.
#[derive(Deserialize)]
struct Unkeyed {
    #[serde(rename = "_id")]
    id: String,
    rev: i64,
    #[serde(flatten)]
    product: Product,
}

#[derive(Clone)]
pub struct Search {
    products: Documents<Product>,
    faceted: Collection<Faceted>,
}

impl Search {
    pub fn new(database: &Database) -> Self {
        Self { products: Documents::new(database), faceted: database.collection(Product::COLLECTION) }
    }

    /// The products of a query that are behind a place in its order.
    pub async fn find(
        &self,
        query: &Query,
        behind: Option<String>,
        limit: i64,
    ) -> Result<Found<Versioned<Product>>, Error> {
        let mut filter = query.filter.clone();
        if let Some(place) = behind {
            filter.extend(query.order.behind(&place));
        }
        Ok(self.products.page(filter, query.order.sort(), limit).await?)
    }

    /// Counts what a query finds.
    pub async fn count(&self, query: &Query, tree: &Tree) -> Result<Counted, Error> {
        let most = i64::try_from(FACETED + 1).unwrap_or(i64::MAX);
        let fields = doc! { "category_ids": 1, "price": 1, "other_prices": 1, "stock": 1 };
        let found = self.faceted.find(query.filter.clone()).projection(fields);
        let found = found.limit(most).max_time(READ_LIMIT).await.map_err(::store::Error::from)?;
        let found: Vec<Faceted> = found.try_collect().await.map_err(::store::Error::from)?;
        let is_partial = found.len() > FACETED;
        let is_available = |found: &&Faceted| found.stock.is_some_and(|stock| stock.is_available);
        let available = found.iter().take(FACETED).filter(is_available).count();
        let counted = found.into_iter().take(FACETED).map(|product| product.within(query.currency));
        let facets = facets::count(counted, tree);
        Ok(Counted { facets, available: i32::try_from(available).unwrap_or(i32::MAX), is_partial })
    }

    /// Gives the products that are older than search the words by which they are found.
    pub async fn add_words(&self) -> Result<(), Error> {
        let (products, missing) = (self.products.collection(), doc! { "words": { "$exists": false } });
        let fields = doc! { "rev": 1, "name": 1, "sku": 1, "description": 1 };
        let found = products.find(missing).projection(fields).await.map_err(::store::Error::from)?;
        let add = async |product: Document| {
            let [name, sku, description] =
                ["name", "sku", "description"].map(|field| product.get_str(field).unwrap_or_default());
            // Only over what was read: who has changed the product since has given it its words.
            let unchanged = doc! { "_id": product.get("_id").cloned(), "rev": product.get("rev").cloned() };
            let set = doc! { "words": found_by(name, sku, description), "name_key": name_key(name) };
            let added = products.update_one(unchanged, doc! { "$set": set }).await;
            added.map(drop).map_err(::store::Error::from)
        };
        Ok(found.map_err(::store::Error::from).try_for_each_concurrent(AT_ONCE, add).await?)
    }

    /// Gives the products whose keys of prices are none, or those of before a change, theirs.
    pub async fn add_price_keys(&self) -> Result<(), Error> {
        let products = self.products.collection();
        let stale = doc! { "$expr": { "$ne": ["$price_keys_at", "$updated_at"] } };
        let found = products.find(stale).await.map_err(::store::Error::from)?;
        let add = async |product: Document| {
            let Ok(Unkeyed { id, rev, product }) = bson::deserialize_from_document(product) else {
                // One that this build cannot read: nobody else waits for it.
                return Ok(());
            };
            let keyed = price_key::keyed(&id, product);
            let keys = bson::serialize_to_bson(&keyed.price_keys).map_err(::store::Error::from)?;
            // Only over what was read: who has changed the product since has given it its keys.
            let set = doc! { "$set": { "price_keys": keys, "price_keys_at": keyed.price_keys_at } };
            let added = products.update_one(doc! { "_id": id, "rev": rev }, set).await;
            added.map(drop).map_err(::store::Error::from)
        };
        Ok(found.map_err(::store::Error::from).try_for_each_concurrent(AT_ONCE, add).await?)
    }
}
