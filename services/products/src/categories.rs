//! Categories: a tree that staff make and move by `rpc`, kept whole by `store`; products name the categories that they are in.

pub mod convert;
pub mod domain;
pub mod events;
pub mod rpc;
pub mod store;
