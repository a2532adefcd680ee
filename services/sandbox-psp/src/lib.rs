//! The sandbox payment provider: a foreign system that behaves as providers do at their worst, on purpose.
//!
//! **Owns** charges: what was authorized, captured, voided, refunded and charged back, in minor units, with every request
//! under its idempotency key and the reply that it got, and the webhooks that are not delivered yet.
//! **HTTP** (bearer key): `POST /v1/charges`, `GET /v1/charges?key=`, `GET /v1/charges/{id}`,
//! `POST /v1/charges/{id}/{captures,voids,refunds,actions,disputes}`, `GET /v1/report?since=&after=`, `GET /readyz`.
//! **Collection** `charges` (`_id` = idempotency key of the authorization; unique `reference`; indexes `hooks.due`,
//! `hooks.id`, `ends_at`, `updated_at`).
//! **Webhooks** `charge.{authorized,action_required,declined,captured,voided,refunded,expired,charged_back}`, signed
//! (`webhook-signature`, see [`rpc::signature`]), at least once, in no order.
//!
//! Data flow: `http` → `domain` (pure: what a request does to a charge) → `store` (one write: charge, reply and webhooks)
//! → `webhooks` (deliver, retry, let authorizations and payers' actions run out). `behaviour` is the table of tokens.
//!
//! Invariants
//! - A key does something once: its repeat gets the stored reply, with another body it is an error (409).
//! - refunded + charged back ≤ captured, captured + voided ≤ authorized.
//! - A webhook is durable with what it tells of, and is delivered until it is answered with 2xx.
//!
//! A crash: what was written has its webhooks and replies; what was not may be sent again under its key.
//! It stands alone: no other crate depends on it, and the payments service knows it by its HTTP alone.

mod behaviour;
mod config;
mod convert;
mod domain;
mod http;
mod store;
mod webhooks;

pub use config::{Config, KEYS};

use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Longest wait for requests under way after the shutdown; a slow reply takes 1.5 s.
const GRACE: Duration = Duration::from_secs(5);

/// Why it could not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] ::store::Error),
    #[error("webhooks: {0}")]
    Webhooks(#[from] reqwest::Error),
}

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), Error> {
    let database = ::store::connect(config.mongodb_uri.reveal(), &config.database, "sandbox-psp").await?;
    let charges = store::Charges::new(&database, !config.webhook_url.is_empty());
    charges.prepare(&shutdown).await;
    let webhooks = Arc::new(webhooks::WebhookWorker::new(&config, charges.clone())?);
    let worker = tokio::spawn(webhooks.clone().run(shutdown.clone()));
    let app = http::router(http::Api { charges, webhooks, key: config.key });
    let port = rpc::Port::http("sandbox-psp", listener, config.limits);
    tokio::select! {
        () = port.serve(app, shutdown.clone()) => {}
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {}
    }
    worker.abort(); // a webhook that was not marked as delivered is delivered again after the start
    Ok(())
}
