//! What a bare driver does for an authorization: the intent, the call, the outcome, and the webhook that follows.

use anyhow::{Context, ensure};
use axum::{Router, extract::State, routing::post};
use bson::{Document, doc};
use bytes::Bytes;
use http::StatusCode;
use kit::Stack;
use mongodb::{
    Collection,
    options::{Acknowledgment, WriteConcern},
};
use serde_json::{Value, json};
use store::Database;
use tokio::{net::TcpListener, task::JoinHandle};

/// As long as what the service writes beside the payment itself: the event that waits in its document.
const EVENT_BYTES: usize = 300;

/// Writes and calls without a service around them.
pub struct Bare {
    payments: Collection<Document>,
    http: reqwest::Client,
    url: String,
    key: String,
    webhooks: JoinHandle<()>,
}

impl Bare {
    /// Connects, and takes webhooks where payments would.
    pub async fn start(stack: &Stack) -> anyhow::Result<Self> {
        let state = stack.state();
        let database = store::connect(&state.mongodb_uri, "bench_payments", "bench-payments").await?;
        let address = state.webhook_url.trim_start_matches("http://").split('/').next().context("an address")?;
        let listener = TcpListener::bind(address).await?;
        let app = Router::new().fallback(post(take)).with_state(database.clone());
        let webhooks = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("axum goes on after errors");
        });
        let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?;
        let (url, key) = (format!("{}/v1/charges", state.sandbox_psp), state.provider_key.clone());
        Ok(Self { payments: database.collection("payments"), http, url, key, webhooks })
    }

    /// Authorizes one payment.
    pub async fn authorize(&self, id: String) -> anyhow::Result<()> {
        let event = "x".repeat(EVENT_BYTES);
        let intent = doc! { "operation": "Authorize", "key": format!("{id}/authorize"), "amount": 1_250 };
        let payment = doc! { "_id": &id, "rev": 1, "order_id": "ord_1", "user_id": "usr_1", "intent": intent, "outbox": [&event] };
        self.payments.insert_one(payment).await?;
        let request =
            self.http.post(&self.url).bearer_auth(&self.key).header("idempotency-key", format!("{id}/authorize"));
        let body = json!({ "currency": "EUR", "amount": 1_250, "token": "tok_visa" });
        let charge: Value = request.json(&body).send().await?.error_for_status()?.json().await?;
        ensure!(charge["status"] == "authorized", "{charge}");
        let entry = doc! { "kind": "Authorization", "amount": 1_250, "provider_reference": charge["id"].as_str() };
        let set = doc! { "rev": 2, "intent": null, "ledger": [entry] };
        let update = doc! { "$set": set, "$push": { "outbox": event } };
        self.payments.update_one(doc! { "_id": id, "rev": 1 }, update).await?;
        Ok(())
    }

    /// Takes no webhooks any more.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.webhooks.abort();
        ensure!(self.webhooks.await.is_err_and(|ended| ended.is_cancelled()), "webhooks were not taken");
        Ok(())
    }
}

/// Reads the payment and keeps the event, without a wait for the journal: it tells nothing new.
async fn take(State(database): State<Database>, body: Bytes) -> StatusCode {
    let taken = async {
        let event: Value = serde_json::from_slice(&body)?;
        let key = event["charge"]["key"].as_str().unwrap_or_default();
        let id = key.strip_suffix("/authorize").unwrap_or_default();
        database.collection::<Document>("payments").find_one(doc! { "_id": id }).await?;
        let kept = doc! { "_id": event["id"].as_str(), "raw": String::from_utf8_lossy(&body).into_owned() };
        let unhurried = WriteConcern::builder().w(Acknowledgment::Nodes(1)).journal(false).build();
        database.collection("inbox").insert_one(kept).write_concern(unhurried).await?;
        anyhow::Ok(())
    };
    taken.await.map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::OK)
}
