//! The audit trail: who has changed what, in chains of hashes.
//!
//! **Owns** entries, one for each event of each service. **RPCs** `AuditService`: list, verify, export.
//! **Collections** `entries` (`_id` is the place, `2026-03-29/000000000001`; unique `event_id`; by aggregate, by actor), `days`
//! (`_id` is the day; how many entries it has, the hash of the last one, and the one that the first one follows). None has an outbox.
//! **Events out** none. **Events in** those of all services.
//!
//! An event goes through `consumer` (event → entry without a place) and `chain`, which gives those that come at the same time
//! their places and writes them, with the day, in one transaction. `domain` computes hashes and finds faults; it knows no store.
//!
//! Invariants: an event has one entry, however often it comes. Nothing that was written is changed or removed. Entries of one
//! aggregate are in the order of its events, unless an operator had an event set aside. An entry has identifiers and a digest: an
//! event has no personal data, and of what it says nothing is kept.
//!
//! A crash before the commit leaves nothing; a crash after it, before the acknowledgement: the event comes again and is found by its
//! identifier.

mod chain;
mod config;
mod consumer;
mod convert;
mod domain;
mod error;
mod rpc;
mod store;
mod verification;

use ::store::{Batcher, Pager, transaction::keep_ending_abandoned};
use contracts::audit::v1::audit_service_server::AuditServiceServer;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::{Entry, Head, hash};

/// Runs the service until `shutdown`.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let mut service = Service::start(config.service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    let entries = store::Entries::new(&service.database);
    let chain = Batcher::new(chain::Chain::new(&service.database, entries.clone()));
    service.consume(Arc::new(consumer::Consumer(chain)))?;
    service.spawn(keep_ending_abandoned(service.database.client().clone(), service.background()));
    let pager = Pager::new(service.config.service_key.reveal(), "audit");
    let routes = Routes::new(AuditServiceServer::new(rpc::Handler { entries, pager }));
    service.serve(listener, routes).await
}
