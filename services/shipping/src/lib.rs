//! Shipments: from the confirmed order to the door.
//!
//! **Owns** shipments: their lines, address and state, and the tracking events of the carrier.
//! **RPCs** `ShippingService`: create, cancel, read, split, stop, dispatch, deliver, record tracking events, erase; what it
//! costs to send a parcel, from a table (`rates.toml`, or the file of a deployment).
//! **Collections** `shipments` (`_id` = the caller's shipment id, or a new one for what is split off; indexes `order_id`,
//! and `user_id, _id` for those that erase).
//! **Events out** `evt.shipping.shipment.<state in lower case>`: `ShipmentChanged`, without the address;
//! `evt.shipping.shipment.split`: `ShipmentSplit`. **Events in** none.
//!
//! Data flow: `rpc` → `commands` (what needs the carrier) → `carrier` (the seam; a sandbox lives in this process) and `domain`
//! (pure) → `store`. Tracking events come in through `RecordTrackingEvent`; there is no webhook yet.
//!
//! Invariants
//! - States move only along the table in `domain`. What has left cannot be cancelled or split.
//! - An order begins with one shipment of all its lines. A split writes both shipments in one transaction: at any moment
//!   the units of an order's shipments are those of the order.
//! - Orders cancel an order's shipments together; staff stop one by one.
//! - A tracking event is kept once by (carrier, event id). In whatever order events come, the shipment ends in the same
//!   state: the last reported one of DISPATCHED, LOST, DELIVERED, RETURNED. At most 100 are kept, and those that move the
//!   shipment.
//! - A cancellation that arrives before its shipment leaves a CANCELLED mark that refuses the late creation; a step of an
//!   earlier epoch than one that has changed the shipment is refused.
//! - The address is personal data and stays in this database.
//!
//! Loss and return move no money: orders learns of them by the event, and staff refund, with each line's disposition.
//!
//! A crash between the write and the reply: each RPC is a no-op when the shipment is there already, so the caller's
//! repeat answers with the same shipment. A split that died before its commit changed nothing; the transaction that it left
//! open is ended by a task that looks every few seconds.

mod carrier;
mod commands;
mod config;
mod convert;
mod domain;
mod error;
mod events;
mod rates;
mod rpc;
mod store;

use ::store::transaction::keep_ending_abandoned;
use contracts::shipping::v1::shipping_service_server::ShippingServiceServer;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::Shipment;

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, rates } = config;
    let mut service = Service::start(service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    let shipments = store::Shipments::new(&service.database);
    service.spawn(keep_ending_abandoned(service.database.client().clone(), service.background()));
    let commands = commands::Commands { shipments, carrier: Arc::new(carrier::Sandbox) };
    let routes = Routes::new(ShippingServiceServer::new(rpc::Handler { commands, rates }));
    service.serve(listener, routes).await
}
