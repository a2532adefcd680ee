//! Delivers webhooks until they are answered, and lets what has a time run out.

use crate::{
    Config,
    domain::{Wish, after},
    store::{Asked, Book, Hook},
};
use futures::{StreamExt, stream};
use settings::Secret;
use std::time::Duration;
use store::now;
use tokio_util::sync::CancellationToken;

/// Pause between two looks.
const EVERY: Duration = Duration::from_millis(200);

/// Charges of one look.
const BATCH: i64 = 512;

/// Deliveries at a time.
const PARALLEL: usize = 16;

/// Longest wait for an answer to a webhook.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest pause between two attempts; the first is half a second, and it doubles.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Header of the signature.
const SIGNATURE: &str = "webhook-signature";

pub struct Couriers {
    book: Book,
    http: reqwest::Client,
    url: String,
    secret: Secret,
}

impl Couriers {
    /// Those who carry webhooks from `book` to the address of the configuration.
    pub fn new(config: &Config, book: Book) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(PATIENCE).no_proxy().tcp_nodelay(true).build()?;
        Ok(Self { book, http, url: config.webhook_url.clone(), secret: config.webhook_secret.clone() })
    }

    pub async fn run(self: std::sync::Arc<Self>, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "webhooks wait: the sandbox cannot reach its book");
            }
            shutdown.run_until_cancelled(tokio::time::sleep(EVERY)).await;
        }
    }

    async fn look(&self) -> Result<(), store::Error> {
        for ended in self.book.ending(now(), BATCH).await? {
            let key = format!("{}/expiry", ended.charge.key);
            let asked = Asked { key: &key, digest: "" };
            if let Err(error) = self.book.operate(&ended.charge.reference, asked, Wish::Expire).await {
                tracing::warn!(charge = ended.charge.key, %error, "what is over was not ended; trying again");
            }
        }
        let due = self.book.due(now(), BATCH).await?.into_iter().flat_map(|stored| stored.beside.hooks);
        let due: Vec<Hook> = due.filter(|hook| hook.due <= now()).collect();
        let sent = stream::iter(due).map(|hook| async move { (self.deliver(&hook).await, hook) });
        let sent: Vec<(bool, Hook)> = sent.buffer_unordered(PARALLEL).collect().await;
        let delivered: Vec<String> =
            sent.iter().filter(|(is_delivered, _)| *is_delivered).map(|(_, hook)| hook.id.clone()).collect();
        self.book.delivered(&delivered).await?;
        for (_, hook) in sent.iter().filter(|(is_delivered, _)| !is_delivered) {
            let doublings = hook.attempts.clamp(0, 10).unsigned_abs();
            let pause = Duration::from_millis(500 << doublings).min(LONGEST_PAUSE);
            self.book.postpone(&hook.id, after(now(), pause)).await?;
        }
        Ok(())
    }

    /// Whether the webhook was answered with 2xx, twice when it is sent twice.
    pub async fn deliver(&self, hook: &Hook) -> bool {
        if !self.send(hook).await {
            return false;
        }
        !hook.is_twice || self.send(hook).await
    }

    async fn send(&self, hook: &Hook) -> bool {
        let at = now().timestamp_millis() / 1000;
        let signature = rpc::signature::sign(self.secret.reveal(), at, hook.body.as_bytes());
        let request = self.http.post(&self.url).header("content-type", "application/json");
        match request.header(SIGNATURE, signature).body(hook.body.clone()).send().await {
            Ok(reply) if reply.status().is_success() => true,
            Ok(reply) => {
                tracing::debug!(event = %hook.id, status = %reply.status(), "a webhook was not taken; it is sent again");
                false
            }
            Err(error) => {
                tracing::debug!(event = %hook.id, %error, "a webhook did not arrive; it is sent again");
                false
            }
        }
    }
}
