//! Categories in MongoDB. A change is decided on the whole tree, and its transaction counts the version of the tree up: so of two
//! changes that were decided on one version the second is decided anew, and no two of them make a circle together.

use crate::{
    categories::{
        domain::{Category, Draft, Tree},
        events,
    },
    domain::{self, Product},
    error::Error,
};
use ::store::{
    Aggregate, Change, Database, Documents, Found, Index, RequestKey, Transaction, Versioned, now, transaction,
};
use bson::{Document, doc};
use contracts::id::Kind;
use mongodb::Collection;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The document that has the version of the tree.
const TREE: &str = "category_tree";

/// How often a change is decided anew when somebody else has changed the tree in between.
const ATTEMPTS: u32 = 16;

impl Aggregate for Category {
    const COLLECTION: &'static str = "categories";
    const NOUN: &'static str = "category";
}

pub fn indexes() -> [Index; 3] {
    [
        Index::unique(Category::COLLECTION, doc! { "request_key": 1 }),
        Index::new(Category::COLLECTION, doc! { "deleted": 1 }),
        Index::new(Product::COLLECTION, doc! { "category_ids": 1 }),
    ]
}

/// The tree at one version.
#[derive(Debug)]
pub struct Snapshot {
    version: i64,
    pub tree: Tree,
    categories: BTreeMap<String, Versioned<Category>>,
}

impl Snapshot {
    /// Categories after `after`, oldest first.
    pub fn page(&self, after: Option<&str>, limit: i64) -> Found<Versioned<Category>> {
        let limit = usize::try_from(limit).unwrap_or(0);
        let rest = self.categories.values().filter(|category| after.is_none_or(|after| category.id.as_str() > after));
        let mut entries: Vec<Versioned<Category>> = rest.take(limit + 1).cloned().collect();
        let is_last = entries.len() <= limit;
        entries.truncate(limit);
        Found { entries, is_last }
    }

    fn get(&self, id: &str) -> Result<&Versioned<Category>, Error> {
        self.categories.get(id).ok_or_else(|| Error::NoCategory(id.to_owned()))
    }
}

#[derive(Clone)]
pub struct Categories {
    database: Database,
    categories: Documents<Category>,
    tree: Collection<Document>,
    products: Collection<Document>,
    /// The newest version that was read.
    known: Arc<Mutex<Option<Arc<Snapshot>>>>,
}

impl Categories {
    pub fn new(database: &Database) -> Self {
        Self {
            database: database.clone(),
            categories: Documents::new(database),
            tree: database.collection(TREE),
            products: database.collection(Product::COLLECTION),
            known: Arc::default(),
        }
    }

    /// Gives a new shop the version of its tree.
    pub async fn prepare(&self) -> Result<(), ::store::Error> {
        let first = doc! { "$setOnInsert": { "version": 0_i64 } };
        match self.tree.update_one(doc! { "_id": TREE }, first).upsert(true).await.map_err(::store::Error::from) {
            // Another replica was first.
            Ok(_) | Err(::store::Error::Duplicate) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The tree as it is now. While it does not change, only its version is read.
    pub async fn tree(&self) -> Result<Arc<Snapshot>, Error> {
        let found = self.tree.find_one(doc! { "_id": TREE }).await.map_err(::store::Error::from)?;
        let version = found.and_then(|tree| tree.get_i64("version").ok()).unwrap_or_default();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(known) = known.filter(|known| known.version == version) {
            return Ok(known);
        }
        let found = self.categories.find(doc! { "deleted": false }, doc! {}, 0).await?;
        let tree = Tree::new(found.iter().map(|category| (category.id.clone(), category.state.clone())));
        let categories = found.into_iter().map(|category| (category.id.clone(), category)).collect();
        let snapshot = Arc::new(Snapshot { version, tree, categories });
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// A transaction that is refused when the tree is no longer that of `snapshot`.
    fn transaction(&self, snapshot: &Snapshot) -> Result<Transaction, Error> {
        let mut transaction = Transaction::new(&self.database);
        let current = doc! { "_id": TREE, "version": snapshot.version };
        transaction.update_raw(&self.tree, current, doc! { "$inc": { "version": 1_i64 } })?;
        Ok(transaction)
    }

    /// Stores a new category, or finds the one that the same request made before.
    pub async fn create(&self, draft: Draft, request: Option<&RequestKey>) -> Result<Versioned<Category>, Error> {
        transaction::retry(ATTEMPTS, Error::is_conflict, || self.create_once(&draft, request)).await
    }

    async fn create_once(&self, draft: &Draft, request: Option<&RequestKey>) -> Result<Versioned<Category>, Error> {
        let id = Kind::Category.new_id();
        if let Some(request) = request
            && let Some(before) = self.categories.find_one(doc! { "request_key": request.name() }).await?
        {
            return match request.repeats(&before.state.request_digest) {
                false => Err(::store::Error::KeyReused.into()),
                true if before.state.deleted => Err(Error::NoCategory(before.id)),
                true => Ok(before),
            };
        }
        let snapshot = self.tree().await?;
        let key = request.map_or(id.as_str(), RequestKey::name).to_owned();
        let mut category = snapshot.tree.create(draft.clone(), key, now())?;
        category.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let created = events::created(&id, &category, &snapshot.tree);
        let mut transaction = self.transaction(&snapshot)?;
        let written = transaction.insert(&self.categories, &id, category, vec![created])?;
        transaction.commit("categories").await?;
        Ok(written)
    }

    /// Changes a category by `decide`.
    pub async fn update(
        &self,
        id: &str,
        decide: impl Fn(&Versioned<Category>, &Tree) -> Result<Draft, Error>,
    ) -> Result<Versioned<Category>, Error> {
        transaction::retry(ATTEMPTS, Error::is_conflict, async || {
            let snapshot = self.tree().await?;
            let old = snapshot.get(id)?;
            let draft = decide(old, &snapshot.tree)?;
            let (state, changed) = snapshot.tree.update(id, &old.state, draft, now())?;
            if changed.is_empty() {
                return Ok(old.clone());
            }
            let events = vec![events::updated(old, &state, &snapshot.tree, changed)];
            let mut transaction = self.transaction(&snapshot)?;
            let written = transaction.update(&self.categories, old, Change { state, events }).await?;
            transaction.commit("categories").await?;
            Ok(written)
        })
        .await
    }

    /// Deletes a category in which nothing is. Of a deleted one: no effect.
    pub async fn delete(&self, id: &str, etag: &str) -> Result<(), Error> {
        transaction::retry(ATTEMPTS, Error::is_conflict, async || {
            let snapshot = self.tree().await?;
            let Ok(old) = snapshot.get(id) else {
                let before = self.categories.load(id).await?;
                return before.map(drop).ok_or_else(|| Error::NoCategory(id.to_owned()));
            };
            if !old.is_current(etag) {
                return Err(Error::StaleEtag);
            }
            let state = snapshot.tree.delete(id, &old.state, now())?;
            let within = self.products.find_one(doc! { "category_ids": id }).await.map_err(::store::Error::from)?;
            if within.is_some() {
                return Err(domain::Error::CategoryNotEmpty.into());
            }
            let mut transaction = self.transaction(&snapshot)?;
            let events = vec![events::deleted(id)];
            transaction.update(&self.categories, old, Change { state, events }).await?;
            Ok(transaction.commit("categories").await?)
        })
        .await
    }
}
