//! The commands of `comptoir`, as an operator runs them.

mod check;
pub mod events;
mod gateway;
mod merge;
mod products;
pub mod reconcile;
mod saga;
pub mod settings;
pub mod verify;
