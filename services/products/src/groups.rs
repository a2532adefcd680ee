//! Groups of products that differ in their options alone: staff make them by `rpc`, `store` counts their variants; a product names
//! the group that it is a variant of.

pub mod convert;
pub mod domain;
pub mod events;
pub mod rpc;
pub mod store;
