//! All tests in one binary: pure rules, the running system through its gateway, and what must survive a kill.

mod architecture;
mod bad_input;
mod bell;
mod consumers;
mod contracts;
mod crash;
mod events;
mod events_cli;
mod grpc;
mod inventory;
mod late;
mod mutants;
mod order_history;
mod orders;
mod payments;
mod rebuild;
mod saga;
mod shipping;
mod shop;
mod transcode;
mod users;
