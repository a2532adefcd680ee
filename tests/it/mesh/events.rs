//! From the outbox to the stream, whatever is killed: real mongod, real nats-server, real processes, kill = SIGKILL.
//!
//! Every test ends with [`invariants::everything`]: what was answered is in the log, sequences are contiguous per aggregate,
//! and the stream is the log, entry for entry.

mod backlog;
mod broker;
mod consumers;
mod database;
mod duplicates;
mod durable;
pub mod fixture;
mod foreign;
mod hints;
pub mod invariants;
mod killed;
mod oplog;
mod payload;
mod permissions;
mod refused;
mod removed_data;
mod segments;
pub mod stuck;
mod takeover;
pub mod write_forms;
pub mod writer;

use std::time::Duration;

/// How long a condition may take on a loaded machine.
const TIMEOUT: Duration = Duration::from_secs(60);
