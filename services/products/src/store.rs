//! Products in MongoDB.

use crate::{
    domain::{self, Audience, Draft, Product},
    error::Error,
    events,
    groups::{
        domain::ProductGroup,
        store::{ATTEMPTS, Groups},
    },
    search::price_key,
    stock::store::Stocks,
};
use ::store::{
    Aggregate, Change, ChangeError, Database, Documents, Found, Index, RequestKey, Transaction, Versioned, now,
    transaction,
};
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

pub struct Products {
    database: Database,
    products: Documents<Product>,
    groups: Groups,
    stocks: Stocks,
}

impl Products {
    pub fn new(database: &Database) -> Self {
        let (groups, stocks) = (Groups::new(database), Stocks::new(database));
        Self { database: database.clone(), products: Documents::new(database), groups, stocks }
    }

    /// Gives the products that are older than keys of SKUs theirs. Of two with one key both stay, and one is without.
    pub async fn add_sku_keys(&self) -> Result<(), Error> {
        let (products, missing) = (self.products.collection(), doc! { "sku_key": { "$exists": false } });
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
        let made =
            transaction::retry(ATTEMPTS, Error::is_conflict, || self.create_once(draft.clone(), request)).await?;
        // The product is there, whatever becomes of its stock: that is looked for again later.
        if let Err(error) = self.stocks.adopt(&made.id).await {
            tracing::warn!(%error, product = made.id, "the stock that was told before this product has not been read");
        }
        Ok(made)
    }

    async fn create_once(&self, mut draft: Draft, request: Option<&RequestKey>) -> Result<Versioned<Product>, Error> {
        let id = Kind::Product.new_id();
        // The unique index allows one document without a key, so the own id stands in for it.
        let key = request.map_or(id.as_str(), RequestKey::name).to_owned();
        // The group is read first: what the request has made before is then found, or not yet counted in the group.
        let group = self.arrange(&mut draft).await;
        // The repeat of a request is answered whatever has become of the group since.
        if draft.group_id.is_some()
            && let Some(before) = self.made_by(request).await?
        {
            return Ok(before);
        }
        let group = group?;
        let mut product = Product::create(draft, key, now())?;
        product.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let product = price_key::keyed(&id, product);
        let events = vec![events::created(&id, &product)];
        let stored = match group {
            None => self.products.insert(&id, product.clone(), events).await,
            Some(group) => {
                let mut transaction = Transaction::new(&self.database);
                let written = transaction.insert(&self.products, &id, product.clone(), events)?;
                self.groups.enter(&mut transaction, &group)?;
                transaction.commit("products").await.map(|()| written)
            }
        };
        match stored {
            Err(::store::Error::Duplicate) => match self.made_by(request).await? {
                Some(before) => Ok(before),
                None => Err(self.taken(&id, &product).await?),
            },
            stored => Ok(stored?),
        }
    }

    /// The product that a request has made. Other content under its key is a mistake of the caller.
    async fn made_by(&self, request: Option<&RequestKey>) -> Result<Option<Versioned<Product>>, Error> {
        let Some(request) = request else { return Ok(None) };
        match self.products.find_one(doc! { "request_key": request.name() }).await? {
            Some(before) if !request.repeats(&before.state.request_digest) => Err(::store::Error::KeyReused.into()),
            found => Ok(found),
        }
    }

    /// The group of a variant, and the options of the draft in its order.
    async fn arrange(&self, draft: &mut Draft) -> Result<Option<Versioned<ProductGroup>>, Error> {
        let Some(group_id) = &draft.group_id else {
            return if draft.options.is_empty() { Ok(None) } else { Err(domain::Error::NoGroupOfOptions.into()) };
        };
        let group = self.groups.of(group_id).await?;
        draft.options = group.state.arrange(&draft.options)?;
        Ok(Some(group))
    }

