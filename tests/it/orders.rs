//! The orders service.

pub mod coupons;
mod currencies;
mod erasure;
mod free_orders;
mod lifecycle;
mod payable_amounts;
pub mod quotes;
pub mod refunds;
pub mod sagas;
pub mod shipments;
pub mod stored;
mod wait;
