//! The read model of orders.

mod entries;
mod folding;
mod indexes;
mod lists;
pub mod rebuild;
