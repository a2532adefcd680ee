//! E-mail to customers about their orders: confirmed, cancelled, refunded, dispatched, delivered; and about their accounts:
//! password reset, verification of the address.
//!
//! **Owns** the mails, and which addresses have bounced. **RPCs** `EmailService`: list, read, preview, erase.
//! **Collections** `emails` (`_id` eml_…; sparse index `wake_at`; by user, state and template with `_id`; by the event's
//! aggregate) and `bounced_addresses` (`_id` SHA-256 of the address; index `email_id`). Neither has an outbox. **Events out** none.
//! **Events in** `evt.orders.order.{confirmed,cancelled,refunded}`, `evt.shipping.shipment.{dispatched,delivered}`,
//! `evt.users.user.{password_reset_requested,email_verification_requested}`.
//!
//! An event goes through `consumer` (contract → mail that is to be sent) into the `store`, and is acknowledged then. `sender`
//! claims what is due, asks users for address, name and language and orders for the lines, fills in the `templates`, and hands
//! the `message` to the `transport`: `smtp`, or a directory. What an attempt leads to says `domain`.
//!
//! Invariants: an event has one mail for its template, because the mail's identifier follows from both; so a replay of the log
//! writes none. A mail is PENDING until it is SENT, has FAILED or is SUPPRESSED, and never changes after that, but that it
//! is erased with its user. The outcome of
//! an attempt is written only while that attempt is the last one. Who has closed the account, wants no mail, or whose address
//! has bounced gets none. No text of a customer is markup or a header.
//!
//! A crash before the claim: another sender, or this one, finds the mail due. After it: the claim runs out, and the mail is tried
//! again. Between the server's 250 and the write of SENT the mail has gone out and goes out again: SMTP has no way to ask. The
//! repeat has the same Message-ID, `<eml_…@domain of the sender>`, by which a receiving server can drop it. A mail in a
//! directory lies there once, for its file has the mail's name.
//!
//! A mail about an account has a token that users makes when the mail is sent, and that is nowhere else: it is in no event, and
//! a repeat of the mail has another one, which ends the one before.

mod clients;
mod config;
mod consumer;
mod content;
mod convert;
mod delivery;
mod domain;
mod erasure;
mod error;
mod identity;
mod language;
mod message;
mod rpc;
mod sender;
mod smtp;
mod store;
mod templates;
mod transport;

use ::store::Pager;
use contracts::email::v1::email_service_server::EmailServiceServer;
use service::Service;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

pub use config::{Config, KEYS};
pub use consumer::asked_by;
pub use domain::Template;
pub use identity::email_id;

pub async fn run(config: Config, listener: TcpListener, shutdown: CancellationToken) -> Result<(), service::Error> {
    let Config { service, transport, from, pages, time_limit } = config;
    let mut service = Service::start(service, shutdown).await?;
    service.indexes(&store::indexes()).await?;
    let emails = store::Emails::new(&service.database);
    let templates = Arc::new(templates::Templates::new().expect("the templates of this program can be parsed"));
    service.consume(Arc::new(consumer::Writer(emails.clone())))?;
    let peers = clients::Peers::new(&service)?;
    let pager = Pager::new(service.config.service_key.reveal(), "emails");
    let transport = Arc::new(transport);
    let eraser = erasure::Eraser { emails: emails.clone(), transport: transport.clone() };
    let (templates_of_rpc, from_of_rpc, pages_of_rpc) = (templates.clone(), from.clone(), pages.clone());
    let handler = rpc::Handler {
        emails: emails.clone(),
        templates: templates_of_rpc,
        from: from_of_rpc,
        pages: pages_of_rpc,
        pager,
        eraser,
    };
    let sender = Arc::new(sender::Sender { emails, peers, templates, transport, from, pages, time_limit });
    service.spawn(sender.run(service.background()));
    service.serve(listener, Routes::new(EmailServiceServer::new(handler))).await
}
