//! OAuth clients: services of the shop and integrations, which authenticate themselves with a secret and act with a role.

pub mod authentication;
mod convert;
pub mod domain;
mod events;
pub mod rpc;
pub mod store;
