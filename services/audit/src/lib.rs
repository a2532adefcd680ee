//! The audit trail: who has changed what, in chains of hashes.
//!
//! **Owns** entries, one for each event of each service. **RPCs** `AuditService`: list, verify, export.
//! **Collections** `entries` (`_id` is the place, `2026-03-29/000000000001`; unique by the event's aggregate and place there; by
//! aggregate, by actor), `days` (`_id` is the day; how many entries it has, the hash of the last one, and the one that the first one
//! follows), `anchor` (one document, the newest day once more). None has an outbox. **Events out** none. **Events in** those of
//! all services.
//!
//! An event goes through `consumer` (event → entry without a place) and `chain`, which gives those that come at the same time
//! their places and writes them, with the day and the anchor, in one transaction. `domain` computes hashes, and `check` finds faults;
//! they know no store. `stored` reads documents exactly. `verification` reads the days for `check`.
//!
//! Invariants: an event has one entry, however often it comes, and not before the event that precedes it in its aggregate: what the
//! stream lacks is asked of the owner's log. Nothing that was written is changed or removed, and each batch follows what the anchor says, so
//! that a fault that somebody has made stays to be found. An entry has identifiers and a digest: an event has no personal data, and of what
//! it says nothing is kept. What no hash covers is in no entry.
//!
//! A crash before the commit leaves nothing; a crash after it, before the acknowledgement: the event comes again and is found by its
//! place in its aggregate.

mod chain;
mod check;
mod config;
mod consumer;
mod convert;
mod domain;
mod error;
mod rpc;
mod store;
mod stored;
mod verification;

use ::store::{Batcher, Pager, transaction::keep_ending_abandoned};
use contracts::audit::v1::{Fault, audit_service_server::AuditServiceServer};
use mongodb::Database;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::{hex, key};
pub use error::Error;

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

/// What is wrong with the chains in this database, of all days.
pub async fn faults(database: &Database) -> Result<Vec<Fault>, Error> {
    verification::of_all(&store::Entries::new(database)).await
}