    /// Which of the values that one product alone may have another one has.
    async fn taken(&self, id: &str, product: &Product) -> Result<Error, Error> {
        if let Some(key) = &product.variant_key
            && self.products.find_one(doc! { "variant_key": key, "_id": { "$ne": id } }).await?.is_some()
        {
            return Ok(Error::OptionsTaken);
        }
        Ok(Error::SkuTaken(product.sku.clone()))
    }

    pub async fn get(&self, id: &str, audience: Audience) -> Result<Versioned<Product>, Error> {
        let found = self.products.load(id).await?.filter(|found| found.state.is_seen_by(audience));
        found.ok_or_else(|| Error::NotFound(vec![id.to_owned()]))
    }

    /// Products in the order of `ids`; names every absent one.
    pub async fn get_many(&self, ids: &[String], audience: Audience) -> Result<Vec<Versioned<Product>>, Error> {
        let found =
            self.products.load_many(ids).await?.into_iter().filter(|product| product.state.is_seen_by(audience));
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
        let found = self.products.find(any, doc! { "_id": -1 }, limit).await?;
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
        Ok(self.products.page(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// Changes a product by `decide`.
    pub async fn update(
        &self,
        id: &str,
        request: Option<&RequestKey>,
        decide: impl Fn(&Versioned<Product>) -> Result<Draft, Error>,
    ) -> Result<Versioned<Product>, Error> {
        transaction::retry(ATTEMPTS, Error::is_conflict, async || {
            let old = self.products.load(id).await?.ok_or_else(|| Error::NotFound(vec![id.to_owned()]))?;
            if old.has_answered(request)? {
                return Ok(old);
            }
            let mut draft = decide(&old)?;
            if draft.keeps_variant(&old.state) {
                return self.update_fields(old, request, &decide).await;
            }
            let group = self.arrange(&mut draft).await?;
            match self.update_variant(&old, request, draft, group).await {
                // The same request may have entered the group while this one read it.
                Err(_) if self.has_moved(&old).await? => Err(::store::Error::Conflict.into()),
                updated => updated,
            }
        })
        .await
    }

    async fn has_moved(&self, old: &Versioned<Product>) -> Result<bool, Error> {
        Ok(self.products.load(&old.id).await?.is_some_and(|found| found.rev != old.rev))
    }

    /// Changes a product that stays the variant that it is, or none.
    async fn update_fields(
        &self,
        old: Versioned<Product>,
        request: Option<&RequestKey>,
        decide: &impl Fn(&Versioned<Product>) -> Result<Draft, Error>,
    ) -> Result<Versioned<Product>, Error> {
        let (id, mut sku) = (old.id.clone(), String::new());
        let changed = self.products.change_found(old, request, |old| -> Result<_, Error> {
            let mut draft = decide(old)?;
            // Somebody else has made another variant of it meanwhile.
            if !draft.keeps_variant(&old.state) {
                return Err(::store::Error::Conflict.into());
            }
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
            error => error.or(|| Error::NotFound(vec![id])),
        })
    }

    /// Makes a product another variant, or none; the counts of the groups change with it.
    async fn update_variant(
        &self,
        old: &Versioned<Product>,
        request: Option<&RequestKey>,
        draft: Draft,
        group: Option<Versioned<ProductGroup>>,
    ) -> Result<Versioned<Product>, Error> {
        let (state, fields) = old.state.update(draft, now())?;
        let state = price_key::keyed(&old.id, state);
        let mut transaction = Transaction::new(&self.database);
        if state.group_id != old.state.group_id {
            group.iter().try_for_each(|group| self.groups.enter(&mut transaction, group))?;
            old.state.group_id.iter().try_for_each(|left| self.groups.leave(&mut transaction, left))?;
        }
        let events = vec![events::updated(old, &state, fields)];
        let change = Change { state: state.clone(), events };
        let written = transaction.update_once(&self.products, old, change, request).await?;
        match transaction.commit("products").await {
            Err(::store::Error::Duplicate) => Err(self.taken(&old.id, &state).await?),
            done => Ok(done.map(|()| written)?),
        }
    }
}
