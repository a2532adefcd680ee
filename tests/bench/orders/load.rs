//! Orders through the gateway: clients that wait for each other's end, or a fixed rate.

use crate::usage::{PerOrder, Used};
use anyhow::Context;
use kit::{Client, Stack};
use serde_json::{Value, json};
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How orders come.
#[derive(Debug, Clone, Copy)]
pub enum Load {
    /// Each client places its next order when the last is CONFIRMED.
    Closed {
        /// How many.
        clients: usize,
    },
    /// At fixed times, whatever becomes of those before.
    Open {
        /// Orders per second.
        rate: f64,
    },
}

/// A line of the report.
pub struct Measured {
    load: Load,
    /// Confirmed orders per second.
    pub per_second: f64,
    /// Durable writes per order.
    pub writes: f64,
    /// CPU per order.
    pub cpu: PerOrder,
    latencies: Vec<Duration>,
}

impl Measured {
    /// Above the lines.
    pub const HEADER: &'static str = "          load  orders/s    p50 ms    p99 ms  writes per order  CPU ms per order";

    /// From what a load took.
    pub fn new(load: Load, seconds: f64, mut latencies: Vec<Duration>, used: Used) -> Self {
        latencies.sort_unstable();
        Self { load, per_second: latencies.len() as f64 / seconds, writes: used.writes, cpu: used.cpu, latencies }
    }

    fn percentile(&self, part: f64) -> f64 {
        let index = (self.latencies.len() as f64 * part) as usize;
        let latency = self.latencies.get(index.min(self.latencies.len().saturating_sub(1)));
        latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = match self.load {
            Load::Closed { clients } => format!("{clients} clients"),
            Load::Open { rate } => format!("{rate:.0}/s"),
        };
        let (p50, p99) = (self.percentile(0.5), self.percentile(0.99));
        write!(f, "{load:>14} {:>9.1} {p50:>9.1} {p99:>9.1} {:>17.1}  {}", self.per_second, self.writes, self.cpu)
    }
}

/// A product with `stock` units.
pub async fn product(stack: &Stack, stock: i64) -> anyhow::Result<String> {
    let staff = Client::staff(stack).await;
    let price = json!({ "currencyCode": "EUR", "units": "12", "nanos": 500_000_000 });
    let product =
        staff.post("/v1/products", json!({ "name": "Measured", "sku": "BENCH", "price": price })).await.expect(201);
    let id = product["productId"].as_str().context("a product has an id")?.to_owned();
    let mut left = stock;
    while left > 0 {
        let delta = left.min(1_000_000);
        staff.post(&format!("/v1/stock/{id}:adjust"), json!({ "delta": delta, "reason": "bench" })).await.expect(200);
        left -= delta;
    }
    Ok(id)
}

/// Seconds that it took, and the time of each order to CONFIRMED.
pub async fn run(customer: &Client, product: &str, load: Load, time: Duration) -> (f64, Vec<Duration>) {
    let began = Instant::now();
    let latencies = match load {
        Load::Closed { clients } => {
            let one = |_| async {
                let mut latencies = Vec::new();
                while began.elapsed() < time {
                    latencies.push(place(customer, product, Instant::now()).await);
                }
                latencies
            };
            futures::future::join_all((0..clients).map(one)).await.concat()
        }
        Load::Open { rate } => {
            let count = (rate * time.as_secs_f64()) as u32;
            let one = |index: u32| async move {
                let due = began + Duration::from_secs_f64(f64::from(index) / rate);
                tokio::time::sleep_until(due.into()).await;
                place(customer, product, due).await
            };
            futures::future::join_all((0..count).map(one)).await
        }
    };
    (began.elapsed().as_secs_f64(), latencies)
}

async fn place(customer: &Client, product: &str, began: Instant) -> Duration {
    let order = customer.post("/v1/orders?wait=20s", draft(product)).await.expect(201);
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    began.elapsed()
}

fn draft(product: &str) -> Value {
    json!({
        "items": [{ "productId": product, "quantity": 1 }],
        "shippingAddress": {
            "name": "Customer", "line1": "1 rue de la Paix", "city": "Paris", "postalCode": "75002", "countryCode": "FR",
        },
        "paymentToken": "tok_visa",
    })
}
