//! The read model of orders.

mod entries;
mod folding;
mod indexes;
mod lists;
mod read_your_writes;
pub mod rebuild;
