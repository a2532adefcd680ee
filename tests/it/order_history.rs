//! The read model of orders.

mod entries;
mod folding;
pub mod rebuild;
