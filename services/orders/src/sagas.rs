//! The sagas of orders: `definitions` are data, `steps` makes the calls, `store` finds and claims those that are due, `rpc`
//! and `convert` show them to staff, who intervene.

pub mod convert;
pub mod definitions;
pub mod rpc;
pub mod steps;
pub mod store;
