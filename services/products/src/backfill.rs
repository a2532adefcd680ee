//! Gives products what they lack when an older release has written them.

use crate::{error::Error, search::store::Search, stock::store::Stocks, store::Products};
use ::store::Database;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A replica of the release before may write beside this one for a while.
const EVERY: Duration = Duration::from_secs(600);

pub struct Backfill {
    products: Products,
    search: Search,
    stocks: Stocks,
}

impl Backfill {
    pub fn new(database: &Database) -> Self {
        Self { products: Products::new(database), search: Search::new(database), stocks: Stocks::new(database) }
    }

    /// Goes through all products once. What fails is tried again by the next run.
    pub async fn run(&self) {
        // After the index of the keys: of two older products with one key, only one gets it.
        told("the key of their SKU", self.products.add_sku_keys().await);
        told("the words by which they are found", self.search.add_words().await);
        told("the keys of their prices", self.search.add_price_keys().await);
        told("the stock that was told before them", self.stocks.adopt_all().await.map_err(Error::from));
    }

    /// Runs again and again until `end`.
    pub async fn keep_running(self, end: CancellationToken) {
        let runs = async {
            loop {
                tokio::time::sleep(EVERY).await;
                self.run().await;
            }
        };
        end.run_until_cancelled(runs).await;
    }
}

fn told(what: &str, done: Result<(), Error>) {
    if let Err(error) = done {
        tracing::warn!(%error, "products of before have not been given {what}; it is tried again in {} s", EVERY.as_secs());
    }
}
