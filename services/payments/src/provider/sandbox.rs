//! The sandbox provider over its HTTP API (`comptoir serve sandbox-psp`).

use super::{
    Charge, Movement, Notification, Outcome, Page, Payable, Provider, ProviderEvent, Rejected, Reported, Token,
    Unavailable, answered, readable,
};
use crate::domain::Amounts;
use ::rpc::signature;
use ::store::Time;
use contracts::money::Money;
use http::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use settings::Secret;
use std::time::Duration;

/// Header of a webhook's signature.
const SIGNATURE: &str = "webhook-signature";

/// Longest wait for an answer; callers have deadlines of their own.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(10);

pub struct Sandbox {
    http: Client,
    url: String,
    key: Secret,
    webhook_secret: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Authorized,
    Declined,
    ActionRequired,
    Captured,
    Voided,
    Refunded,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    id: String,
    key: String,
    status: Status,
    reason: String,
    currency: String,
    ends_at: Option<i64>,
    #[serde(default)]
    authorized: i64,
    captured: i64,
    voided: i64,
    refunded: i64,
    charged_back: i64,
}

#[derive(Debug, Deserialize)]
struct Report {
    charges: Vec<Body>,
    next: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Operation {
    key: String,
    kind: Kind,
    amount: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Authorized,
    Declined,
    ActionRequired,
    Captured,
    Voided,
    Expired,
    Refunded,
    ChargedBack,
}

#[derive(Debug, Deserialize)]
struct Event {
    id: String,
    operation: Operation,
    charge: Body,
}

/// What a request led to.
enum Reply {
    Charge(Body),
    Refused(String),
    Absent,
    Nothing,
}

impl Body {
    fn ends_at(&self) -> Option<Time> {
        self.ends_at.map(Time::from_millis)
    }

    fn reported(self) -> Result<Reported, Unavailable> {
        let money = |minor: i64| {
            Money::from_minor(&self.currency, i128::from(minor)).map_err(|error| Unavailable(error.to_string()))
        };
        let sums = Amounts {
            authorized: money(self.authorized)?,
            captured: money(self.captured)?,
            voided: money(self.voided)?,
            refunded: money(self.refunded)?,
            charged_back: money(self.charged_back)?,
        };
        Ok(Reported { charge_key: self.key, reference: self.id, sums })
    }

    /// What became of the authorization.
    fn outcome(self) -> Outcome {
        let ends_at = self.ends_at();
        match self.status {
            Status::Authorized | Status::Captured | Status::Refunded => Outcome::Done { reference: self.id, ends_at },
            Status::ActionRequired => Outcome::ActionRequired { reference: self.id, ends_at },
            Status::Declined | Status::Voided => Outcome::Declined { reason: self.reason },
        }
    }
}

impl Sandbox {
    pub fn new(url: &str, key: Secret, webhook_secret: Secret) -> Result<Self, reqwest::Error> {
        // A proxy of the environment is the way to Stripe; the sandbox is nearby.
        let http = Client::builder().timeout(PROVIDER_TIMEOUT).no_proxy().tcp_nodelay(true).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), key, webhook_secret })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(self.key.reveal())
    }

    /// Sends a request. What is neither a charge nor a refusal counts as no answer.
    async fn send(&self, request: RequestBuilder) -> Reply {
        let Some((status, bytes)) = answered(request).await else { return Reply::Nothing };
        match status {
            StatusCode::OK => match serde_json::from_slice(&bytes) {
                Ok(charge) => Reply::Charge(charge),
                Err(error) => {
                    tracing::error!(%error, "the provider's answer is not understood");
                    Reply::Nothing
                }
            },
            // The only refusal; every other status that is no success leaves the outcome unknown.
            StatusCode::PAYMENT_REQUIRED => Reply::Refused(code(&bytes)),
            StatusCode::NOT_FOUND => Reply::Absent,
            status if status.is_server_error() => {
                tracing::warn!(%status, "the provider failed");
                Reply::Nothing
            }
            status => {
                tracing::error!(%status, code = code(&bytes), "the provider does not understand us");
                Reply::Nothing
            }
        }
    }

    async fn operate(&self, key: &str, charge: Charge<'_>, verb: &str, body: Value) -> Outcome {
        // Without a name of the charge the provider answers 404, and that is no known outcome.
        let path = format!("/v1/charges/{}/{verb}", charge.reference.unwrap_or("unknown"));
        match self.send(self.request(Method::POST, &path).header("idempotency-key", key).json(&body)).await {
            Reply::Charge(charge) => Outcome::Done { ends_at: charge.ends_at(), reference: charge.id },
            Reply::Refused(reason) => Outcome::Declined { reason },
            Reply::Absent | Reply::Nothing => Outcome::Unknown,
        }
    }
}

fn code(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    body["error"]["code"].as_str().unwrap_or("UNKNOWN").to_owned()
}

