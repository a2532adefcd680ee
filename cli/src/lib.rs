//! The command line of Comptoir, as a library so that the tests use the same parts.
//!
//! `comptoir dev` is the whole system on one machine:
//!
//! ```text
//! data directory (locked) -> credentials, keys -> mongod + nats-server (children) -> every service and the gateway
//! in this process, over real gRPC on loopback -> wait until ready -> seed once -> print how to use it -> supervise
//! ```
//!
//! `comptoir serve <name>` is one of them alone, configured by flags and `COMPTOIR_*` variables; `comptoir config
//! <name>` prints that configuration; `comptoir healthcheck` asks a running one how it is; `comptoir events` shows and
//! moves events, `comptoir saga` shows and repairs sagas, `comptoir payments` compares with the provider; `comptoir
//! gateway` shows what the gateway answers to; `comptoir verify` checks that a running system is what it promises to be, `comptoir check` that it takes an order; `comptoir
//! secrets` makes what an installation keeps secret.
//!
//! Invariants: a data directory has one `dev` at a time; every secret in it is readable by its owner only; each service
//! reaches MongoDB and NATS as its own user; no child outlives this process, however it ends. After a crash the next
//! `dev` waits for the old children, starts again on the same data and completes what the first start left undone.
//!
//! `services` is the only file that names the service crates, `logging` the only one that sets up the subscriber, and
//! the environment is read once, in `main`.

pub mod args;
pub mod check;
pub mod child;
pub mod config;
pub mod dev;
pub mod docs;
pub mod events;
pub mod gateway;
pub mod healthcheck;
pub mod logging;
pub mod payments;
pub mod products;
pub mod saga;
pub mod secrets;
pub mod serve;
pub mod services;
pub mod settings;
pub mod signals;
pub mod verify;

/// The environment as it was when the process started; variables that are not UTF-8 are left out.
pub type Environment = std::collections::BTreeMap<String, String>;

/// Exit code of a mistake on the command line or in the configuration: EX_USAGE of sysexits.h.
pub const EXIT_USAGE: u8 = 64;
