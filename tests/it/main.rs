//! All tests in one binary that need more than one crate: the rules of the architecture, the running system through its
//! gateway, and what must survive a kill. Pure rules are tested beside the code.

mod analytics;
mod architecture;
mod audit;
mod baskets;
mod chaos;
mod cli;
mod collector;
mod contracts;
mod email;
mod gateway;
mod http2;
mod inventory;
mod mesh;
mod order_history;
mod orders;
mod payments;
mod privacy;
mod products;
mod shipping;
mod system;
mod users;
mod webhooks;
