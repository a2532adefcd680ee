//! Groups in MongoDB. Whoever makes a product a variant, or no variant any more, changes the count of its group in the same
//! transaction, which is refused unless the group still has the options that were read. So no group has more variants than it may,
//! and its options do not change under them.

use crate::{
    domain::{self, Product},
    error::Error,
    groups::{
        domain::{Draft, MAX_VARIANTS, ProductGroup},
        events,
    },
};
use ::store::{
    Aggregate, Change, Database, Documents, Found, Index, RequestKey, Transaction, Versioned, now, transaction,
};
use bson::doc;
use contracts::id::Kind;

/// How often a change is decided anew when somebody else has changed the group, or its variants, in between.
pub const ATTEMPTS: u32 = 16;

impl Aggregate for ProductGroup {
    const COLLECTION: &'static str = "product_groups";
    const NOUN: &'static str = "product_group";
}

pub fn indexes() -> [Index; 3] {
    [
        Index::unique(ProductGroup::COLLECTION, doc! { "request_key": 1 }),
        // Two variants of a group with one combination of options have one key.
        Index::unique(Product::COLLECTION, doc! { "variant_key": 1 }).sparse(),
        Index::new(Product::COLLECTION, doc! { "group_id": 1, "_id": 1 }).sparse(),
    ]
}

#[derive(Clone)]
pub struct Groups {
    database: Database,
    groups: Documents<ProductGroup>,
}

impl Groups {
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), groups: Documents::new(database) }
    }

    pub async fn get(&self, id: &str) -> Result<Option<Versioned<ProductGroup>>, Error> {
        Ok(self.groups.load(id).await?)
    }

    /// Groups after `after`, oldest first.
    pub async fn list(&self, after: Option<String>, limit: i64) -> Result<Found<Versioned<ProductGroup>>, Error> {
        let filter = after.map_or_else(|| doc! {}, |after| doc! { "_id": { "$gt": after } });
        Ok(self.groups.page(filter, doc! { "_id": 1 }, limit).await?)
    }

    /// Stores a new group, or finds the one that the same request made before.
    pub async fn create(&self, draft: Draft, request: Option<&RequestKey>) -> Result<Versioned<ProductGroup>, Error> {
        let id = Kind::ProductGroup.new_id();
        // The unique index allows one document without a key, so the own id stands in for it.
        let key = request.map_or(id.as_str(), RequestKey::name).to_owned();
        let mut group = ProductGroup::create(draft, key.clone(), now())?;
        group.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let event = events::created(&id, &group);
        match self.groups.insert(&id, group, vec![event]).await {
            Err(::store::Error::Duplicate) => {
                let before = self.groups.find_one(doc! { "request_key": key }).await?;
                let is_same = |before: &Versioned<ProductGroup>| {
                    request.is_some_and(|request| request.repeats(&before.state.request_digest))
                };
                before.filter(is_same).ok_or_else(|| ::store::Error::KeyReused.into())
            }
            stored => Ok(stored?),
        }
    }

    /// Changes a group by `decide`.
    pub async fn update(
        &self,
        id: &str,
        decide: impl Fn(&Versioned<ProductGroup>) -> Result<Draft, Error>,
    ) -> Result<Versioned<ProductGroup>, Error> {
        transaction::retry(ATTEMPTS, Error::is_conflict, async || {
            let old = self.groups.load(id).await?.ok_or_else(|| Error::NoGroup(id.to_owned()))?;
            let (state, changed) = old.state.update(decide(&old)?, now())?;
            if changed.is_empty() {
                return Ok(old);
            }
            let mut transaction = Transaction::new(&self.database);
            if state.varies_by != old.state.varies_by {
                let empty = doc! { "_id": id, "variant_count": 0 };
                transaction.update_raw(self.groups.collection(), empty, doc! { "$set": { "variant_count": 0 } })?;
            }
            let events = vec![events::updated(&old, &state, changed)];
            let written = transaction.update(&self.groups, &old, Change { state, events }).await?;
            transaction.commit("product_groups").await?;
            Ok(written)
        })
        .await
    }

    /// Counts one more variant in the transaction that makes it one; `group` is as it was when its options were arranged.
    pub fn enter(&self, transaction: &mut Transaction, group: &Versioned<ProductGroup>) -> Result<(), Error> {
        group.state.admit()?;
        let same = doc! {
            "_id": &group.id, "varies_by": &group.state.varies_by, "variant_count": { "$lt": MAX_VARIANTS },
        };
        Ok(transaction.update_raw(self.groups.collection(), same, doc! { "$inc": { "variant_count": 1 } })?)
    }

    /// Counts one variant less.
    pub fn leave(&self, transaction: &mut Transaction, group_id: &str) -> Result<(), Error> {
        let some = doc! { "_id": group_id, "variant_count": { "$gt": 0 } };
        Ok(transaction.update_raw(self.groups.collection(), some, doc! { "$inc": { "variant_count": -1 } })?)
    }

    /// The group that a product is to be in.
    pub async fn of(&self, id: &str) -> Result<Versioned<ProductGroup>, Error> {
        let found = self.groups.load(id).await?;
        Ok(found.ok_or_else(|| domain::Error::UnknownGroup(id.to_owned()))?)
    }
}
