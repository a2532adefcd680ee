//! mesh/rpc: servers and channels.

mod connections;
