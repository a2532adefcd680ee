//! Who is served while somebody is killed: customers who order, pay in every way and change their minds, and a warehouse.

use kit::Client;
use kit::shop::draft;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Longest wait for one answer: while somebody is dead there may be none.
const LIMIT: Duration = Duration::from_secs(10);

/// Pause of a customer between two orders.
const PAUSE: Duration = Duration::from_millis(30);

/// How often a customer looks for the shipment of a new order.
const LOOKS: usize = 20;

/// Orders that were answered with 201.
pub type Answered = Arc<Mutex<BTreeSet<String>>>;

/// A customer, with what one can buy.
#[derive(Clone)]
pub struct Customer {
    /// Signed in.
    pub client: Client,
    /// The warehouse.
    pub staff: Client,
    /// Plenty of it.
    pub common: String,
    /// Little of it.
    pub scarce: String,
}

/// What becomes of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Cancelled,
    Dispatched,
}

impl Customer {
    /// Orders until stopped; notes each order that was answered.
    pub async fn keep_ordering(self, seed: u64, answered: Answered) {
        let mut random = StdRng::seed_from_u64(seed);
        loop {
            let kinds =
                ["tok_visa", "tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_timeout", "tok_action_required"];
            let token = kinds.choose(&mut random).expect("there are some");
            let fate = match random.random_range(0..5) {
                0 | 1 => Fate::Cancelled,
                2 | 3 => Fate::Dispatched,
                _ => Fate::Kept,
            };
            // Who does not pay changes their mind: nobody else would end such an order soon.
            let fate = if *token == "tok_action_required" { Fate::Cancelled } else { fate };
            let product = if random.random_bool(0.25) { &self.scarce } else { &self.common };
            let wait = if *token == "tok_action_required" { "0.3s" } else { "3s" };
            let key = format!("{:016x}", random.random::<u64>());
            if let Some(order) = self.order(product, token, wait, &key).await {
                if let Some(id) = order["orderId"].as_str() {
                    answered.lock().expect("no holder panics").insert(id.to_owned());
                }
                self.end(&order, fate).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn order(&self, product: &str, token: &str, wait: &str, key: &str) -> Option<Value> {
        let lines = [(product, 1), (self.common.as_str(), 1)];
        let request = self.client.request(Method::POST, &format!("/v1/orders?wait={wait}"));
        let request = request.header("idempotency-key", key).json(&draft(&lines, token));
        let reply = request.timeout(LIMIT).send().await.ok()?;
        if reply.status() == 201 { reply.json().await.ok() } else { None }
    }

    /// The shipment of an order, which follows its outcome unless a service is away for long.
    async fn shipment(&self, path: &str) -> Option<String> {
        for _ in 0..LOOKS {
            tokio::time::sleep(PAUSE).await;
            let reply = self.client.request(Method::GET, path).timeout(LIMIT).send().await;
            let order: Option<Value> = async { reply.ok()?.json().await.ok() }.await;
            let shipment = order.as_ref().map_or("", |order| text(order, "shipmentId"));
            if !shipment.is_empty() {
                return Some(shipment.to_owned());
            }
        }
        None
    }

    /// Whether it worked is nobody's business here: the services are dying.
    async fn end(&self, order: &Value, fate: Fate) {
        let path = format!("/v1/orders/{}", text(order, "orderId"));
        let (client, path) = match fate {
            Fate::Kept => return,
            Fate::Cancelled => (&self.client, format!("{path}:cancel")),
            Fate::Dispatched => match self.shipment(&path).await {
                Some(shipment) => (&self.staff, format!("/v1/shipments/{shipment}:dispatch")),
                None => return,
            },
        };
        let _ = client.request(Method::POST, &path).json(&json!({})).timeout(LIMIT).send().await;
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
