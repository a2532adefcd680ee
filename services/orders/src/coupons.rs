//! Coupons: staff make and end them by `rpc`, orders use them through `store`; `redemptions` counts the uses.

pub mod convert;
pub mod domain;
pub mod events;
pub mod redemptions;
pub mod rpc;
pub mod store;
