//! Webhooks: taken over HTTP, kept as they came, and applied by the code that records the provider's replies.
//!
//! An event is kept once by (provider, event id), unless it tells nothing new: then its payment has it all. What concerns no
//! payment that is known here waits and is tried again, each time later; so does what cannot be applied yet, because what
//! comes before it is on its way. Once its payment has changed it is tried at once, whatever else waits. What has waited
//! too long, or is too much, expires and is listed.

mod convert;
mod store;

pub use convert::{disposition, place, to_wire};
pub use store::{Disposition, Store, indexes};

use crate::{
    commands::Commands,
    error::Error,
    provider::{Notification, Rejected},
};
use ::rpc::{Port, signature::Refusal};
use ::store::now;
use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::post,
};
use bson::{Bson, Document, doc, spec::BinarySubtype};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, StatusCode};
use serde_json::json;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Largest event: those of Stripe have a few KiB.
const BODY_BYTES: usize = 256 * 1024;

/// How long an event may take to arrive: a sender without a secret must not hold a connection for longer.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between two looks at what waits.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Pause between two sweeps; with too much waiting there is one at each look.
const SWEEP_EVERY: Duration = Duration::from_secs(15);

/// Events that are applied at a time.
const PARALLEL: usize = 8;

pub struct Webhooks {
    commands: Commands,
    pub store: Store,
    /// Bytes that wait: as the last sweep has counted, and what came since.
    waiting_bytes: AtomicI64,
    /// Events that told nothing new. One of them may be in the list of those that have expired, until the next look.
    repeats: Mutex<Vec<Bson>>,
}

impl Webhooks {
    pub fn new(commands: Commands, store: Store) -> Self {
        Self { commands, store, waiting_bytes: AtomicI64::new(0), repeats: Mutex::default() }
    }

    /// Serves `POST /v1/webhooks/{provider}` until `stop`.
    pub async fn serve(self: Arc<Self>, port: Port, stop: CancellationToken) {
        let app = Router::new().route("/v1/webhooks/{provider}", post(receive)).with_state(self);
        port.serve(app, stop).await;
    }

