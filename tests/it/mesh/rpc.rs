//! mesh/rpc: servers and channels.

mod breaker;
mod connections;
