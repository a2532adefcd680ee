//! Products in MongoDB.

use crate::{
    domain::{Audience, Draft, Product},
    error::Error,
    events,
    search::price_key,
};
use ::store::{Aggregate, Change, ChangeError, Database, Documents, Found, Index, RequestKey, Versioned, now};
use bson::{Document, doc};
use contracts::{id::Kind, text};
use futures::TryStreamExt;
use mongodb::{IndexModel, options::IndexOptions};
use std::collections::HashMap;

/// Products that are given the key of their SKU at once: the start of a service should not wait for one write after the
/// other, nor keep the database from those who serve.
const AT_ONCE: usize = 32;

impl Aggregate for Product {
    const COLLECTION: &'static str = "products";
    const NOUN: &'static str = "product";
}

pub fn indexes() -> [Index; 3] {
    let unique = |key: &str| Index::unique(Product::COLLECTION, doc! { key: 1 });
    [unique("sku"), unique("request_key"), Index::new(Product::COLLECTION, doc! { "status": 1, "_id": -1 })]
}

/// The index that keeps SKUs apart. It is sparse: what is older than keys may have none.
pub fn sku_index() -> IndexModel {
    let options = IndexOptions::builder().unique(true).sparse(true).build();
    IndexModel::builder().keys(doc! { "sku_key": 1 }).options(options).build()
}

pub struct Products(Documents<Product>);

impl Products {
    pub fn new(database: &Database) -> Self {
        Self(Documents::new(database))
    }

    /// Gives the products that are older than keys of SKUs theirs. Of two with one key both stay, and one is without.
    pub async fn add_sku_keys(&self) -> Result<(), Error> {
        let (products, missing) = (self.0.collection(), doc! { "sku_key": { "$exists": false } });
        let found = products.find(missing).projection(doc! { "sku": 1 }).await.map_err(::store::Error::from)?;
        let found = found.map_err(::store::Error::from);
        let add = async |product: Document| {
            let key = text::sku_key(product.get_str("sku").unwrap_or_default());
            let one = doc! { "_id": product.get("_id").cloned(), "sku_key": { "$exists": false } };
            let added = products.update_one(one, doc! { "$set": { "sku_key": key } }).await;
            match added.map_err(::store::Error::from) {
                Err(::store::Error::Duplicate) => {
                    tracing::warn!(product = ?product.get("_id"), "another product has this SKU, in another spelling");
                    Ok(())
                }
                other => other.map(drop),
            }
        };
        Ok(found.try_for_each_concurrent(AT_ONCE, add).await?)
    }

    /// Stores a new product, or finds the one that the same request made before.
    pub async fn create(&self, draft: Draft, request: Option<&RequestKey>) -> Result<Versioned<Product>, Error> {
        let id = Kind::Product.new_id();
        // The unique index allows one document without a key, so the own id stands in for it.
        let key = request.map_or(id.as_str(), RequestKey::name).to_owned();
        let mut product = Product::create(draft, key.clone(), now())?;
        product.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let product = price_key::keyed(&id, product);
        let event = events::created(&id, &product);
        let sku = product.sku.clone();
        match self.0.insert(&id, product, vec![event]).await {
            Err(::store::Error::Duplicate) => {
                let before = self.0.find_one(doc! { "request_key": key }).await?.ok_or(Error::SkuTaken(sku))?;
                // The key is known: equal content is a repeat of the first request, other content is a mistake of the
                // caller.
                let is_same = request.is_some_and(|request| request.repeats(&before.state.request_digest));
                if is_same { Ok(before) } else { Err(::store::Error::KeyReused.into()) }
            }
            stored => Ok(stored?),
        }
    }

    pub async fn get(&self, id: &str, audience: Audience) -> Result<Versioned<Product>, Error> {
        let found = self.0.load(id).await?.filter(|found| found.state.is_seen_by(audience));
        found.ok_or_else(|| Error::NotFound(vec![id.to_owned()]))
    }

    /// Products in the order of `ids`; names every absent one.
    pub async fn get_many(&self, ids: &[String], audience: Audience) -> Result<Vec<Versioned<Product>>, Error> {
        let found = self.0.load_many(ids).await?.into_iter().filter(|product| product.state.is_seen_by(audience));
        let by_id: HashMap<String, Versioned<Product>> = found.map(|product| (product.id.clone(), product)).collect();
        let missing: Vec<String> = ids.iter().filter(|id| !by_id.contains_key(*id)).cloned().collect();
        if missing.is_empty() {
            Ok(ids.iter().filter_map(|id| by_id.get(id).cloned()).collect())
        } else {
            Err(Error::NotFound(missing))
        }
    }

    /// The products of these SKUs, however they are written, newest first.
    pub async fn by_skus(&self, skus: &[String], audience: Audience) -> Result<Vec<Versioned<Product>>, Error> {
        let keys: Vec<String> = skus.iter().map(|sku| text::sku_key(sku)).collect();
        // Of two products that are older than keys and differ in the case of their SKUs, one has no key.
        let limit = i64::try_from(keys.len().saturating_mul(2)).unwrap_or(i64::MAX);
        let any = doc! { "$or": [{ "sku_key": { "$in": keys } }, { "sku": { "$in": skus } }] };
        let found = self.0.find(any, doc! { "_id": -1 }, limit).await?;
        Ok(found.into_iter().filter(|product| product.state.is_seen_by(audience)).collect())
    }

    /// Products after `after`, newest first.
    pub async fn list(
        &self,
        audience: Audience,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Versioned<Product>>, Error> {
        let seen = bson::serialize_to_bson(audience.sees()).map_err(::store::Error::from)?;
        let mut filter = doc! { "status": { "$in": seen } };
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        Ok(self.0.page(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// Changes a product by `decide`.
    pub async fn update(
        &self,
        id: &str,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Versioned<Product>) -> Result<Draft, Error>,
    ) -> Result<Versioned<Product>, Error> {
        let mut sku = String::new();
        let changed = self.0.change_once(id, request, |old| -> Result<_, Error> {
            let draft = decide(old)?;
            sku.clone_from(&draft.sku);
            let (state, fields) = old.state.update(draft, now())?;
            if fields.is_empty() {
                return Ok(None);
            }
            let state = price_key::keyed(&old.id, state);
            let events = vec![events::updated(old, &state, fields)];
            Ok(Some(Change { state, events }))
        });
        changed.await.map_err(|error| match error {
            ChangeError::Store(::store::Error::Duplicate) => Error::SkuTaken(sku),
            error => error.or(|| Error::NotFound(vec![id.to_owned()])),
        })
    }
}
