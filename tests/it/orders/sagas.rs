//! The sagas of orders on a running system.

mod backlog;
pub mod lost_replies;
pub mod operators;
mod pivot;
mod reused_keys;
mod rolling_update;
mod zombie;
