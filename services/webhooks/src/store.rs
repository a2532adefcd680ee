//! Endpoints and deliveries in MongoDB.

mod cursors;
mod deliveries;
mod endpoints;

pub use cursors::Cursors;
pub use deliveries::Deliveries;
pub use endpoints::Endpoints;

use ::store::Index;
use bson::doc;
use mongodb::{IndexModel, options::IndexOptions};
use std::time::Duration;

const ENDPOINTS: &str = "endpoints";
pub const DELIVERIES: &str = "deliveries";
const CURSORS: &str = "cursors";

/// Those that are due, those of a lane, each filter of the lists, and what `verify` looks them up by.
pub fn indexes() -> [Index; 7] {
    [
        Index::unique(ENDPOINTS, doc! { "slot": 1 }),
        Index::new(ENDPOINTS, doc! { "event_types": 1 }),
        Index::new(DELIVERIES, doc! { "endpoint_id": 1, "wake_at": 1, "seq": 1 }),
        Index::new(DELIVERIES, doc! { "lane": 1, "state": 1, "seq": 1 }),
        Index::new(DELIVERIES, doc! { "aggregate_id": 1 }),
        Index::new(DELIVERIES, doc! { "endpoint_id": 1, "state": 1, "_id": -1 }),
        Index::new(DELIVERIES, doc! { "state": 1, "_id": -1 }),
    ]
}

/// The index by which mongod removes deliveries.
pub fn expiry() -> IndexModel {
    let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
    IndexModel::builder().keys(doc! { "expires_at": 1 }).options(options).build()
}
