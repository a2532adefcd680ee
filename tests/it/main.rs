//! All tests in one binary: pure rules, the running system through its gateway, and what must survive a kill.

mod addresses;
mod architecture;
mod chaos;
mod cli;
mod contracts;
mod gateway;
mod inventory;
mod inventory_machine;
mod inventory_rpc;
mod inventory_sale;
mod mesh;
mod money;
mod order_history;
mod orders;
mod payments;
mod products;
mod saga;
mod shipping;
mod system;
mod transcode;
mod users;

// Pure rules.
mod coupons {
    pub mod rules;
}
mod quotes {
    pub mod arithmetic;
    pub mod signer;
    pub mod tables;
}
mod shipments {
    pub mod shares;
}
