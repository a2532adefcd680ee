//! Stock in the documents of products, beside their versions: a write of it leaves `rev`, and with it the etag, as it is.
//!
//! Stock that is told before its product is there waits in `early_stock`. Who tells writes there first and then looks for the
//! product again, and who adds a product looks there after that; so one of the two finds the other.
//!
//! What is told within half a second is one command, with one write for each product.

use crate::domain::{Product, Stock};
use ::store::{Aggregate, BatchWorker, Database, Error};
use bson::{Bson, Document, doc};
use futures::{TryStreamExt, future::join_all};
use mongodb::Collection;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// Stock of products that are not there.
const EARLY: &str = "early_stock";

/// Longest wait for the majority.
const WRITE_TIMEOUT_MS: i32 = 10_000;

#[derive(Debug, Serialize, Deserialize)]
struct Early {
    #[serde(rename = "_id")]
    product_id: String,
    stock: Stock,
}

#[derive(Clone)]
pub struct Stocks {
    database: Database,
    products: Collection<Document>,
    early: Collection<Early>,
}

impl Stocks {
    pub fn new(database: &Database) -> Self {
        let (products, early) = (database.collection(Product::COLLECTION), database.collection(EARLY));
        Self { database: database.clone(), products, early }
    }

    /// Keeps `told` unless something newer is known.
    pub async fn keep(&self, product_id: &str, told: Stock) -> Result<(), Error> {
        if self.put(product_id, told).await? {
            return Ok(());
        }
        let stock = bson::serialize_to_bson(&told)?;
        let is_older = doc! { "_id": product_id, "stock.seq": { "$lt": told.seq } };
        match self
            .early
            .update_one(is_older, doc! { "$set": { "stock": stock } })
            .upsert(true)
            .await
            .map_err(Error::from)
        {
            // What is there is no older.
            Ok(_) | Err(Error::Duplicate) => self.adopt(product_id).await,
            Err(error) => Err(error),
        }
    }

    /// Gives a product the stock that was told before it was there.
    pub async fn adopt(&self, product_id: &str) -> Result<(), Error> {
        let Some(early) = self.early.find_one(doc! { "_id": product_id }).await? else { return Ok(()) };
        if self.put(product_id, early.stock).await? {
            self.early.delete_one(doc! { "_id": product_id, "stock.seq": early.stock.seq }).await?;
        }
        Ok(())
    }

    /// [`Stocks::adopt`] of all products: a process may have ended between a product and its stock.
    pub async fn adopt_all(&self) -> Result<(), Error> {
        let found = self.early.find(doc! {}).await?;
        found.map_err(Error::from).try_for_each(async |early| self.adopt(&early.product_id).await).await
    }

    /// Writes to the product what is newer than what it has; false when there is no product.
    async fn put(&self, product_id: &str, told: Stock) -> Result<bool, Error> {
        Ok(self.products.update_one(doc! { "_id": product_id }, vec![newest(told)?]).await?.matched_count > 0)
    }

    /// [`Stocks::put`] of several; false unless each was written.
    async fn put_all(&self, told: &BTreeMap<&str, Stock>) -> Result<bool, Error> {
        let statement = |(product_id, told): (&&str, &Stock)| -> Result<Bson, Error> {
            Ok(doc! { "q": { "_id": *product_id }, "u": [newest(*told)?] }.into())
        };
        let reply = self.database.run_command(doc! {
            "update": Product::COLLECTION,
            "updates": told.iter().map(statement).collect::<Result<Vec<_>, _>>()?,
            "ordered": false,
            "writeConcern": { "w": "majority", "wtimeout": WRITE_TIMEOUT_MS },
        });
        let reply = reply.await?;
        let is_whole = ["writeErrors", "writeConcernError"].iter().all(|failure| !reply.contains_key(failure));
        Ok(is_whole && reply.get_i32("n").is_ok_and(|matched| usize::try_from(matched) == Ok(told.len())))
    }
}

/// The stage of an update that sets what is told unless the product has something newer.
fn newest(told: Stock) -> Result<Document, Error> {
    let stock = bson::serialize_to_bson(&told)?;
    let is_newer = doc! { "$lt": [{ "$ifNull": ["$stock.seq", 0_i64] }, told.seq] };
    Ok(doc! { "$set": { "stock": { "$cond": [is_newer, { "$literal": stock }, "$stock"] } } })
}

impl BatchWorker for Stocks {
    type Request = (String, Stock);
    type Outcome = Result<(), Error>;
    // Nobody waits for it, and a product that sells fast is written twice a second at most.
    const MIN_INTERVAL: Duration = Duration::from_millis(500);
    // As many as are handed over of one product at once: a product that sells faster holds up no other.
    const MAX_BATCH: usize = 16;

    async fn run(&self, told: Vec<(String, Stock)>) -> Vec<Result<(), Error>> {
        let mut newest: BTreeMap<&str, Stock> = BTreeMap::new();
        for (product_id, stock) in &told {
            let known = newest.entry(product_id).or_insert(*stock);
            if known.seq < stock.seq {
                *known = *stock;
            }
        }
        match self.put_all(&newest).await {
            Ok(true) => told.iter().map(|_| Ok(())).collect(),
            // A product is not there, or a write has failed: each is told by itself.
            Ok(false) | Err(_) => join_all(told.iter().map(|(product_id, stock)| self.keep(product_id, *stock))).await,
        }
    }
}
