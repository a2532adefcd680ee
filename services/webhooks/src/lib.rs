//! Webhooks to integrators: events of the shop, posted to the endpoints that have subscribed to them.
//!
//! **Owns** the endpoints with their secrets, and the deliveries. **RPCs** `WebhookService`: create, read, list, delete, enable,
//! rotate; deliveries: list, redeliver. **Collections** `endpoints` (`_id` whe_…; unique `slot`; by event type) and `deliveries`
//! (`_id` whd_…; by endpoint and `wake_at`; by lane; by aggregate; each filter of the list; removed at `expires_at`),
//! `cursors` (`_id` service, noun and id of an aggregate). None has an outbox. **Events out** none. **Events in** all of users, products, inventory, orders, payments, shipping.
//!
//! An event goes through `consumer` and the `catalogue` (contract → type and body) into the `store`, a delivery for each endpoint
//! that wants it, and is acknowledged then. `sender` claims what is due, endpoint by endpoint; `signature` signs it and `post` sends
//! it to an address that the `network` policy admits. What an attempt leads to says `domain`.
//!
//! Invariants: an event has one delivery for each endpoint, because the delivery's identifier follows from both; so a replay of the
//! log sends nothing. The deliveries of an aggregate are written in its order. No delivery is sent while an older one of its lane, which is endpoint and aggregate, is PENDING. The outcome of
//! an attempt is written only while that attempt is the last one. No request goes to an address that the policy does not admit:
//! the address that is connected to is the one that was looked at. No redirect is followed. No field that the contracts mark as
//! personal data or as a secret is in a body.
//!
//! A crash before the claim: another sender, or this one, finds the delivery due. After it: the claim runs out, and the delivery is
//! sent again. Between the receiver's answer and its record the request has been taken and is sent again under the same webhook-id.

mod catalogue;
mod config;
mod consumer;
mod convert;
mod domain;
mod error;
mod identity;
mod network;
mod post;
mod rpc;
mod sender;
mod signature;
mod store;

use ::store::Pager;
use contracts::webhooks::v1::webhook_service_server::WebhookServiceServer;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::{Endpoint, HEARD_FOR};
pub use identity::delivery_id;

/// Runs the service until `shutdown`.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, policy, poster } = config;
    let mut service = Service::start(service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    service.index(store::DELIVERIES, store::expiry()).await?;
    let (endpoints, deliveries) = (store::Endpoints::new(&service.database), store::Deliveries::new(&service.database));
    let catalogue = Arc::new(catalogue::Catalogue::new());
    service.consume(Arc::new(consumer::Writer {
        endpoints: endpoints.clone(),
        deliveries: deliveries.clone(),
        cursors: store::Cursors::new(&service.database),
        catalogue: catalogue.clone(),
    }))?;
    let sender = Arc::new(sender::Sender { endpoints: endpoints.clone(), deliveries: deliveries.clone(), poster });
    service.spawn(sender.run(service.background()));
    let pager = |list: &str| Pager::new(service.config.service_key.reveal(), list);
    let (endpoint_pager, delivery_pager) = (pager("endpoints"), pager("deliveries"));
    let handler = rpc::Handler { endpoints, deliveries, catalogue, policy, endpoint_pager, delivery_pager };
    service.serve(listener, Routes::new(WebhookServiceServer::new(handler))).await
}
