//! Shipments: from the confirmed order to the door.
//!
//! **Owns** shipments: what goes where, and how far it is.
//! **RPCs** `ShippingService`: create, cancel, read, dispatch, deliver; what it costs to send a parcel, from a table
//! (`rates.toml`, or the file of a deployment).
//! **Collections** `shipments` (`_id` = the caller's shipment id).
//! **Events out** `evt.shipping.shipment.<state in lower case>`: `ShipmentChanged`, without the address.
//! **Events in** none.
//!
//! Invariants: states move only along the table in `domain`; what has been dispatched cannot be cancelled; a
//! cancellation that arrives before its shipment leaves a CANCELLED mark that refuses the late creation; a step of an
//! earlier epoch than one that has changed the shipment is refused; the address is personal data and stays in this database.
//!
//! A crash between the write and the reply: each RPC is a no-op when the shipment is there already, so the caller's
//! repeat answers with the same shipment.

mod convert;
mod domain;
mod error;
mod rates;
mod rpc;
mod store;

use contracts::shipping::v1::shipping_service_server::ShippingServiceServer;
use service::Service;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use domain::{Address, Command, Line, Order, Plan, Shipment, State, transition};
pub use error::Error;
pub use rates::{BadRates, Rate, Rates};

/// What shipping is configured with beside what every service is.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What it costs to send a parcel.
    pub rates: Rates,
}

/// Runs the service until `shutdown`.
pub async fn run(
    config: service::Config,
    own: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), service::Error> {
    let service = Service::start(config, shutdown).await?;
    let handler = rpc::Handler { shipments: store::Shipments::new(&service.database), rates: own.rates };
    let routes = Routes::new(ShippingServiceServer::new(handler));
    service.serve(listener, routes).await
}