#[tonic::async_trait]
impl Provider for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    /// Whatever fits the numbers of its API.
    fn payable(&self, _currency: &str) -> Option<Payable> {
        Some(Payable { step: 1, least: 1, most: i64::MAX })
    }

    async fn authorize(&self, key: &str, amount: &Money, token: &Token) -> Outcome {
        let Ok(minor) = i64::try_from(amount.minor()) else {
            return Outcome::Declined { reason: "AMOUNT_TOO_LARGE".to_owned() };
        };
        let body = json!({ "currency": amount.currency, "amount": minor, "token": token.reveal() });
        match self.send(self.request(Method::POST, "/v1/charges").header("idempotency-key", key).json(&body)).await {
            Reply::Charge(charge) => charge.outcome(),
            Reply::Refused(reason) => Outcome::Declined { reason },
            Reply::Absent | Reply::Nothing => Outcome::Unknown,
        }
    }

    async fn query(&self, charge: Charge<'_>) -> Option<Outcome> {
        match self.send(self.request(Method::GET, "/v1/charges").query(&[("key", charge.key)])).await {
            Reply::Charge(charge) => Some(charge.outcome()),
            Reply::Absent => None,
            Reply::Refused(_) | Reply::Nothing => Some(Outcome::Unknown),
        }
    }

    async fn capture(&self, key: &str, charge: Charge<'_>, amount: &Money) -> Outcome {
        self.operate(key, charge, "captures", json!({ "amount": i64::try_from(amount.minor()).ok() })).await
    }

    async fn void(&self, key: &str, charge: Charge<'_>) -> Outcome {
        self.operate(key, charge, "voids", json!({})).await
    }

    async fn refund(&self, key: &str, charge: Charge<'_>, amount: &Money) -> Outcome {
        self.operate(key, charge, "refunds", json!({ "amount": i64::try_from(amount.minor()).ok() })).await
    }

    async fn complete_action(&self, key: &str, charge: Charge<'_>, approve: bool) -> Outcome {
        self.operate(key, charge, "actions", json!({ "approve": approve })).await
    }

    async fn report(&self, since: Time, from: Option<&str>) -> Result<Page, Unavailable> {
        let query = [("since", since.timestamp_millis().to_string()), ("after", from.unwrap_or_default().to_owned())];
        let reading = async {
            let reply = self.request(Method::GET, "/v1/report").query(&query).send().await?.error_for_status()?;
            reply.json::<Report>().await
        };
        let Report { charges, next } = reading.await.map_err(|error| Unavailable(error.to_string()))?;
        let charges = charges.into_iter().map(|charge| (charge.id.clone(), charge.reported()));
        Ok(Page { charges: charges.filter_map(|(id, reported)| readable(reported, &id)).collect(), next })
    }

    async fn find(&self, charge: Charge<'_>) -> Result<Option<Reported>, Unavailable> {
        match self.send(self.request(Method::GET, "/v1/charges").query(&[("key", charge.key)])).await {
            Reply::Charge(charge) => charge.reported().map(Some),
            Reply::Absent => Ok(None),
            Reply::Refused(_) | Reply::Nothing => Err(Unavailable("no answer".to_owned())),
        }
    }

    fn notification(&self, headers: &HeaderMap, body: &[u8], now: i64) -> Result<Notification, Rejected> {
        let header = headers.get(SIGNATURE).and_then(|header| header.to_str().ok()).unwrap_or_default();
        signature::verify(self.webhook_secret.reveal(), header, body, now)?;
        self.parse(body)
    }

    fn parse(&self, body: &[u8]) -> Result<Notification, Rejected> {
        let event: Event = serde_json::from_slice(body).map_err(|error| Rejected::Malformed(error.to_string()))?;
        let Event { id, operation, charge } = event;
        let amount = Money::from_minor(&charge.currency, i128::from(operation.amount));
        let amount = amount.map_err(|error| Rejected::Malformed(error.to_string()))?;
        let (key, ends_at) = (operation.key, charge.ends_at());
        let moved = |movement, key| ProviderEvent::Moved { movement, key, amount };
        let event = match operation.kind {
            Kind::Authorized => ProviderEvent::Authorized { key, ends_at },
            Kind::Declined => ProviderEvent::Declined { key, reason: charge.reason },
            Kind::ActionRequired => ProviderEvent::ActionRequired { key, ends_at },
            Kind::Captured => moved(Movement::Capture, key),
            Kind::Voided => moved(Movement::Void, key),
            Kind::Expired => moved(Movement::Expiry, key),
            Kind::Refunded => moved(Movement::Refund, key),
            Kind::ChargedBack => moved(Movement::ChargeBack, key),
        };
        Ok(Notification { event_id: id, charge_key: charge.key, reference: charge.id, event })
    }
}
