//! Payments: one per order, an append-only ledger of what the provider did, amounts computed from it.
//!
//! **Owns** payments: amount asked for, state, ledger, and the intent that is being carried out at the provider.
//! **RPCs** `PaymentService`: authorize, capture, cancel (void or refund), read, complete the payer's action.
//! **Collections** `payments` (`_id` = the caller's payment id; index `intent.ask_at` for the resolver);
//! `sandbox_charges`, the sandbox provider's own book (`_id` = idempotency key; unique `reference`).
//! **Events out** `evt.payments.payment.<state in lower case>`: `PaymentChanged`. **Events in** none.
//!
//! Data flow: `rpc` → `flow` (intent, call, outcome) → `domain` (pure) and `provider` (the seam; `sandbox` today) →
//! `store`. `resolver` carries out, in the background, what a caller or a crash has left behind.
//!
//! Invariants
//! - Each call to the provider is preceded by a majority write of its intent, with the idempotency key
//!   `<payment id>/<operation>`; at most one intent is open, so a capture and a void cannot overtake each other.
//! - An outcome, its ledger entry and its event are one write, which closes the intent. A ledger key is unique.
//! - UNKNOWN is resolved by asking under the same key, never by a new charge.
//! - Σ refunds ≤ Σ captures, and Σ captures + Σ voids ≤ Σ authorizations.
//! - A cancellation that arrives before the authorization leaves a VOIDED mark that refuses the late one.
//! - A step of an earlier epoch than one that has changed the payment is refused.
//! - The payment token is dropped with the first known outcome and travels in no event or log.
//!
//! A crash between intent and outcome: the resolver, or the caller's repeat, asks the provider under the same key and
//! gets the stored reply; a request that the provider has never seen is sent again under that key.

mod convert;
mod domain;
mod error;
mod flow;
mod provider;
mod resolver;
mod rpc;
mod sandbox;
mod store;

use contracts::payments::v1::payment_service_server::PaymentServiceServer;
use service::{Config, Service};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use domain::{Amounts, Asked, Command, Entry, Intent, Kind, Ledger, Operation, Payment, Start, State, transition};
pub use error::Error;
pub use provider::{Outcome, Token};

/// Runs the service until `shutdown`.
pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let mut service = Service::start(config, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    let provider = Arc::new(sandbox::Sandbox::new(&service.database));
    let flow = flow::Flow { payments: store::Payments::new(&service.database), provider };
    service.spawn(resolver::run(flow.clone(), service.background()));
    let routes = Routes::new(PaymentServiceServer::new(rpc::Handler { flow }));
    service.serve(listener, routes).await
}
