//! Fixtures over real processes: the binary, mongod and nats-server, as a user runs them.
//!
//! [`Stack::start`] spawns `comptoir dev` on free ports and a data directory of its own, and waits until it prints
//! `ready`. [`shared`] is one stack for all tests of a binary that only use the API; a test that kills, restarts or
//! counts everything starts its own. [`Stores`] are mongod and nats-server alone, to be killed under a running service.
//! [`Client`] speaks JSON to the gateway, as somebody. [`shop`] has what the tests of orders share, [`log()`] reads the
//! events of a service. [`eventually`] waits
//! for a condition, with a time-out; tests do not sleep.
//!
//! Nothing outlives a test run: every process is spawned with a parent-death signal (see `comptoir::child`), and a
//! data directory goes when its stack is dropped.

mod client;
mod log;
mod process;
pub mod shop;
mod stack;
mod stores;
mod wait;

pub use client::{Client, Reply, reply};
pub use log::log;
pub use process::{Process, binary, free_address, library, root};
pub use stack::{DEMO_PASSWORD, Directory, Stack, StackOptions, all_but, shared};
pub use stores::{Stores, limit_nats};
pub use wait::{eventually, within};
