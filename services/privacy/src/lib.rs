//! What a person may ask of the shop as a whole: that all services forget them, and what all services know of them.
//!
//! **Owns** erasures: how far the services have come with forgetting a deleted account. **RPCs** `PrivacyService`: read and list
//! erasures, export a user. **Collections** `erasures` (`_id` the user id; indexes `state`; `saga.peer, saga.wake_at`;
//! `saga.status`). **Events out** `evt.privacy.erasure.{started,completed}`. **Events in** users: an account that was deleted.
//!
//! The way of an erasure: `consumer` hears of the account and starts its saga (`domain/definition`), in whose document it is. `steps` asks
//! each service through `clients` to erase what it keeps of the user, and keeps its receipt: what was erased, and what must stay
//! for now, as the address of an order that is not delivered. When all were asked the pass is over. After a pause the next one
//! begins, until `domain` finds that nothing is left: two passes at least, for a call that had read the account before it was
//! deleted may have written behind the first one. The pause is `COMPTOIR_ERASURE_PAUSE_SECONDS`, then as long for each pass that
//! is over, up to twelve times as long.
//!
//! An export reads the lists of the other services page by page while the caller takes the records; nothing of it is kept.
//!
//! Invariants: each deleted account has one erasure, which is completed or lives. It is completed only by a pass that began after
//! a pause, in which no service has kept anything. No call is given up: a service that fails is asked again for ever, with an
//! alarm after some minutes; one that must wait raises none.
//!
//! A crash at any point: the intent is in the document; when its lease runs out any replica repeats the same call, and services
//! that have erased already find nothing left.

mod clients;
mod config;
mod consumer;
mod convert;
mod domain;
mod error;
mod events;
mod export;
mod rpc;
mod steps;
mod store;

use ::store::Pager;
use contracts::privacy::v1::privacy_service_server::PrivacyServiceServer;
use saga::Runner;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS, SHORTEST_PAUSE};
pub use domain::{Erasure, definition::participants};

/// Runs the service until `shutdown`.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, erasure_pause } = config;
    let mut service = Service::start(service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    let (erasures, peers) = (store::Erasures::new(&service.database), clients::Peers::new(&service)?);
    let steps = steps::Steps { peers: peers.clone(), pause: erasure_pause };
    let owner = format!("privacy-{}-{:08x}", std::process::id(), rand::random::<u32>());
    let runner = Runner::new(erasures.clone(), steps, &owner, service.background());
    service.spawn(runner.clone().run());
    service.consume(Arc::new(consumer::Consumer { erasures: erasures.clone(), runner }))?;
    let pager = Pager::new(service.config.service_key.reveal(), "erasures");
    let handler = rpc::Handler { erasures, peers, pager };
    service.serve(listener, Routes::new(PrivacyServiceServer::new(handler))).await
}
