//! Payments under every token, while payments and orders are killed again and again: what was captured is what is owed.
//!
//! `PAYMENTS=10000` plays as many; a run of all tests plays fewer.

use super::{frame, split_stack::SplitStack};
use crate::cli::reconcile::differences;
use anyhow::ensure;
use bson::{Document, doc};
use kit::{
    Client, Reply, eventually,
    shop::{TIMEOUT, draft, id, product},
};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a customer may pay with.
pub const TOKENS: [&str; 15] = [
    "tok_visa",
    "tok_declined",
    "tok_timeout",
    "tok_insufficient_funds",
    "tok_timeout_before",
    "tok_error_after",
    "tok_webhook_first",
    "tok_action_required",
    "tok_webhook_twice",
    "tok_mastercard",
    "tok_webhook_late",
    "tok_slow",
    "tok_webhook_reordered",
    "tok_action_expires",
    "tok_dispute",
];

/// Who is killed.
const VICTIMS: [&str; 2] = ["payments", "orders"];

/// Orders between two kills.
const PER_KILL: usize = 60;

const CUSTOMERS: usize = 16;

struct Cluster {
    system: SplitStack,
    product: String,
    staff: Client,
    begun: AtomicUsize,
    orders: usize,
}

impl Cluster {
    async fn open(orders: usize) -> Self {
        let system = SplitStack::start(&VICTIMS).await;
        let (product, staff) = (product(&system.stack, 1_000_000).await, Client::staff(&system.stack).await);
        Self { system, product, staff, begun: AtomicUsize::new(0), orders }
    }

    /// Places orders and does with them what their number says, until there are enough.
    async fn keep_ordering(&self) {
        let (customer, _) = Client::register(&self.system.stack).await;
        loop {
            let number = self.begun.fetch_add(1, Ordering::Relaxed);
            if number >= self.orders {
                return;
            }
            if number % PER_KILL == PER_KILL - 1 {
                self.system.kill(VICTIMS[number / PER_KILL % VICTIMS.len()]).await;
            }
            self.play(&customer, number).await;
        }
    }

    async fn play(&self, customer: &Client, number: usize) {
        let token = TOKENS[number % TOKENS.len()];
        let (draft, key) = (draft(&[(&self.product, 2)], token), format!("order-{number}"));
        let order = until_answered(|| customer.post_with_key("/v1/orders?wait=5s", draft.clone(), &key)).await;
        let order = id(&order, "orderId").to_owned();
        if token == "tok_action_required" {
            self.act(customer, &order, number.is_multiple_of(2)).await;
        }
        let (cancel, whole) = (format!("/v1/orders/{order}:cancel"), json!({}));
        match number / TOKENS.len() % 4 {
            0 => drop(until_answered(|| customer.post(&cancel, whole.clone())).await),
            1 => {}
            fate => self.ship(customer, &order, fate == 3).await,
        }
    }

    /// Plays the payer, once the order waits for them.
    async fn act(&self, customer: &Client, order: &str, approve: bool) {
        let waiting = eventually(TIMEOUT, || async {
            let order = customer.get(&format!("/v1/orders/{order}")).await;
            ensure!(order.body["paymentState"] == "ACTION_REQUIRED", "{order:?}");
            Ok(order.body)
        })
        .await;
        let action = format!("/v1/payments/{}:completeAction", id(&waiting, "paymentId"));
        until_answered(|| customer.post(&action, json!({ "approve": approve }))).await;
    }

    /// Hands the goods to the carrier if the order is confirmed, and has some of them come back.
    async fn ship(&self, customer: &Client, order: &str, returns: bool) {
        let path = format!("/v1/orders/{order}");
        let in_state = |states: &'static [&str]| {
            eventually(TIMEOUT, || async {
                let order = customer.get(&path).await;
                ensure!(states.iter().any(|state| order.body["state"] == *state), "{order:?}");
                Ok(order.body)
            })
        };
        let settled = in_state(&["CONFIRMED", "REJECTED"]).await;
        // The saga may still be about to plan the shipment.
        if settled["state"] == "REJECTED" {
            return;
        }
        let planned = eventually(TIMEOUT, || async {
            let order = customer.get(&path).await;
            ensure!(order.body["shipmentState"] == "CREATED", "{order:?}");
            Ok(order.body)
        })
        .await;
        let dispatch = format!("/v1/shipments/{}:dispatch", id(&planned, "shipmentId"));
        until_answered(|| self.staff.post(&dispatch, json!({}))).await;
        in_state(&["SHIPPED"]).await;
        if returns {
            let units = json!([{ "productId": self.product, "quantity": 1, "disposition": "RESTOCK" }]);
            let (refund, body) = (format!("{path}:refund"), json!({ "items": units, "requestId": "return-1" }));
            until_answered(|| self.staff.post(&refund, body.clone())).await;
        }
    }

    /// Charges that still hold money for an order that has ended.
    async fn left_open(&self) -> Vec<String> {
        let orders = self.system.stack.db("orders").collection::<Document>("orders");
        let ended = doc! { "state": { "$in": ["Rejected", "Cancelled"] } };
        let payments = orders.distinct("payment_id", ended).await.expect("ids");
        let keys: Vec<String> =
            payments.iter().filter_map(|id| id.as_str()).map(|id| format!("{id}/authorize")).collect();
        let charges = self.system.stack.db("sandbox-psp").collection::<Document>("charges");
        let open = doc! { "_id": { "$in": keys }, "status": { "$in": ["Authorized", "ActionRequired"] } };
        let open = charges.distinct("_id", open).await.expect("ids");
        open.iter().filter_map(|id| id.as_str()).map(str::to_owned).collect()
    }
}

/// Repeats a safe request until somebody has decided: yes, or a no that stays.
async fn until_answered<F: Future<Output = Reply>>(ask: impl Fn() -> F) -> Value {
    eventually(TIMEOUT, || async {
        let reply = ask().await;
        let is_decided = reply.status < 500 && !matches!(reply.status, 409 | 429);
        ensure!(is_decided, "{reply:?}");
        Ok(reply.body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_killed_what_is_captured_is_what_is_owed() {
    let orders = frame::number("PAYMENTS").unwrap_or(240);
    let cluster = Cluster::open(usize::try_from(orders).expect("small")).await;
    futures::future::join_all((0..CUSTOMERS).map(|_| cluster.keep_ordering())).await;
    cluster.system.is_sound().await;
    assert_eq!(cluster.left_open().await, Vec::<String>::new());
    assert_eq!(differences(&cluster.system.stack, &[]).await, Vec::<Value>::new());
    cluster.system.stop().await;
}
