//! The read model of orders: what all services tell of an order, in one row.
//!
//! **Owns** nothing: everything here is folded from events and can be folded again.
//! **RPCs** `OrderHistoryService`: read one entry, list entries.
//! **Collections** `order_history` (`_id` ord_…; by user, state, product and time of the order, by its words, by payment, by
//! shipment), `users` and
//! `products` (what the rows are joined with when they are read); each of them twice, with and without the suffix `_b`:
//! one is in use, `projection` tells which, and in the other the model can be built anew. None has an outbox.
//! **Events out** none. **Events in** all of users, products, orders, payments, shipping.
//!
//! An event goes through `events` (contract → [`Fact`]), `domain` ([`fold`]: row and fact → row) and `store` (write if
//! the row has not changed since it was read, else fold again).
//!
//! Invariants: each row keeps, per source aggregate, the `seq` of the last event in it, in the same write as the effect:
//! a second delivery has no effect, and an event that comes before its predecessor comes again. A payment or shipment may
//! be heard of before its order: the row is then a stub that no reader sees. An event that cannot be decoded blocks its
//! lane and says so in the log.
//!
//! A reply tells how far the rows are behind (`::events::ProjectionLag`), and waits for a version that its caller has seen
//! (`read_your_writes`).
//!
//! A crash between the write and the acknowledgement: the event comes again and is skipped.

mod config;
mod consumer;
mod convert;
mod domain;
mod error;
mod filter;
mod folding;
mod read_your_writes;
mod rpc;
mod store;
mod version;

use ::events::{Color, ProjectionLag};
use ::store::Pager;
use contracts::orderhistory::v1::order_history_service_server::OrderHistoryServiceServer;
use service::Service;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use consumer::fact;
pub use domain::{Entry, Fact, Gap, fold};
pub use folding::Folding;

/// How often rows of an earlier release are looked for: while the release is put in place, processes of both write.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(60);

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let mut service = Service::start(config.service, shutdown).await?;
    // Both, because a rebuild fills the copy that is not in use.
    for color in [Color::Blue, Color::Green] {
        service.indexes(&store::indexes(&color.collection(store::ROWS))).await?;
    }
    let model = Arc::new(store::ReadModel::new(&service.database));
    let lag = ProjectionLag::new(service.project(model.clone())?);
    let (rows, stop) = (model.clone(), service.background());
    service.spawn(async move { stop.run_until_cancelled(take_over(&rows)).await.unwrap_or_default() });
    let pager = Pager::new(service.config.service_key.reveal(), "order-history");
    let routes = Routes::new(OrderHistoryServiceServer::new(rpc::Handler { model, lag, pager }));
    service.serve(listener, routes).await
}

/// Gives the rows of an earlier release, in both copies, what lists need of them.
async fn take_over(model: &store::ReadModel) {
    loop {
        for color in [Color::Blue, Color::Green] {
            match model.color(color).take_over().await {
                Ok(0) => {}
                Ok(count) => {
                    tracing::info!(count, ?color, "rows of an earlier release have the words by which they are found")
                }
                Err(error) => tracing::warn!(%error, ?color, "rows of an earlier release cannot be taken over now"),
            }
        }
        tokio::time::sleep(TAKE_OVER_EVERY).await;
    }
}
