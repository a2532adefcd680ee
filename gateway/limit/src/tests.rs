//! The arithmetic, and one process alone. What several replicas count together is tested with a real NATS server in
//! `tests/it/gateway/limits.rs`.

mod limiter;
mod quota;
