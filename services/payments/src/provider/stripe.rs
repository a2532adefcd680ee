//! Stripe over its HTTP API: payment intents with manual capture, one idempotency key per operation, signed webhooks.
//!
//! The key of an authorization is kept in the intent's metadata (`key`), by which it is found when no reply came. Stripe
//! forgets idempotency keys after 24 hours at the earliest; the search by metadata goes on.

mod event;
mod minor;
mod shape;
#[cfg(test)]
mod tests;

use super::{
    Charge, Notification, Outcome, Page, Payable, Provider, Rejected, Reported, Token, Unavailable, answered, readable,
};
use ::rpc::signature;
use ::store::Time;
use contracts::money::Money;
use http::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde::de::DeserializeOwned;
use settings::Secret;
use shape::{Failure, Intent, List, Refund};
use std::time::Duration;

/// Header of a webhook's signature.
const SIGNATURE: &str = "stripe-signature";

/// The version of the API whose shapes are known here; webhook endpoints should be made with the same.
const VERSION: &str = "2024-06-20";

/// Longest wait for an answer. Commands give up after 4 s; this bounds a page of the report, which takes Stripe longer.
const PROVIDER_TIMEOUT: Duration = Duration::from_secs(30);

/// Intents in one page of a list, the most that Stripe gives.
const PAGE: &str = "100";

/// What is asked to come with each intent: how much of it was taken and given back.
const EXPANDED: (&str, &str) = ("expand[]", "latest_charge");

pub struct Stripe {
    http: Client,
    url: String,
    key: Secret,
    webhook_secret: Secret,
}

/// What a request led to.
enum Reply<T> {
    Object(T),
    Refused(Failure),
    Absent,
    Nothing,
}

impl Stripe {
    /// Stripe at `url`: `https://api.stripe.com`.
    pub fn new(url: &str, key: Secret, webhook_secret: Secret) -> Result<Self, reqwest::Error> {
        let http = Client::builder().timeout(PROVIDER_TIMEOUT).tcp_nodelay(true).build()?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), key, webhook_secret })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        request.bearer_auth(self.key.reveal()).header("stripe-version", VERSION)
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.request(Method::GET, path).query(query)
    }

    fn post(&self, path: &str, key: &str, form: &[(&str, &str)]) -> RequestBuilder {
        self.request(Method::POST, path).header("idempotency-key", key).form(form)
    }

    /// Sends a request. What is neither an object nor a refusal counts as no answer: 409 is a request of the same key that is
    /// under way, 429 and 5xx have no known outcome.
    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Reply<T> {
        let Some((status, bytes)) = answered(request).await else { return Reply::Nothing };
        match status {
            StatusCode::OK => match serde_json::from_slice(&bytes) {
                Ok(object) => Reply::Object(object),
                Err(error) => {
                    tracing::error!(%error, "stripe's answer is not understood");
                    Reply::Nothing
                }
            },
            StatusCode::PAYMENT_REQUIRED | StatusCode::BAD_REQUEST => Failure::parse(&bytes).map_or_else(
                || {
                    tracing::error!(%status, "stripe does not understand us");
                    Reply::Nothing
                },
                Reply::Refused,
            ),
            StatusCode::NOT_FOUND => Reply::Absent,
            status => {
                tracing::warn!(%status, "stripe failed");
                Reply::Nothing
            }
        }
    }

    async fn operate(&self, charge: Charge<'_>, verb: &str, key: &str, form: &[(&str, &str)]) -> Outcome {
        // Without a name of the intent Stripe answers 404, and that is no known outcome.
        let path = format!("/v1/payment_intents/{}/{verb}", charge.reference.unwrap_or("unknown"));
        let form = [form, &[EXPANDED]].concat();
        match self.send::<Intent>(self.post(&path, key, &form)).await {
            Reply::Object(intent) => Outcome::Done { ends_at: intent.ends_at(), reference: intent.id },
            Reply::Refused(failure) => Outcome::Declined { reason: failure.reason() },
            Reply::Absent | Reply::Nothing => Outcome::Unknown,
        }
    }

    /// The intent of a charge: by its name, or by its key when no reply has told the name.
    async fn intent(&self, charge: Charge<'_>) -> Reply<Intent> {
        if let Some(reference) = charge.reference {
            return self.send(self.get(&format!("/v1/payment_intents/{reference}"), &[EXPANDED])).await;
        }
        let query = format!("metadata['key']:'{}'", charge.key);
        let expanded = ("expand[]", "data.latest_charge");
        match self.send::<List>(self.get("/v1/payment_intents/search", &[("query", &query), expanded])).await {
            Reply::Object(list) => list.data.into_iter().next().map_or(Reply::Absent, Reply::Object),
            Reply::Refused(failure) => Reply::Refused(failure),
            Reply::Absent => Reply::Absent,
            Reply::Nothing => Reply::Nothing,
        }
    }
}

