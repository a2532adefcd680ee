//! The crates that every service is built on.

pub mod events;
mod rpc;
mod saga;
pub mod service;
mod store;
