//! Reports on orders: revenue, funnel and products by day, week and month, in the time zone of the shop and by currency.
//!
//! **Owns** nothing: everything here is folded from events and can be folded again.
//! **RPCs** `AnalyticsService`: revenue, funnel, top products.
//! **Collections** `facts` (`_id` ord_…; by the times of its movements, of its placing, and of its confirmation with the
//! currency), twice, with and without the suffix `_b`: one is in use, `projection` tells which, and in the other the facts can
//! be built anew. It has no outbox.
//! **Events out** none. **Events in** those of orders; those of coupons, which come on the same stream, tell nothing.
//!
//! An event goes through `consumer` (contract → change), `domain` (`fold`: fact and change → fact) and `folding` (write if
//! the fact has not changed since it was read, else fold again). A report is one aggregation over the facts (`reports`), whose
//! sums `domain/report` lays out in the periods of `domain/calendar`.
//!
//! Invariants: a fact keeps the `seq` of the last event in it, in the same write as the effect: a second delivery has no effect,
//! and an event that comes before its predecessor comes again. So any order and any repetition of the events make the same
//! facts. Times are those of the events, never those at which they came. Amounts are decimals, and sums of them exact. A fact
//! has no personal data: not even who has ordered.
//!
//! A crash between the write and the acknowledgement: the event comes again and is skipped.

mod config;
mod consumer;
mod convert;
mod domain;
mod error;
mod folding;
mod reports;
mod rpc;
mod store;

use ::events::Color;
use contracts::analytics::v1::analytics_service_server::AnalyticsServiceServer;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let mut service = Service::start(config.service, shutdown).await?;
    // Both, because a rebuild fills the copy that is not in use.
    for color in [Color::Blue, Color::Green] {
        service.indexes(&store::indexes(&color.collection(store::FACTS))).await?;
    }
    let model = Arc::new(store::ReadModel::new(&service.database));
    service.project(model.clone())?;
    let routes = Routes::new(AnalyticsServiceServer::new(rpc::Handler { model, calendar: config.calendar }));
    service.serve(listener, routes).await
}