#[tonic::async_trait]
impl Provider for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn payable(&self, currency: &str) -> Option<Payable> {
        minor::payable(currency)
    }

    async fn authorize(&self, key: &str, amount: &Money, token: &Token) -> Outcome {
        let Some(minor) = minor::of(amount) else {
            return Outcome::Declined { reason: "AMOUNT_NOT_REPRESENTABLE".to_owned() };
        };
        let (minor, currency) = (minor.to_string(), amount.currency.to_lowercase());
        // The forms of Stripe make a payment method, or a token of the older API.
        let means =
            if token.reveal().starts_with("pm_") { "payment_method" } else { "payment_method_data[card][token]" };
        let mut form = vec![
            ("amount", minor.as_str()),
            ("currency", currency.as_str()),
            // Capture comes when a shipment leaves, days later.
            ("capture_method", "manual"),
            ("confirm", "true"),
            ("payment_method_types[]", "card"),
            ("metadata[key]", key),
            (means, token.reveal()),
            EXPANDED,
        ];
        if means != "payment_method" {
            form.push(("payment_method_data[type]", "card"));
        }
        match self.send::<Intent>(self.post("/v1/payment_intents", key, &form)).await {
            Reply::Object(intent) => intent.outcome(),
            Reply::Refused(failure) => Outcome::Declined { reason: failure.reason() },
            Reply::Absent | Reply::Nothing => Outcome::Unknown,
        }
    }

    async fn query(&self, charge: Charge<'_>) -> Option<Outcome> {
        match self.intent(charge).await {
            Reply::Object(intent) => Some(intent.outcome()),
            Reply::Absent => None,
            Reply::Refused(_) | Reply::Nothing => Some(Outcome::Unknown),
        }
    }

    async fn capture(&self, key: &str, charge: Charge<'_>, amount: &Money) -> Outcome {
        match minor::of(amount) {
            Some(minor) => self.operate(charge, "capture", key, &[("amount_to_capture", &minor.to_string())]).await,
            None => Outcome::Declined { reason: "AMOUNT_NOT_REPRESENTABLE".to_owned() },
        }
    }

    async fn void(&self, key: &str, charge: Charge<'_>) -> Outcome {
        self.operate(charge, "cancel", key, &[]).await
    }

    async fn refund(&self, key: &str, charge: Charge<'_>, amount: &Money) -> Outcome {
        let Some(minor) = minor::of(amount) else {
            return Outcome::Declined { reason: "AMOUNT_NOT_REPRESENTABLE".to_owned() };
        };
        let reference = charge.reference.unwrap_or("unknown");
        let form = [("payment_intent", reference), ("amount", &minor.to_string()), ("metadata[key]", key)];
        match self.send::<Refund>(self.post("/v1/refunds", key, &form)).await {
            Reply::Object(refund) => refund.outcome(reference),
            Reply::Refused(failure) => Outcome::Declined { reason: failure.reason() },
            Reply::Absent | Reply::Nothing => Outcome::Unknown,
        }
    }

    /// Nobody can play a real payer: an approval is what Stripe says, an abandonment cancels the intent.
    async fn complete_action(&self, key: &str, charge: Charge<'_>, approve: bool) -> Outcome {
        if approve { self.query(charge).await.unwrap_or(Outcome::Unknown) } else { self.void(key, charge).await }
    }

    async fn report(&self, since: Time, from: Option<&str>) -> Result<Page, Unavailable> {
        let created = (since.timestamp_millis() / 1000).to_string();
        let mut query = vec![("created[gte]", created.as_str()), ("limit", PAGE), ("expand[]", "data.latest_charge")];
        query.extend(from.map(|from| ("starting_after", from)));
        let Reply::Object(list) = self.send::<List>(self.get("/v1/payment_intents", &query)).await else {
            return Err(Unavailable("stripe gives no list".to_owned()));
        };
        let next = list.data.last().filter(|_| list.has_more).map(|last| last.id.clone());
        Ok(Page {
            charges: list.data.iter().filter_map(|intent| readable(intent.reported(), &intent.id)).collect(),
            next,
        })
    }

    async fn find(&self, charge: Charge<'_>) -> Result<Option<Reported>, Unavailable> {
        match self.intent(charge).await {
            Reply::Object(intent) => intent.reported().map(Some),
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
        event::notification(body)
    }
}