    /// Applies what waits, and keeps the collection within its bounds, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut swept_at = None;
        while stop.run_until_cancelled(tokio::time::sleep(POLL_INTERVAL)).await.is_some() {
            if let Err(error) = self.poll_until_idle(&stop).await {
                tracing::warn!(%error, "waiting webhooks cannot be applied; trying again");
            }
            let is_due = swept_at.is_none_or(|at: Instant| at.elapsed() >= SWEEP_EVERY);
            if is_due || self.waiting_bytes.load(Ordering::Relaxed) > store::WAITING_BYTES {
                swept_at = Some(Instant::now());
                if let Err(error) = self.sweep().await {
                    tracing::warn!(%error, "the stored webhooks cannot be swept; trying again");
                }
            }
        }
    }

    /// Looks again at once while there is more than one look takes, or one look has made others worthwhile.
    async fn poll_until_idle(&self, stop: &CancellationToken) -> Result<(), Error> {
        while self.poll_once().await? && !stop.is_cancelled() {}
        Ok(())
    }

    /// Applies what is due, and first what waits for payments that have changed. Tells whether another look is worthwhile.
    async fn poll_once(&self) -> Result<bool, Error> {
        let repeats = std::mem::take(&mut *self.repeats.lock().unwrap_or_else(PoisonError::into_inner));
        self.store.mark_applied(&repeats).await?;
        let changed = self.commands.payments.take_changed();
        let mut waiting = self.store.of_charges(&changed).await?;
        let due = self.store.due(now()).await?;
        let is_full = due.len() >= store::BATCH;
        waiting.extend(due);
        let tried = stream::iter(waiting).map(|event| async move {
            let applied = match self.read(&event) {
                Some(notification) => self.apply(&notification).await,
                None => None,
            };
            (event.get("_id").cloned().unwrap_or(Bson::Null), applied)
        });
        let tried: Vec<(Bson, Option<bool>)> = tried.buffer_unordered(PARALLEL).collect().await;
        let (applied, waits): (Vec<_>, Vec<_>) = tried.into_iter().partition(|(_, applied)| applied.is_some());
        let ids = |events: Vec<(Bson, Option<bool>)>| events.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        let has_applied = !applied.is_empty();
        self.store.mark_applied(&ids(applied)).await?;
        // Each wait is longer than the one before, so that what can never be applied costs less and less.
        self.store.postpone(&ids(waits), now()).await?;
        Ok(is_full || has_applied)
    }

    async fn sweep(&self) -> Result<(), Error> {
        let waiting = self.store.waiting().await?;
        self.waiting_bytes.store(waiting.bytes, Ordering::Relaxed);
        for (why, count) in self.store.expire(waiting, now()).await?.into_iter().filter(|(_, count)| *count > 0) {
            tracing::error!(
                count,
                ?why,
                "webhooks that were never applied have expired: see `comptoir payments webhooks`"
            );
        }
        Ok(self.store.forget(now()).await?)
    }

    /// A kept event was signed when it came. Of another provider, or another release, it may not be understood.
    fn read(&self, event: &Document) -> Option<Notification> {
        let raw = event.get_binary_generic("raw").ok()?;
        self.commands
            .provider
            .parse(raw)
            .inspect_err(|error| tracing::warn!(%error, "a kept webhook cannot be read"))
            .ok()
    }

    /// Whether it told something new; none when it cannot be applied yet.
    async fn apply(&self, notification: &Notification) -> Option<bool> {
        let applied = self.commands.apply(notification).await;
        applied.unwrap_or_else(|error| {
            tracing::warn!(event = notification.event_id, %error, "a webhook was not applied; it waits");
            None
        })
    }

    /// Keeps an event with what became of it. The provider sends again what is not kept.
    async fn take(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Failure> {
        let seconds = now().timestamp_millis() / 1000;
        let notification = self.commands.provider.notification(headers, body, seconds)?;
        // Applied before it is kept, so that one write tells what became of it. A crash in between loses nothing: the
        // provider sends again what was not answered.
        let applied = self.apply(&notification).await;
        let (provider, bytes) = (self.commands.provider.name(), i64::try_from(body.len()).unwrap_or(i64::MAX));
        let id = format!("{provider}/{}", notification.event_id);
        let disposition = match applied {
            Some(false) => return self.note_repeat(id).await.map_err(Failure::Store),
            Some(true) => Disposition::Applied,
            None => Disposition::Waiting,
        };
        let event = doc! {
            "_id": id,
            "rev": 1_i64,
            "provider": provider,
            "event_id": &notification.event_id,
            "charge_key": &notification.charge_key,
            "raw": bson::Binary { subtype: BinarySubtype::Generic, bytes: body.to_vec() },
            "bytes": bytes,
        };
        self.store.keep(event, disposition, now()).await.map_err(Failure::Store)?;
        if disposition == Disposition::Waiting {
            self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Notes an event that tells nothing new. A crash may forget it: an expired one then stays in the list.
    async fn note_repeat(&self, id: String) -> Result<(), ::store::Error> {
        let full = {
            let mut repeats = self.repeats.lock().unwrap_or_else(PoisonError::into_inner);
            repeats.push(id.into());
            if repeats.len() < store::BATCH { Vec::new() } else { std::mem::take(&mut *repeats) }
        };
        self.store.mark_applied(&full).await
    }
}

enum Failure {
    Rejected(Rejected),
    Store(::store::Error),
}

impl From<Rejected> for Failure {
    fn from(refused: Rejected) -> Self {
        Self::Rejected(refused)
    }
}

async fn receive(State(webhooks): State<Arc<Webhooks>>, Path(provider): Path<String>, request: Request) -> Response {
    // Nothing of another provider could be verified with this secret.
    if provider != webhooks.commands.provider.name() {
        return reply(StatusCode::NOT_FOUND, "UNKNOWN_PROVIDER");
    }
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return reply(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"),
        Err(_) => return reply(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT"),
    };
    match webhooks.take(&parts.headers, &body).await {
        Ok(()) => reply(StatusCode::OK, "TAKEN"),
        Err(Failure::Rejected(refused)) => {
            tracing::warn!(%refused, "a webhook was refused");
            reply(StatusCode::BAD_REQUEST, code(&refused))
        }
        Err(Failure::Store(error)) => {
            tracing::warn!(%error, "a webhook was not kept; the provider sends it again");
            reply(StatusCode::SERVICE_UNAVAILABLE, "NOT_KEPT")
        }
    }
}

fn code(refused: &Rejected) -> &'static str {
    match refused {
        Rejected::Signature(Refusal::Malformed) => "SIGNATURE_MALFORMED",
        Rejected::Signature(Refusal::Old) => "SIGNATURE_OLD",
        Rejected::Signature(Refusal::Mismatch) => "SIGNATURE_MISMATCH",
        Rejected::Malformed(_) => "EVENT_MALFORMED",
    }
}

fn reply(status: StatusCode, code: &str) -> Response {
    let mut response = Response::new(Body::from(json!({ "code": code }).to_string()));
    *response.status_mut() = status;
    response
}
