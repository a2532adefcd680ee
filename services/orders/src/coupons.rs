//! Coupons: staff make and end them by `rpc`, orders use them through `store`. `convert` has their events too.

pub mod convert;
pub mod domain;
pub mod redemptions;
pub mod rpc;
pub mod store;
