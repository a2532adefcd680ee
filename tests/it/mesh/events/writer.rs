//! Writers: products changed as the service does it, and a note of every event whose write was answered.

use crate::orders::stored::euros;
use bson::{Document, doc};
use contracts::{
    id::Kind,
    products::v1::{Product as Wire, ProductUpdated},
};
use kit::within;
use products::Product;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use store::Database;
use store::{Change, ChangeError, Documents, NewEvent};

/// How long a writer tries: over a restart of mongod, over a full outbox.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// The name that each event gives its product, by product and sequence.
pub type Names = BTreeMap<(String, i64), String>;

/// Writes to the products, and remembers.
#[derive(Clone)]
pub struct Writer {
    database: Database,
    documents: Documents<Product>,
    names: Arc<Mutex<Names>>,
}

impl Writer {
    /// To the products of `database`.
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), documents: Documents::new(database), names: Arc::default() }
    }

    /// The collection, for foreign writers.
    pub fn collection(&self) -> &mongodb::Collection<Document> {
        self.documents.collection()
    }

    /// The database, for foreign writers.
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// What has been answered so far.
    pub fn names(&self) -> Names {
        self.names.lock().expect("no holder panics").clone()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.names.lock().expect("no holder panics").clear();
    }

    /// Notes that the write of these events, the last of which has `seq`, was answered.
    pub fn note(&self, id: &str, seq: i64, names: Vec<String>) {
        let first = seq - i64::try_from(names.len()).expect("few") + 1;
        let noted = (first..).zip(names).map(|(seq, name)| ((id.to_owned(), seq), name));
        self.names.lock().expect("no holder panics").extend(noted);
    }

    /// A new product with one event; its id.
    pub async fn insert(&self) -> String {
        let id = Kind::Product.new_id();
        within(WRITE_TIMEOUT, || async {
            let name = fresh_name();
            match self.documents.insert(&id, product(&id), vec![event(&name)]).await {
                Ok(_) => self.note(&id, 1, vec![name]),
                // An earlier attempt worked although it was not answered.
                Err(store::Error::Duplicate) => {}
                Err(error) => return Err(error.into()),
            }
            Ok(())
        })
        .await
        .expect("mongod takes the product");
        id
    }

    /// One write with `count` events.
    pub async fn try_update(&self, id: &str, count: usize) -> Result<(), ChangeError<Infallible>> {
        self.try_rename(id, (0..count).map(|_| fresh_name()).collect()).await
    }

    /// One write with an event for each of these names; an event is as large as its name.
    pub async fn try_rename(&self, id: &str, names: Vec<String>) -> Result<(), ChangeError<Infallible>> {
        let changed = self.documents.change(id, |old| {
            let state = Product { description: names.concat(), ..old.state.clone() };
            Ok(Some(Change { state, events: names.iter().map(|name| event(name)).collect() }))
        });
        let changed = changed.await?;
        self.note(id, changed.seq, names);
        Ok(())
    }

    /// Like [`Self::try_update`], tried until it works.
    pub async fn update(&self, id: &str, count: usize) {
        let updated = within(WRITE_TIMEOUT, || async { Ok(self.try_update(id, count).await?) });
        updated.await.expect("mongod takes the change");
    }

    /// New products with `changes` events each, one write per event; their ids.
    pub async fn products(&self, count: usize, changes: usize) -> Vec<String> {
        let one = || async {
            let id = self.insert().await;
            for _ in 1..changes {
                self.update(&id, 1).await;
            }
            id
        };
        futures::future::join_all((0..count).map(|_| one())).await
    }
}

/// A product that could be in the catalogue.
pub fn product(id: &str) -> Product {
    let (price, now) = (euros("5.00"), store::now());
    let stored = doc! {
        "name": "Written by a test", "description": "", "sku": format!("TEST-{id}"), "sku_key": format!("TEST-{id}"),
        "price": price, "status": "Active", "created_at": now, "updated_at": now, "request_key": id,
    };
    bson::deserialize_from_document(stored).expect("a product can be read")
}

/// An event that gives its product this name.
pub fn event(name: &str) -> NewEvent {
    let product = Wire { name: name.to_owned(), ..Default::default() };
    NewEvent::of("updated", &ProductUpdated { product: Some(product), changed_fields: vec!["name".into()] })
}

/// A name that no other event has.
pub fn fresh_name() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// A name like [`fresh_name`], `bytes` longer.
pub fn long_name(bytes: usize) -> String {
    fresh_name() + &"x".repeat(bytes)
}
