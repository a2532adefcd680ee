//! The rows in MongoDB. Each write holds the effect of an event together with its `seq`.

use crate::{
    domain::{Entry, Fact, is_next, words_of},
    error::Error,
    filter::{Filter, Place},
    folding::Folding,
};
use ::events::{Color, Event, InUse, Table};
use ::store::{Batcher, Error as StoreError, Found, Index, page};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Name of the rows' collection.
pub const ROWS: &str = "order_history";

const USERS: &str = "users";
const PRODUCTS: &str = "products";

/// How often a fact is folded anew when somebody else wrote the row in between; there are three sources of one row.
const ATTEMPTS: u32 = 16;

/// What a fact counts in a batch; one that names its lines is longer, most are shorter.
const FACT_BYTES: usize = 1024;

/// Longest time of one look for entries in the database: what an index serves takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The index of lists in an earlier release.
const OBSOLETE: &str = "order.user_id_1__id_-1";

/// What the read model consists of, in either copy.
pub const TABLES: [Table; 3] = [
    Table { collection: ROWS, applied: "applied", bookkeeping: &["rev", "mark"] },
    Table { collection: USERS, applied: "seq", bookkeeping: &[] },
    Table { collection: PRODUCTS, applied: "seq", bookkeeping: &[] },
];

/// Indexes of the rows in the collection called `rows`. Each of a list has the order of the list behind what must be equal,
/// so that a page is read from one range; what stands behind that is compared in the index, and not in the rows.
pub fn indexes(rows: &str) -> [Index; 8] {
    [
        doc! { "payment.payment_id": 1 },
        doc! { "shipment.shipment_id": 1 },
        doc! { "split_off": 1 },
        doc! { "order.created_at": -1, "_id": -1 },
        doc! { "order.state": 1, "order.created_at": -1, "_id": -1 },
        doc! { "order.user_id": 1, "order.created_at": -1, "_id": -1, "order.state": 1 },
        doc! { "order.items.product_id": 1, "order.created_at": -1, "_id": -1, "order.state": 1, "order.user_id": 1 },
        // The beginnings of a rare word; those of a word that many orders have are looked for in the order of the list.
        doc! { "order.words": 1 },
    ]
    .map(|keys| Index::new(rows, keys))
}

/// What an event tells about something that rows are joined with.
pub enum Joined {
    UserDeleted,
    /// The product's name is now this.
    ProductName(String),
    /// Nothing that is shown.
    Nothing,
}

/// How far the row of an order has come.
#[derive(Deserialize)]
pub struct Folded {
    pub user_id: String,
    /// `seq` of the order's last event in the row.
    pub seq: i64,
}

/// What rows are joined with when they are read.
pub struct Names {
    pub deleted_users: BTreeSet<String>,
    pub products: BTreeMap<String, String>,
}

/// Both copies of the read model, and which of them is in use.
pub struct ReadModel {
    database: Database,
    in_use: InUse,
}

impl ReadModel {
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), in_use: InUse::new(database) }
    }

    pub fn color(&self, color: Color) -> Histories {
        Histories::new(&self.database, color)
    }

    /// The rows to answer a request from.
    pub async fn current(&self) -> Result<Histories, Error> {
        Ok(self.color(self.in_use.color().await?))
    }
}

/// The rows and what they are joined with, in one copy.
#[derive(Clone)]
pub struct Histories {
    /// `{_id: usr_…, seq, deleted}`
    pub users: Collection<Document>,
    /// `{_id: prd_…, seq, name}`
    pub products: Collection<Document>,
    rows: Collection<Entry>,
    folding: Batcher<Folding>,
}

impl Histories {
    /// The read model of this database that is in `color`.
    pub fn new(database: &Database, color: Color) -> Self {
        Self {
            users: database.collection(&color.collection(USERS)),
            products: database.collection(&color.collection(PRODUCTS)),
            rows: database.collection(&color.collection(ROWS)),
            folding: Batcher::new(Folding::new(database, &color.collection(ROWS))),
        }
    }

