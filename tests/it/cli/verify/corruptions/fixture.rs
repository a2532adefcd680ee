//! A quiet system whose stores are corrupted and mended, and what `comptoir verify` says of it in between.

use crate::cli::verify::verify;
use bson::{Bson, Document, doc};
use kit::shop::{self, draft, id};
use kit::{Client, Stack, StackOptions};
use mongodb::Collection;
use serde_json::{Value, json};

/// A quiet system: a confirmed order, one that has shipped, one that waits for its payer.
pub struct Fixture {
    pub stack: Stack,
    pub product: String,
    confirmed: Document,
    /// The payment of the order that has shipped.
    pub captured: String,
    pub waiting: String,
    /// The coupon of the confirmed order.
    pub coupon: String,
}

impl Fixture {
    /// Inventory runs as a process of its own, so that its sweeper can be stopped.
    pub async fn open() -> Self {
        let services = topology::Topology::get().service.keys().cloned();
        let here = services.filter(|name| name != "inventory").chain(["gateway".to_owned()]).collect();
        let mut stack = Stack::start(StackOptions::default()).await;
        stack.stop().await;
        stack.restart_with(here).await;
        Self {
            stack,
            product: String::new(),
            confirmed: Document::new(),
            captured: String::new(),
            waiting: String::new(),
            coupon: String::new(),
        }
    }

    pub async fn seed(&mut self) {
        // Nobody takes what is sent there.
        let endpoint = json!({ "url": "http://127.0.0.1:9/", "eventTypes": ["order.confirmed"] });
        Client::admin(&self.stack).await.post("/v1/webhooks/endpoints", endpoint).await.expect(201);
        self.product = shop::product(&self.stack, 50).await;
        let (customer, staff) = (Client::register(&self.stack).await.0, Client::staff(&self.stack).await);
        let lines = [(self.product.as_str(), 2)];
        self.coupon =
            crate::orders::coupons::coupon(&self.stack, json!({ "percentage": "10", "maxRedemptions": 5 })).await;
        let mut with_coupon = draft(&lines, "tok_visa");
        with_coupon["couponCode"] = json!(self.coupon);
        let confirmed = shop::place_draft(&customer, with_coupon).await;
        let shipped = shop::place(&customer, &lines, "tok_visa").await;
        let path = format!("/v1/shipments/{}:dispatch", id(&shipped, "shipmentId"));
        staff.post(&path, json!({})).await.expect(200);
        shop::order_with(&customer, &shipped, "state", "SHIPPED").await;
        self.captured = id(&shipped, "paymentId").to_owned();
        let waiting = customer.post("/v1/orders", draft(&lines, "tok_action_required")).await.expect(201);
        shop::order_with(&customer, &waiting, "paymentState", "ACTION_REQUIRED").await;
        self.waiting = id(&waiting, "orderId").to_owned();
        let found = self.collection("orders", "orders").find_one(doc! { "_id": id(&confirmed, "orderId") }).await;
        self.confirmed = found.expect("mongod answers").expect("it was placed");
    }

    pub fn collection(&self, service: &str, name: &str) -> Collection<Document> {
        self.stack.db(service).collection(name)
    }

    pub fn of_order(&self, field: &str) -> &str {
        self.confirmed.get_str(field).expect("an order has it")
    }

    /// The violations of one invariant.
    pub async fn check(&self, invariant: &str) -> Vec<Value> {
        let arguments = ["--json", "--only", invariant, "--settle", "1", "--patience", "5"];
        let output = verify(&self.stack, &arguments).await;
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{invariant}: {}", String::from_utf8_lossy(&output.stderr)));
        let violations = report["invariants"][0]["violations"].as_array().expect("a list").clone();
        assert_eq!(output.status.code(), Some(i32::from(!violations.is_empty())), "{report}");
        violations
    }

    /// Exactly this violation is there.
    pub async fn finds(&self, invariant: &str, subject: &str, found: &str) {
        let violations = self.check(invariant).await;
        let named = violations.first().unwrap_or_else(|| panic!("{invariant} does not see {subject}"));
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert_eq!(named["subject"], subject, "{named}");
        assert!(named["found"].as_str().unwrap_or_default().contains(found), "{named} does not say {found:?}");
    }

    pub async fn is_clean(&self) {
        let output = verify(&self.stack, &["--settle", "3"]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// Changes a document, checks, and puts the document back.
    pub async fn broken(&self, place: (&str, &str), id: &str, change: Document, expect: (&str, &str, &str)) {
        let collection = self.collection(place.0, place.1);
        let before = collection.find_one(doc! { "_id": id }).await.expect("mongod answers").expect("it is there");
        collection.update_one(doc! { "_id": id }, change).await.expect("root may");
        self.finds(expect.0, expect.1, expect.2).await;
        collection.replace_one(doc! { "_id": id }, before).await.expect("root may");
    }

    /// Adds a document that has no events, checks, and removes it.
    pub async fn added(&self, place: (&str, &str), mut document: Document, expect: (&str, &str, &str)) {
        let collection = self.collection(place.0, place.1);
        document.extend(doc! { "seq": 0_i64, "outbox": [] });
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        collection.insert_one(document).await.expect("root may");
        self.finds(expect.0, expect.1, expect.2).await;
        collection.delete_one(doc! { "_id": id }).await.expect("root may");
    }

    /// Removes a document, checks, and puts it back.
    pub async fn removed(&self, place: (&str, &str), filter: Document, expect: (&str, &str, &str)) {
        let collection = self.collection(place.0, place.1);
        let gone = collection.find_one_and_delete(filter).await.expect("root may").expect("it is there");
        self.finds(expect.0, expect.1, expect.2).await;
        collection.insert_one(gone).await.expect("root may");
    }
}
