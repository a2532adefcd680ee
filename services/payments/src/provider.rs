//! The seam to the payment provider: what can be asked of it, what it can answer, and what it tells by itself.

mod sandbox;
mod stripe;

pub use sandbox::Sandbox;
pub use stripe::Stripe;

use crate::domain::{Amounts, Movement, Outcome, ProviderEvent, Token};
use ::store::Time;
use bytes::Bytes;
use contracts::money::Money;
use http::HeaderMap;
use reqwest::{RequestBuilder, StatusCode};

/// Something that the provider tells, or tells again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The provider's name for the event; it may come more than once.
    pub event_id: String,
    /// Key of the authorization of the charge that it is about; empty when it is about none of ours.
    pub charge_key: String,
    /// The provider's name for the charge.
    pub reference: String,
    pub event: ProviderEvent,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// Its signature is none, old, or of somebody else.
    #[error(transparent)]
    Signature(#[from] ::rpc::signature::Refusal),
    #[error("the event is malformed: {0}")]
    Malformed(String),
}

/// A charge as it is named on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge<'a> {
    /// Idempotency key of its authorization.
    pub key: &'a str,
    /// The provider's name for it; none before its first answer.
    pub reference: Option<&'a str>,
}

/// Which amounts of a currency can be charged, in minor units: multiples of `step` from `least` to `most`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payable {
    /// Captures and refunds are multiples of it too.
    pub step: i64,
    /// The least that can be authorized.
    pub least: i64,
    pub most: i64,
}

/// What the provider reports of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    /// Key of its authorization; empty when it is none of ours.
    pub charge_key: String,
    /// The provider's name for it.
    pub reference: String,
    pub sums: Amounts,
}

/// A part of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Charges, in the provider's order.
    pub charges: Vec<Reported>,
    /// Where the next part begins; none at the end.
    pub next: Option<String>,
}

/// The provider does not answer, or not in a form that is understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the provider does not report: {0}")]
pub struct Unavailable(pub String);

/// A charge of a report. One that cannot be read, as somebody else's in the same account may be, holds up no other.
fn readable(reported: Result<Reported, Unavailable>, reference: &str) -> Option<Reported> {
    reported.inspect_err(|error| tracing::error!(reference, %error, "a charge of the report cannot be read")).ok()
}

/// Sends a request; none when no whole reply came, and nothing is known of what it did.
async fn answered(request: RequestBuilder) -> Option<(StatusCode, Bytes)> {
    let answered = async {
        let reply = request.send().await?;
        Ok::<_, reqwest::Error>((reply.status(), reply.bytes().await?))
    };
    answered.await.inspect_err(|error| tracing::warn!(%error, "the provider did not answer")).ok()
}

/// A payment provider. Each call carries an idempotency key: under a known key it does nothing and answers as before.
/// A failure of transport is [`Outcome::Unknown`]. Callers set the deadline; a dropped call may have had its effect.
#[tonic::async_trait]
pub trait Provider: Send + Sync {
    /// Its name in paths and documents: `sandbox`.
    fn name(&self) -> &'static str;

    /// Which amounts of `currency`, an active code of ISO 4217, it can take; none when it cannot take any.
    fn payable(&self, currency: &str) -> Option<Payable>;

    /// Sets `amount` aside.
    async fn authorize(&self, key: &str, amount: &Money, token: &Token) -> Outcome;

    /// What became of an authorization; none when the provider has never seen it, or cannot tell without doing it.
    async fn query(&self, charge: Charge<'_>) -> Option<Outcome>;

    /// Takes `amount` of an authorization.
    async fn capture(&self, key: &str, charge: Charge<'_>, amount: &Money) -> Outcome;

    /// Gives back what is left of an authorization, or calls off the payer's action.
    async fn void(&self, key: &str, charge: Charge<'_>) -> Outcome;

    /// Gives `amount` of a capture back.
    async fn refund(&self, key: &str, charge: Charge<'_>, amount: &Money) -> Outcome;

    /// Plays the payer: approves or abandons.
    async fn complete_action(&self, key: &str, charge: Charge<'_>, approve: bool) -> Outcome;

    /// Charges that have changed since; `from` is none at first, then what the page before says.
    async fn report(&self, since: Time, from: Option<&str>) -> Result<Page, Unavailable>;

    /// One charge as the report would have it; none when the provider has never seen it.
    async fn find(&self, charge: Charge<'_>) -> Result<Option<Reported>, Unavailable>;

    /// What a webhook tells, once its signature has been checked; `now` in unix seconds.
    fn notification(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<Notification, Rejected>;

    /// What a webhook tells whose signature was checked when it came.
    fn parse(&self, body: &[u8]) -> Result<Notification, Rejected>;
}
