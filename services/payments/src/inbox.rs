//! Webhooks: taken over HTTP, kept as they came, and heard by the same code that records the provider's replies.
//!
//! An event is kept once by (provider, event id). What concerns no payment that is known here waits and is tried again;
//! so does what cannot be applied yet, because what comes before it is on its way.

use crate::{
    error::Error,
    flow::Flow,
    provider::{Notice, Refused},
};
use ::rpc::signature::Refusal;
use ::store::{Group, Time, now};
use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::post,
};
use bson::{Document, doc, spec::BinarySubtype};
use bytes::Bytes;
use futures::TryStreamExt;
use http::{HeaderMap, StatusCode};
use mongodb::{
    Collection, Database,
    options::{Acknowledgment, WriteConcern},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The inbox.
pub const COLLECTION: &str = "webhook_inbox";

/// Largest event.
const BODY_BYTES: usize = 256 * 1024;

/// Pause between two looks at what waits.
const EVERY: Duration = Duration::from_secs(2);

/// Events of one look.
const BATCH: i64 = 256;

/// An event that has waited for so long concerns nothing here.
const GIVEN_UP_MS: i64 = 24 * 3600 * 1000;

/// Takes webhooks.
pub struct Inbox {
    flow: Flow,
    events: Collection<Document>,
    group: Group,
}

/// How an event is kept that told nothing new: without a wait for the journal. A crash may lose it, and nothing with it.
fn unhurried() -> WriteConcern {
    WriteConcern::builder().w(Acknowledgment::Nodes(1)).journal(false).build()
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The payment knows it, and has learned it from this event when that is new.
    Heard {
        /// Whether it was.
        is_new: bool,
    },
    /// It is tried again.
    Waits,
}

impl Fate {
    const fn name(self) -> &'static str {
        match self {
            Fate::Heard { .. } => "heard",
            Fate::Waits => "waits",
        }
    }
}

impl Inbox {
    /// The inbox of this database.
    pub fn new(flow: Flow, database: &Database) -> Self {
        Self { flow, events: database.collection(COLLECTION), group: Group::new(database, COLLECTION) }
    }

    /// Serves `POST /v1/webhooks/{provider}` until `stop`.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        let app = Router::new().route("/v1/webhooks/{provider}", post(receive)).with_state(self);
        let serving = axum::serve(listener, app).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(%error, "webhooks are not taken any more");
        }
    }

    /// Hears again what waits, until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "waiting webhooks cannot be heard; trying again");
            }
        }
    }

    async fn look(&self) -> Result<(), Error> {
        let waiting =
            self.events.find(doc! { "fate": Fate::Waits.name() }).sort(doc! { "received_at": 1 }).limit(BATCH);
        let waiting: Vec<Document> =
            async { waiting.await?.try_collect().await }.await.map_err(::store::Error::from)?;
        for event in waiting {
            let Some(notice) = self.read(&event) else { continue };
            let received_at = event.get_datetime("received_at").map_or(0, |at| at.timestamp_millis());
            let fate = match self.hear(&notice).await {
                fate @ Fate::Heard { .. } => fate.name(),
                Fate::Waits if now().timestamp_millis() - received_at < GIVEN_UP_MS => continue,
                Fate::Waits => {
                    tracing::error!(event = notice.event_id, "a webhook concerns no payment of ours; see the inbox");
                    "given_up"
                }
            };
            let set = doc! { "$set": { "fate": fate } };
            self.events.update_one(doc! { "_id": event.get("_id") }, set).await.map_err(::store::Error::from)?;
        }
        Ok(())
    }

    /// A kept event was signed when it came.
    fn read(&self, event: &Document) -> Option<Notice> {
        let raw = event.get_binary_generic("raw").ok()?;
        self.flow.provider.parse(raw).inspect_err(|error| tracing::error!(%error, "a kept webhook cannot be read")).ok()
    }

    async fn hear(&self, notice: &Notice) -> Fate {
        match self.flow.hear(notice).await {
            Ok(Some(is_new)) => Fate::Heard { is_new },
            Ok(None) => Fate::Waits,
            Err(error) => {
                tracing::warn!(event = notice.event_id, %error, "a webhook was not applied; it waits");
                Fate::Waits
            }
        }
    }

    /// Keeps an event with what became of it. The provider sends again what is not kept.
    async fn take(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Failure> {
        let seconds = now().timestamp_millis() / 1000;
        let notice = self.flow.provider.notice(headers, body, seconds)?;
        let fate = self.hear(&notice).await;
        let provider = self.flow.provider.name();
        let kept = doc! {
            "_id": format!("{provider}/{}", notice.event_id),
            "rev": 1_i64,
            "provider": provider,
            "event_id": &notice.event_id,
            "charge_key": &notice.charge_key,
            "raw": bson::Binary { subtype: BinarySubtype::Generic, bytes: body.to_vec() },
            "fate": fate.name(),
            "received_at": Time::now(),
        };
        let keeping = async {
            match fate {
                Fate::Heard { is_new: false } => {
                    self.events.insert_one(kept).write_concern(unhurried()).await?;
                    Ok(())
                }
                Fate::Heard { is_new: true } | Fate::Waits => self.group.insert(kept).await,
            }
        };
        match keeping.await {
            Ok(()) | Err(::store::Error::Duplicate) => Ok(()),
            Err(error) => Err(Failure::Store(error)),
        }
    }
}

enum Failure {
    Refused(Refused),
    Store(::store::Error),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

async fn receive(State(inbox): State<Arc<Inbox>>, Path(provider): Path<String>, request: Request) -> Response {
    if provider != inbox.flow.provider.name() {
        return reply(StatusCode::NOT_FOUND, "UNKNOWN_PROVIDER");
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_BYTES).await else {
        return reply(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE");
    };
    match inbox.take(&parts.headers, &body).await {
        Ok(()) => reply(StatusCode::OK, "TAKEN"),
        Err(Failure::Refused(refused)) => {
            tracing::warn!(%refused, "a webhook was refused");
            reply(StatusCode::BAD_REQUEST, code(&refused))
        }
        Err(Failure::Store(error)) => {
            tracing::warn!(%error, "a webhook was not kept; the provider sends it again");
            reply(StatusCode::SERVICE_UNAVAILABLE, "NOT_KEPT")
        }
    }
}

fn code(refused: &Refused) -> &'static str {
    match refused {
        Refused::Signature(Refusal::Malformed) => "SIGNATURE_MALFORMED",
        Refused::Signature(Refusal::Old) => "SIGNATURE_OLD",
        Refused::Signature(Refusal::Mismatch) => "SIGNATURE_MISMATCH",
        Refused::Malformed(_) => "EVENT_MALFORMED",
    }
}

fn reply(status: StatusCode, code: &str) -> Response {
    let mut response = Response::new(Body::from(json!({ "code": code }).to_string()));
    *response.status_mut() = status;
    response
}
