//! Payments: one per order, an append-only ledger of what the provider did, amounts computed from it.
//!
//! **Owns** payments: amount asked for, state, ledger, and the intent that is being carried out at the provider.
//! **RPCs** `PaymentService`: authorize, capture, refund, release what is open, cancel (void and refund), read, reconcile, list webhooks
//! that were not applied, complete the payer's action.
//! **HTTP** `POST /v1/webhooks/{provider}`: the provider's signed webhooks.
//! **Collections** `payments` (`_id` = the caller's payment id; indexes `intent.ask_at` and `check_at` for the resolver);
//! `reconciliations` (`_id` = the day; what the comparison of that night has found);
//! `webhook_inbox` (`_id` = `<provider>/<event id>`; each event that told something new or waits, what became of
//! it, and while it waits as it came and when it is tried again).
//! **Events out** `evt.payments.payment.<state in lower case>`: `PaymentChanged`; `evt.payments.payment.charged_back`:
//! `PaymentChargedBack`. **Events in** none.
//!
//! Data flow: `rpc` → `commands` (intent, call, outcome) → `domain` (pure) and `provider` (the seam; `sandbox` and `stripe` over
//! HTTP) → `store` → `events`. `webhooks` keeps the provider's webhooks and has `commands` apply them. `resolver` carries out,
//! in the background, what a caller or a crash has left behind, and asks about what ends by itself. `reconcile` compares the
//! ledger with the provider's report, `nightly` each night.
//!
//! Invariants
//! - Each call to the provider is preceded by a majority write of its intent, with the idempotency key
//!   `<payment id>/<operation>[/<name>]`; at most one intent is open, so a capture and a void cannot overtake each other.
//! - An outcome, its ledger entry and its event are one write, which closes the intent. A ledger key is unique.
//! - UNKNOWN is resolved by asking under the same key, never by a new charge.
//! - A webhook is recorded by the code that records replies: whichever comes first closes the intent, the other is nothing
//!   new. What a webhook tells is written before the webhook is answered.
//! - A webhook that cannot be applied holds up no other: it is tried again later and later, and at once when its payment
//!   changes; after a day, or when too much waits, it expires and is listed.
//! - A charge-back freezes the payment: nothing is captured or given back any more.
//! - Σ refunds ≤ Σ captures, and Σ captures + Σ voids ≤ Σ authorizations.
//! - A cancellation that arrives before the authorization leaves a VOIDED mark that refuses the late one.
//! - A step of an earlier epoch than one that has changed the payment is refused.
//! - The payment token is dropped with the first known outcome and travels in no event or log.
//!
//! A crash between intent and outcome: the resolver, or the caller's repeat, asks the provider under the same key and
//! gets the stored reply; a request that the provider has never seen is sent again under that key.

mod commands;
mod config;
mod convert;
mod domain;
mod error;
mod events;
mod nightly;
mod provider;
mod reconcile;
mod resolver;
mod rpc;
mod store;
mod webhooks;

use ::store::Pager;
use config::ProviderKind;
use contracts::payments::v1::payment_service_server::PaymentServiceServer;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use domain::Payment;

/// Why the service could not start or ended early.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Service(#[from] service::Error),
    #[error("the provider: {0}")]
    Provider(#[from] reqwest::Error),
}

pub struct Listeners {
    pub grpc: TcpListener,
    /// The provider's webhooks, over HTTP.
    pub webhooks: TcpListener,
}

pub async fn run(config: Config, listeners: Listeners, shutdown: CancellationToken) -> Result<(), StartError> {
    let provider = provider(&config)?;
    let mut service = Service::start(config.service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    service.indexes(&webhooks::indexes()).await?;
    let commands = commands::Commands { payments: store::Payments::new(&service.database), provider };
    service.spawn(resolver::run(commands.clone(), service.background()));
    let webhooks = Arc::new(webhooks::Webhooks::new(commands.clone(), webhooks::Store::new(&service.database)));
    let port = ::rpc::Port::http("payments webhooks", listeners.webhooks, service.config.limits.clone());
    service.spawn(webhooks.clone().serve(port, service.background()));
    service.spawn(webhooks.clone().run(service.background()));
    service.spawn(nightly::run(commands.clone(), service.database.clone(), service.background()));
    let pager = Pager::new(service.config.service_key.reveal(), "webhooks");
    let routes = Routes::new(PaymentServiceServer::new(rpc::Handler { commands, webhooks, pager }));
    Ok(service.serve(listeners.grpc, routes).await?)
}

fn provider(config: &Config) -> Result<Arc<dyn provider::Provider>, reqwest::Error> {
    let (url, key, secret) = (&config.url, config.key.clone(), config.webhook_secret.clone());
    Ok(match config.provider {
        ProviderKind::Sandbox => Arc::new(provider::Sandbox::new(url, key, secret)?),
        ProviderKind::Stripe => Arc::new(provider::Stripe::new(url, key, secret)?),
    })
}
