//! From the outbox to the stream, whatever is killed: real mongod, real nats-server, real processes, kill = SIGKILL.
//!
//! Every test ends with [`check::everything`]: what was answered is in the log, sequences are contiguous per aggregate,
//! and the stream is the log, entry for entry.

mod backlog;
mod broker;
pub mod check;
mod consumers;
mod database;
mod duplicates;
mod durable;
mod foreign;
pub mod forms;
mod hints;
mod killed;
mod oplog;
mod payload;
mod permissions;
mod refused;
mod removed;
pub mod shop;
mod stuck;
mod takeover;
pub mod write;

use std::time::Duration;

/// How long a condition may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);
