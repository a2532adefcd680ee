//! The HTTP requests: check the API key, parse, call the store, reply as the token wants it.

use crate::{
    behaviour::{Behaviour, Reply, WebhookMode},
    convert::{self, NewCharge, Wanted},
    domain::{Charge, Command},
    store::{Charges, Outcome, RequestKey, StoredCharge},
    webhooks::WebhookWorker,
};
use ::store::{Time, now};
use axum::{
    Router,
    body::Body,
    extract::{Path, RawQuery, Request, State},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use contracts::money::Money;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use settings::Secret;
use sha2::{Digest, Sha256};
use std::{
    collections::HashSet,
    io,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

/// Time before the connection of a lost reply breaks: the request has had its effect by then.
const LOST_AFTER: Duration = Duration::from_millis(200);

/// Delay of a slow reply: well below the time-out of payments, 4 s.
const SLOW: Duration = Duration::from_millis(1_500);

/// Longest body; a request has a few hundred bytes.
const BODY_BYTES: usize = 64 * 1024;

/// Longest wait for a body, so that a caller that stalls does not keep its connection.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Charges in one page of the report: some hundred kilobytes of JSON.
const PAGE: i64 = 500;

/// Keys of requests that were lost before anything was done; forgotten at a restart, and beyond [`LOST_KEYS`].
static LOST: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);
const LOST_KEYS: usize = 10_000;

pub struct Api {
    pub charges: Charges,
    pub webhooks: Arc<WebhookWorker>,
    pub key: Secret,
}

pub fn router(api: Api) -> Router {
    let api = Arc::new(api);
    let v1 = Router::new()
        .route("/v1/charges", post(open).get(find))
        .route("/v1/charges/{reference}", get(read))
        .route("/v1/charges/{reference}/{verb}", post(operate))
        .route("/v1/report", get(report))
        .layer(middleware::from_fn_with_state(api.clone(), admit))
        .with_state(api);
    Router::new().route("/readyz", get(async || reply(StatusCode::OK, json!({ "status": "SERVING" })))).merge(v1)
}

async fn admit(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let given = rpc::bearer::token(request.headers()).ok().flatten().unwrap_or_default();
    // Digests take the same time to compare however much of the key is right.
    if Sha256::digest(given) != Sha256::digest(api.key.reveal()) {
        return reply(StatusCode::UNAUTHORIZED, convert::error("authentication", "UNKNOWN_KEY"));
    }
    next.run(request).await
}

async fn open(State(api): State<Arc<Api>>, headers: HeaderMap, request: Request) -> Response {
    let (key, body) = match received(&headers, request).await {
        Ok(received) => received,
        Err(refusal) => return invalid(refusal),
    };
    let Ok(NewCharge { currency, amount, token }) = serde_json::from_slice(&body) else {
        return invalid("MALFORMED");
    };
    let amount = match Money::from_minor(&currency, i128::from(amount)) {
        Ok(amount) if amount.is_positive() => amount,
        Ok(_) => return invalid("NOT_POSITIVE"),
        Err(_) => return invalid("INVALID_AMOUNT"),
    };
    let behaviour = Behaviour::of(&token);
    if behaviour.reply == Reply::LostBefore && is_lost(&key) {
        return broken_off().await;
    }
    let reference = format!("sbx_{:032x}", rand::random::<u128>());
    let charge = Charge::new(&key, reference, amount, &behaviour, now());
    match api.charges.open(charge, &digest(&body)).await {
        Ok((Outcome::Done(text), Some(fresh))) => first_reply(&api, &behaviour, &fresh, text).await,
        Ok((outcome, _)) => outcome_reply(outcome),
        Err(error) => failed(&error),
    }
}

/// The reply to a charge that was made just now. A repeat under the same key is answered at once.
async fn first_reply(api: &Api, behaviour: &Behaviour, fresh: &StoredCharge, text: String) -> Response {
    if behaviour.webhooks == WebhookMode::BeforeReply {
        for webhook in &fresh.exchange.webhooks {
            api.webhooks.deliver(webhook).await; // the worker delivers it again after the reply
        }
    }
    match behaviour.reply {
        Reply::Prompt | Reply::LostBefore => {}
        Reply::Slow => tokio::time::sleep(SLOW).await,
        Reply::Lost => return broken_off().await,
        Reply::Failed => {
            return reply(StatusCode::INTERNAL_SERVER_ERROR, convert::error("api", "INTERNAL"));
        }
    }
    text_reply(StatusCode::OK, text)
}

async fn operate(
    State(api): State<Arc<Api>>,
    Path((reference, verb)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Response {
    let (key, body) = match received(&headers, request).await {
        Ok(received) => received,
        Err(refusal) => return invalid(refusal),
    };
    let wanted = if body.is_empty() { Ok(Wanted::default()) } else { serde_json::from_slice(&body) };
    let Ok(wanted) = wanted else { return invalid("MALFORMED") };
    let command = match (verb.as_str(), wanted.approve) {
        ("captures", None) => Command::Capture(wanted.amount),
        ("refunds", None) => Command::Refund(wanted.amount),
        ("voids", None) => Command::Void,
        ("disputes", None) => Command::Dispute,
        ("actions", Some(approve)) => Command::Act(approve),
        _ => return invalid("UNKNOWN_OPERATION"),
    };
    let digest = digest(&[verb.as_bytes(), b"/", &body].concat());
    match api.charges.apply(&reference, RequestKey { key: &key, digest: &digest }, command).await {
        Ok(Some(outcome)) => outcome_reply(outcome),
        Ok(None) => reply(StatusCode::PAYMENT_REQUIRED, convert::error("refused", "NO_SUCH_CHARGE")),
        Err(error) => failed(&error),
    }
}

async fn find(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let found = api.charges.by_key(&parameter(&query, "key").unwrap_or_default()).await;
    found.map_or_else(|error| failed(&error), shown)
}

async fn read(State(api): State<Arc<Api>>, Path(reference): Path<String>) -> Response {
    api.charges.by_reference(&reference).await.map_or_else(|error| failed(&error), shown)
}

async fn report(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let since = parameter(&query, "since").and_then(|since| since.parse().ok()).unwrap_or(0);
    let after = parameter(&query, "after").unwrap_or_default();
    match api.charges.changed(Time::from_millis(since), &after, PAGE).await {
        Ok(found) => {
            let is_full = i64::try_from(found.len()).is_ok_and(|count| count == PAGE);
            let next = found.last().filter(|_| is_full).map(|last| last.charge.key.clone());
            let charges: Vec<Value> = found.iter().map(|stored| convert::reported(&stored.charge)).collect();
            reply(StatusCode::OK, json!({ "charges": charges, "next": next }))
        }
        Err(error) => failed(&error),
    }
}

fn shown(found: Option<StoredCharge>) -> Response {
    match found {
        Some(stored) => reply(StatusCode::OK, convert::charge(&stored.charge)),
        None => reply(StatusCode::NOT_FOUND, convert::error("absent", "NO_SUCH_CHARGE")),
    }
}

/// The idempotency key, which every request that does something needs, and the body.
async fn received(headers: &HeaderMap, request: Request) -> Result<(String, Bytes), &'static str> {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).filter(|key| !key.is_empty());
    let key = key.ok_or("IDEMPOTENCY_KEY_MISSING")?.to_owned();
    let body = axum::body::to_bytes(request.into_body(), BODY_BYTES);
    let body = tokio::time::timeout(BODY_TIMEOUT, body).await.map_err(|_| "BODY_TIMEOUT")?;
    Ok((key, body.map_err(|_| "BODY_INCOMPLETE")?))
}

/// Whether the request under `key` is lost: its first one.
fn is_lost(key: &str) -> bool {
    let mut lost = LOST.lock().expect("no holder panics");
    if lost.len() >= LOST_KEYS {
        lost.clear();
    }
    lost.insert(key.to_owned())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value of a query parameter, percent-decoded.
fn parameter(query: &str, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://sandbox/?{query}")).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn outcome_reply(outcome: Outcome) -> Response {
    match outcome {
        Outcome::Done(text) => text_reply(StatusCode::OK, text),
        Outcome::Refused(code) => reply(StatusCode::PAYMENT_REQUIRED, convert::error("refused", code)),
        Outcome::KeyReused => reply(StatusCode::CONFLICT, convert::error("idempotency", "KEY_REUSED")),
    }
}

fn invalid(code: &str) -> Response {
    reply(StatusCode::BAD_REQUEST, convert::error("invalid_request", code))
}

fn failed(error: &::store::Error) -> Response {
    tracing::warn!(%error, "the sandbox cannot reach its database");
    reply(StatusCode::SERVICE_UNAVAILABLE, convert::error("api", "UNAVAILABLE"))
}

fn reply(status: StatusCode, body: Value) -> Response {
    text_reply(status, body.to_string())
}

fn text_reply(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A reply that begins and never ends: the connection breaks.
async fn broken_off() -> Response {
    tokio::time::sleep(LOST_AFTER).await;
    let breaks = futures::stream::once(async { Err::<Bytes, io::Error>(io::ErrorKind::ConnectionReset.into()) });
    Response::new(Body::from_stream(breaks))
}
