//! All tests in one binary: pure rules, the running system through its gateway, and what must survive a kill.

mod addresses;
mod architecture;
mod bad_input;
mod bell;
mod chaos_orders;
mod consumers;
mod contracts;
mod crash;
mod events;
mod events_cli;
mod group;
mod grpc;
mod inventory;
mod inventory_machine;
mod inventory_rpc;
mod inventory_sale;
mod order_history;
mod orders;
mod payments;
mod rebuild;
mod saga;
mod shipping;
mod shop;
mod transcode;
mod users;
mod verify;
