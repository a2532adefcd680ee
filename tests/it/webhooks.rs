//! Webhooks to integrators: to a real receiver, through its refusals and silences, after kills and replays.

pub mod killed;
mod networks;
mod reading;
pub mod receiver;
mod sending;

use anyhow::ensure;
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use kit::shop::{TIMEOUT, id};
use kit::{Client, Process, Stack, StackOptions, eventually};
use receiver::{Receiver, Taken};
use serde_json::{Value, json};
use sha2::Sha256;

/// Only public addresses are admitted, as outside of `comptoir dev`.
const PUBLIC: (&str, &str) = ("COMPTOIR_WEBHOOK_NETWORKS", "");

/// A stack without webhooks, a receiver, a product with stock.
struct Shop {
    stack: Stack,
    receiver: Receiver,
    product: String,
    admin: Client,
    customer: Client,
}

impl Shop {
    async fn open() -> Self {
        let stack = Stack::start(StackOptions::without(&["webhooks"])).await;
        let (receiver, admin) = (Receiver::start().await, Client::admin(&stack).await);
        let (product, customer) = (kit::shop::product(&stack, 1_000).await, Client::register(&stack).await.0);
        Self { stack, receiver, product, admin, customer }
    }

    /// The service, which may send to the receiver.
    fn serve(&self, more: &[(&str, &str)]) -> Process {
        self.stack.serve_with("webhooks", more)
    }

    /// Registers the receiver, once the service answers; the endpoint with its secret.
    async fn endpoint(&self, event_types: &[&str]) -> Value {
        self.endpoint_at(&self.receiver.url("/hook"), event_types).await
    }

    async fn endpoint_at(&self, url: &str, event_types: &[&str]) -> Value {
        let body = json!({ "url": url, "eventTypes": event_types });
        eventually(TIMEOUT, || async {
            let reply = self.admin.post("/v1/webhooks/endpoints", body.clone()).await;
            ensure!(reply.status == 201, "{reply:?}");
            Ok(reply.body)
        })
        .await
    }

    async fn order(&self) -> Value {
        let order = kit::shop::place(&self.customer, &[(&self.product, 1)], "tok_visa").await;
        assert_eq!(order["state"], "CONFIRMED", "{order}");
        order
    }

    /// The deliveries to an endpoint, oldest event first.
    async fn deliveries(&self, endpoint: &Value) -> anyhow::Result<Vec<Value>> {
        let path = format!("/v1/webhooks/deliveries?endpointId={}", endpoint_id(endpoint));
        let reply = self.admin.get(&path).await;
        ensure!(reply.status == 200, "{reply:?}");
        let mut deliveries = reply.body["deliveries"].as_array().cloned().unwrap_or_default();
        deliveries.reverse();
        Ok(deliveries)
    }

    /// The deliveries to an endpoint once these are their types and states, in this order.
    async fn settled(&self, endpoint: &Value, wanted: &[(&str, &str)]) -> Vec<Value> {
        self.with(endpoint, |delivery| (id(delivery, "eventType"), id(delivery, "state")), wanted).await
    }

    /// The deliveries to an endpoint once these are their states and what went wrong last.
    async fn failing(&self, endpoint: &Value, wanted: &[(&str, &str)]) -> Vec<Value> {
        self.with(endpoint, |delivery| (id(delivery, "state"), id(delivery, "lastError")), wanted).await
    }

    async fn with<F>(&self, endpoint: &Value, part: F, wanted: &[(&str, &str)]) -> Vec<Value>
    where
        F: for<'a> Fn(&'a Value) -> (&'a str, &'a str),
    {
        eventually(TIMEOUT, || async {
            let deliveries = self.deliveries(endpoint).await?;
            let found: Vec<_> = deliveries.iter().map(&part).collect();
            ensure!(found == wanted, "{deliveries:?}");
            Ok(deliveries)
        })
        .await
    }

    /// Calls a verb of an endpoint.
    async fn call(&self, endpoint: &Value, verb: &str, body: Value) -> Value {
        let path = format!("/v1/webhooks/endpoints/{}:{verb}", endpoint_id(endpoint));
        self.admin.post(&path, body).await.expect(200)
    }

    /// Changes an endpoint as time would.
    async fn change(&self, collection: &str, filter: bson::Document, change: bson::Document) {
        let collection = self.stack.db("webhooks").collection::<bson::Document>(collection);
        let changed = collection.update_one(filter, bson::doc! { "$set": change }).await.expect("root may");
        assert_eq!(changed.matched_count, 1);
    }

    async fn close(self, webhooks: Process) {
        webhooks.stop(TIMEOUT).await.expect("webhooks drains");
        self.stack.stop().await;
    }
}

/// Registers an endpoint at which nobody is, so that there are deliveries.
pub async fn an_endpoint(stack: &Stack) {
    let body = json!({ "url": "http://127.0.0.1:1/", "eventTypes": ["order.confirmed"] });
    Client::admin(stack).await.post("/v1/webhooks/endpoints", body).await.expect(201);
}

fn endpoint_id(created: &Value) -> &str {
    id(&created["endpoint"], "endpointId")
}

/// Whether a request is signed with the secret: the recipe of the specification, as an integrator writes it.
fn is_signed(taken: &Taken, secret: &str) -> bool {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").expect("the prefix")).expect("base64");
    let mut mac: Hmac<Sha256> = Hmac::new_from_slice(&key).expect("a key");
    mac.update(format!("{}.{}.{}", taken.id, taken.timestamp, taken.body).as_bytes());
    let wanted = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    taken.signature.split(' ').any(|signature| signature == wanted)
}
