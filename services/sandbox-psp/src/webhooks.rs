//! Delivers webhooks until they are answered with 2xx, and ends charges whose time has run out.

use crate::{
    Config,
    domain::{Command, after},
    store::{Charges, PROMPT_DELAY, RequestKey, Webhook},
};
use ::store::now;
use futures::{StreamExt, stream};
use settings::Secret;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A look this long after a charge was written finds its webhook due.
const LOOK_AFTER: Duration = PROMPT_DELAY.saturating_add(Duration::from_millis(20));

/// Longest pause between two looks: this is how much later others go, that are late on purpose, are sent again, or were
/// left by another process.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Charges of one poll; bounds the memory that a backlog of webhooks takes.
const BATCH: i64 = 512;

/// Deliveries at the same time: a receiver that answers slowly holds up the fifteen others less.
const PARALLEL: usize = 16;

/// Longest wait for an answer: a payments service that is stopped in between holds up other webhooks for so long only.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest pause between two attempts; the first is half a second, and it doubles.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

const SIGNATURE_HEADER: &str = "webhook-signature";

pub struct WebhookWorker {
    charges: Charges,
    http: reqwest::Client,
    url: String,
    secret: Secret,
}

impl WebhookWorker {
    /// Delivers the webhooks of `charges` to the address of the configuration.
    pub fn new(config: &Config, charges: Charges) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(ANSWER_TIMEOUT).no_proxy().tcp_nodelay(true).build()?;
        Ok(Self { charges, http, url: config.webhook_url.clone(), secret: config.webhook_secret.clone() })
    }

    pub async fn run(self: std::sync::Arc<Self>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.poll_once().await {
                tracing::warn!(%error, "webhooks wait: the sandbox cannot reach its database");
            }
            let rest = async {
                let _ = tokio::time::timeout(POLL_INTERVAL, self.charges.written()).await;
                tokio::time::sleep(LOOK_AFTER).await;
            };
            shutdown.run_until_cancelled(rest).await;
        }
    }

    async fn poll_once(&self) -> Result<(), ::store::Error> {
        for expired in self.charges.expired(now(), BATCH).await? {
            // A second replica that ends the same charge uses the same key, so the charge ends once.
            let key = format!("{}/expiry", expired.charge.key);
            let request = RequestKey { key: &key, digest: "" };
            if let Err(error) = self.charges.apply(&expired.charge.reference, request, Command::Expire).await {
                tracing::warn!(charge = expired.charge.key, %error, "an expired charge was not ended; trying again");
            }
        }
        let due = self.charges.due(now(), BATCH).await?.into_iter().flat_map(|stored| stored.exchange.webhooks);
        let due: Vec<Webhook> = due.filter(|webhook| webhook.due <= now()).collect();
        let sent = stream::iter(due).map(|webhook| async move { (self.deliver(&webhook).await, webhook) });
        let sent: Vec<(bool, Webhook)> = sent.buffer_unordered(PARALLEL).collect().await;
        let delivered: Vec<String> =
            sent.iter().filter(|(is_delivered, _)| *is_delivered).map(|(_, webhook)| webhook.id.clone()).collect();
        self.charges.remove_delivered(&delivered).await?;
        for (_, webhook) in sent.iter().filter(|(is_delivered, _)| !is_delivered) {
            let doublings = webhook.attempts.clamp(0, 10).unsigned_abs(); // the bound keeps the shift from overflowing
            let pause = Duration::from_millis(500 << doublings).min(LONGEST_PAUSE);
            self.charges.postpone(&webhook.id, after(now(), pause)).await?;
        }
        Ok(())
    }

    /// Whether the webhook was answered with 2xx, twice when it is sent twice.
    pub async fn deliver(&self, webhook: &Webhook) -> bool {
        self.send(webhook).await && (!webhook.is_twice || self.send(webhook).await)
    }

    async fn send(&self, webhook: &Webhook) -> bool {
        // Each attempt is signed anew: receivers refuse a signature that is older than some minutes.
        let at = now().timestamp_millis() / 1000;
        let signature = rpc::signature::sign(self.secret.reveal(), at, webhook.body.as_bytes());
        let request = self.http.post(&self.url).header("content-type", "application/json");
        match request.header(SIGNATURE_HEADER, signature).body(webhook.body.clone()).send().await {
            Ok(reply) if reply.status().is_success() => return true,
            Ok(reply) => tracing::debug!(event = %webhook.id, status = %reply.status(), "a webhook was refused"),
            Err(error) => tracing::debug!(event = %webhook.id, %error, "a webhook did not arrive"),
        }
        false
    }
}