    /// Folds a fact into its row, again when somebody else wrote in between.
    pub async fn apply(&self, fact: &Fact) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            if self.folding.submit(fact.clone(), FACT_BYTES).await?? {
                return Ok(());
            }
        }
        Err(Error::Contended(fact.order_id.clone()))
    }

    /// The row that the events of `source` go to, as far as earlier ones have told; else a row of its own id.
    pub async fn row_of(&self, source: &str) -> Result<String, Error> {
        let any = ["payment.payment_id", "shipment.shipment_id", "split_off"].map(|field| doc! { field: source });
        let found = self.rows.find_one(doc! { "$or": any.to_vec() }).await?;
        Ok(found.map_or_else(|| source.to_owned(), |entry| entry.order_id))
    }

    /// Records what an event tells about a user or product, when it is the next one of that aggregate.
    pub async fn join(&self, into: &Collection<Document>, event: &Event, joined: Joined) -> Result<(), Error> {
        let mut set = doc! { "seq": event.seq };
        match joined {
            Joined::UserDeleted => drop(set.insert("deleted", true)),
            Joined::ProductName(name) => drop(set.insert("name", name)),
            Joined::Nothing => {}
        }
        let id = &event.aggregate_id;
        let found = into.find_one(doc! { "_id": id }).await?;
        let applied = found.as_ref().and_then(|found| found.get_i64("seq").ok()).unwrap_or(0);
        if !is_next(applied, event.seq)? {
            return Ok(());
        }
        // Guarded by `seq`: whoever is later matches nothing, tries to insert, and is refused by `_id`.
        let update = into.update_one(doc! { "_id": id, "seq": applied }, doc! { "$set": set }).upsert(true);
        match update.await.map_err(StoreError::from) {
            Ok(_) | Err(StoreError::Duplicate) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The row of an order that has been placed.
    pub async fn get(&self, order_id: &str) -> Result<Option<Entry>, Error> {
        Ok(self.rows.find_one(doc! { "_id": order_id, "order": { "$ne": null } }).await?)
    }

    /// How far the row of a placed order has come; none when there is no such row.
    pub async fn folded(&self, order_id: &str) -> Result<Option<Folded>, Error> {
        let applied = doc! { "$getField": { "field": { "$literal": order_id }, "input": "$applied" } };
        let pipeline = [
            doc! { "$match": { "_id": order_id, "order": { "$ne": null } } },
            doc! { "$project": { "_id": 0, "user_id": "$order.user_id", "seq": { "$ifNull": [applied, 0_i64] } } },
        ];
        let mut found = self.rows.aggregate(pipeline).with_type::<Folded>().await?;
        Ok(found.try_next().await?)
    }

    /// Rows of placed orders behind a place, newest order first.
    pub async fn list(&self, filter: &Filter, behind: Option<&Place>, limit: i64) -> Result<Found<Entry>, Error> {
        let rows = self.rows.find(filter.rows(behind)).sort(Filter::sort());
        page::find_within(rows, limit, TIMEOUT).await.map_err(Error::of_list)
    }

    /// Gives the rows of an earlier release the words by which they are found, and drops the index of its lists. Returns how
    /// many rows there were.
    pub async fn take_over(&self) -> Result<usize, Error> {
        let rows = self.rows.clone_with_type::<Document>();
        let missing = || doc! { "order": { "$ne": null }, "order.words": { "$exists": false } };
        let found = rows.find(missing()).projection(doc! { "order.items.name": 1, "order.items.sku": 1 }).await?;
        let add = async |count: usize, row: Document| {
            let items = row.get_document("order").and_then(|order| order.get_array("items"));
            let items = items.into_iter().flatten().filter_map(Bson::as_document);
            let text = |item: &'_ Document, field: &str| item.get_str(field).unwrap_or_default().to_owned();
            let texts: Vec<_> = items.map(|item| (text(item, "name"), text(item, "sku"))).collect();
            let words = words_of(texts.iter().map(|(name, sku)| (name.as_str(), sku.as_str())));
            let unchanged = doc! { "_id": row.get("_id").cloned(), "order.words": { "$exists": false } };
            rows.update_one(unchanged, doc! { "$set": { "order.words": words } }).await.map(|_| count + 1)
        };
        let count = found.try_fold(0, add).await?;
        if rows.list_index_names().await?.iter().any(|name| name == OBSOLETE) {
            rows.drop_index(OBSOLETE).await?;
        }
        Ok(count)
    }

    pub async fn names(&self, entries: &[Entry]) -> Result<Names, Error> {
        let orders = || entries.iter().filter_map(|entry| entry.order.as_ref());
        let users: BTreeSet<&str> = orders().map(|order| order.user_id.as_str()).collect();
        let items = orders().flat_map(|order| &order.items);
        let products: BTreeSet<&str> = items.map(|item| item.product_id.as_str()).collect();
        let users: Vec<&str> = users.into_iter().collect();
        let products: Vec<&str> = products.into_iter().collect();
        let deleted = self.users.find(doc! { "_id": { "$in": users }, "deleted": true }).await?;
        let named = self.products.find(doc! { "_id": { "$in": products } }).await?;
        let (deleted, named): (Vec<Document>, Vec<Document>) =
            (deleted.try_collect().await?, named.try_collect().await?);
        let text = |found: &Document, key: &str| found.get_str(key).ok().map(str::to_owned);
        Ok(Names {
            deleted_users: deleted.iter().filter_map(|found| text(found, "_id")).collect(),
            products: named.iter().filter_map(|found| Some((text(found, "_id")?, text(found, "name")?))).collect(),
        })
    }
}
