//! The stock of products, as the events of inventory tell it: `consumer` reads them, `store` keeps what the newest one says.

pub mod consumer;
pub mod store;
