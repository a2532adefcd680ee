//! The sagas of orders on a running system.

mod crowd;
pub mod lost;
pub mod operators;
mod pivot;
mod rolling;
mod same_key;
mod zombie;
