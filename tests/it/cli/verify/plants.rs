//! For each invariant something that breaks it, planted directly into the stores, found and named.

use super::verify;
use async_nats::jetstream;
use bson::{Bson, DateTime, Document, doc};
use kit::shop::{self, draft, id};
use kit::{Client, Stack, StackOptions};
use mongodb::Collection;
use serde_json::{Value, json};

/// A quiet system: a confirmed order, one that has shipped, one that waits for its payer.
struct Garden {
    stack: Stack,
    product: String,
    confirmed: Document,
    /// The payment of the order that has shipped.
    captured: String,
    waiting: String,
    /// The coupon of the confirmed order.
    coupon: String,
}

impl Garden {
    /// Inventory runs as a process of its own, so that its sweeper can be stopped.
    async fn open() -> Self {
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

    async fn sow(&mut self) {
        self.product = shop::product(&self.stack, 50).await;
        let (customer, staff) = (Client::register(&self.stack).await.0, Client::staff(&self.stack).await);
        let lines = [(self.product.as_str(), 2)];
        self.coupon =
            crate::orders::coupons::coupon(&self.stack, json!({ "percentage": "10", "maxRedemptions": 5 })).await;
        let mut with_coupon = draft(&lines, "tok_visa");
        with_coupon["couponCode"] = json!(self.coupon);
        let confirmed = customer.post("/v1/orders?wait=25s", with_coupon).await.expect(201);
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

    fn collection(&self, service: &str, name: &str) -> Collection<Document> {
        self.stack.db(service).collection(name)
    }

    fn of_order(&self, field: &str) -> &str {
        self.confirmed.get_str(field).expect("an order has it")
    }

    /// Looks at one invariant; its violations.
    async fn look(&self, invariant: &str) -> Vec<Value> {
        let arguments = ["--json", "--only", invariant, "--settle", "1", "--patience", "5"];
        let output = verify(&self.stack, &arguments).await;
        let report: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{invariant}: {}", String::from_utf8_lossy(&output.stderr)));
        let violations = report["invariants"][0]["violations"].as_array().expect("a list").clone();
        assert_eq!(output.status.code(), Some(i32::from(!violations.is_empty())), "{report}");
        violations
    }

    /// Exactly this violation is there.
    async fn finds(&self, invariant: &str, subject: &str, found: &str) {
        let violations = self.look(invariant).await;
        let named = violations.first().unwrap_or_else(|| panic!("{invariant} does not see {subject}"));
        assert_eq!(violations.len(), 1, "{violations:?}");
        assert_eq!(named["subject"], subject, "{named}");
        assert!(named["found"].as_str().unwrap_or_default().contains(found), "{named} does not say {found:?}");
    }

    async fn is_clean(&self) {
        let output = verify(&self.stack, &["--settle", "3"]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    /// Changes a document, looks, and puts the document back.
    async fn broken(&self, place: (&str, &str), id: &str, change: Document, expect: (&str, &str, &str)) {
        let collection = self.collection(place.0, place.1);
        let before = collection.find_one(doc! { "_id": id }).await.expect("mongod answers").expect("it is there");
        collection.update_one(doc! { "_id": id }, change).await.expect("root may");
        self.finds(expect.0, expect.1, expect.2).await;
        collection.replace_one(doc! { "_id": id }, before).await.expect("root may");
    }

    /// Adds a document that has no events, looks, and removes it.
    async fn added(&self, place: (&str, &str), mut document: Document, expect: (&str, &str, &str)) {
        let collection = self.collection(place.0, place.1);
        document.extend(doc! { "seq": 0_i64, "outbox": [] });
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        collection.insert_one(document).await.expect("root may");
        self.finds(expect.0, expect.1, expect.2).await;
        collection.delete_one(doc! { "_id": id }).await.expect("root may");
    }

    /// Removes a document, looks, and puts it back.
    async fn removed(&self, place: (&str, &str), filter: Document, expect: (&str, &str, &str)) {
        let collection = self.collection(place.0, place.1);
        let gone = collection.find_one_and_delete(filter).await.expect("root may").expect("it is there");
        self.finds(expect.0, expect.1, expect.2).await;
        collection.insert_one(gone).await.expect("root may");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_planted_is_named_and_ends_with_1() {
    let mut garden = Garden::open().await;
    let inventory = garden.stack.serve("inventory");
    garden.sow().await;
    garden.is_clean().await;
    stock(&garden).await;
    orders(&garden).await;
    coupons(&garden).await;
    money(&garden).await;
    goods_and_rows(&garden).await;
    sequences(&garden).await;
    garden.is_clean().await;
    inventory.pause().await.expect("it can be stopped");
    reservations(&garden).await;
    inventory.resume();
    // Last, for a stream cannot be mended.
    streams(&garden).await;
}

async fn stock(garden: &Garden) {
    let (at, product) = (("inventory", "stock"), garden.product.as_str());
    let ledger = "stock-is-its-movements";
    garden.broken(at, product, doc! { "$inc": { "on_hand": 1 } }, (ledger, product, "on_hand +1")).await;
    let movement = doc! { "product_id": product, "kind": "BACKORDER_ON" };
    let allowed = Client::staff(&garden.stack).await;
    allowed.post(&format!("/v1/stock/{product}:setBackorder"), json!({ "allowed": true })).await.expect(200);
    garden.removed(("inventory", "movements"), movement, (ledger, product, "1 fewer")).await;
    allowed.post(&format!("/v1/stock/{product}:setBackorder"), json!({ "allowed": false })).await.expect(200);
    let promised = "stock-is-its-reservations";
    garden.broken(at, product, doc! { "$inc": { "committed": -1 } }, (promised, product, "committed -1")).await;
    garden.broken(at, product, doc! { "$set": { "on_hand": 0 } }, (promised, product, "more than there are")).await;
}

async fn orders(garden: &Garden) {
    let (at, name, id) = (("orders", "orders"), "orders-end-or-live", garden.of_order("_id"));
    garden.broken(at, id, doc! { "$set": { "saga.status": "Running" } }, (name, id, "never wakes")).await;
    garden.broken(at, id, doc! { "$set": { "saga.status": "Parked" } }, (name, id, "without a reason")).await;
    garden.broken(at, id, doc! { "$set": { "state": "Pending" } }, (name, id, "its saga is Completed")).await;
    garden.broken(at, id, doc! { "$set": { "state": "Lost" } }, (name, id, "is no state of an order")).await;
    garden.broken(at, id, doc! { "$set": { "saga.status": "Odd" } }, (name, id, "is no status of a saga")).await;
}

async fn coupons(garden: &Garden) {
    let (at, name, code) = (("orders", "coupons"), "coupons-are-their-redemptions", garden.coupon.as_str());
    garden.broken(at, code, doc! { "$inc": { "redemption_count": 1_i64 } }, (name, code, "a count of 2")).await;
    garden.removed(("orders", "redemptions"), doc! { "code": code }, (name, code, "a count of 1")).await;
    let order = garden.of_order("_id");
    let given_up = doc! { "$set": { "saga.status": "Compensated" } };
    garden.broken(("orders", "orders"), order, given_up, (name, code, "1 without such an order")).await;
}

async fn reservations(garden: &Garden) {
    let (at, name) = (("inventory", "reservations"), "reservations-have-orders");
    let order = garden.of_order("_id");
    let mut stray = garden.collection(at.0, at.1).find_one(doc! { "_id": order }).await.expect("answers").expect("is");
    stray.insert("_id", "ord_nobody");
    garden.added(at, stray, (name, "ord_nobody", "no order")).await;
    garden.broken(at, order, doc! { "$set": { "state": "Released" } }, (name, order, "RELEASED")).await;
    garden.removed(at, doc! { "_id": order }, (name, order, "no reservation")).await;
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 3_600_000);
    let ended = doc! { "$set": { "expires_at": long_ago, "updated_at": long_ago } };
    garden.broken(at, &garden.waiting, ended, (name, &garden.waiting, "HELD, and its end was")).await;
}

async fn money(garden: &Garden) {
    let (payment, charge) = (garden.of_order("payment_id"), format!("{}/authorize", garden.of_order("payment_id")));
    let (at, name) = (("payments", "payments"), "payments-agree");
    garden.broken(at, payment, doc! { "$set": { "state": "Voided" } }, (name, payment, "VOIDED")).await;
    let again = garden.collection(at.0, at.1).find_one(doc! { "_id": payment }).await.expect("answers").expect("is");
    let entry = again.get_array("ledger").expect("a ledger")[0].clone();
    garden.broken(at, payment, doc! { "$push": { "ledger": entry } }, (name, payment, "2 authorizations")).await;
    let mut second = again;
    second.insert("_id", "pay_second");
    garden.added(at, second, (name, "pay_second", "another payment for the order")).await;
    garden.removed(at, doc! { "_id": payment }, (name, garden.of_order("_id"), "no payment")).await;
    ledgers(garden).await;
    let (at, name) = (("sandbox-psp", "charges"), "charges-agree");
    let (taken, more) = (format!("{}/authorize", garden.captured), doc! { "$inc": { "captured": 1_i64 } });
    garden.broken(at, &taken, more, (name, &taken, "the provider has")).await;
    garden.broken(at, &charge, doc! { "$set": { "status": "Captured" } }, (name, &charge, "CAPTURED")).await;
    let twice = doc! { "_id": "pay_ghost/authorize", "reference": "sbx_ghost", "status": "Authorized" };
    garden.added(at, twice, (name, "pay_ghost/authorize", "no payment")).await;
    garden.removed(at, doc! { "_id": &charge }, (name, payment, "no charge")).await;
}

async fn ledgers(garden: &Garden) {
    let (at, captured) = (("payments", "payments"), garden.captured.as_str());
    let entry = |kind: &str, amount: &str| {
        let amount = doc! { "currency": "EUR", "amount": amount.parse::<bson::Decimal128>().expect("a number") };
        let entry =
            doc! { "kind": kind, "amount": amount, "provider_reference": "", "key": kind, "at": DateTime::now() };
        doc! { "$push": { "ledger": entry } }
    };
    let name = "ledgers-are-sound";
    garden.broken(at, captured, entry("Refund", "9999"), (name, captured, "more is refunded than was captured")).await;
    garden.broken(at, captured, entry("Capture", "0.01"), (name, captured, "than was authorized")).await;
    garden.broken(at, captured, entry("Refund", "0.01"), (name, captured, "does not fit the ledger")).await;
    let mut untold = entry("Refund", "0.01");
    untold.insert("$set", doc! { "state": "Refunded" });
    garden.broken(at, captured, untold, (name, captured, "told were authorized")).await;
    let refunded = entry("Refund", "0.01");
    garden.broken(at, captured, refunded, ("money-is-owed", captured, "captured and kept")).await;
}

async fn goods_and_rows(garden: &Garden) {
    let (order, shipment) = (garden.of_order("_id"), garden.of_order("shipment_id"));
    let (at, name) = (("shipping", "shipments"), "shipments-agree");
    garden.broken(at, shipment, doc! { "$set": { "state": "Cancelled" } }, (name, shipment, "CANCELLED")).await;
    garden.removed(at, doc! { "_id": shipment }, (name, order, "no shipment")).await;
    let more = doc! { "$set": { "lines.0.quantity": 3 } };
    garden.broken(at, shipment, more, ("shipments-carry-orders", order, "in shipments")).await;
    let (at, name) = (("order-history", "order_history"), "history-is-orders");
    garden.broken(at, order, doc! { "$set": { "order.state": 6 } }, (name, order, "state 6")).await;
    garden.broken(at, order, doc! { "$set": { "order.reason": "WHY" } }, (name, order, "WHY")).await;
    let behind = doc! { "$set": { format!("applied.{order}"): 1_i64 } };
    garden.broken(at, order, behind, (name, order, "after event 1")).await;
    garden.removed(at, doc! { "_id": order }, (name, order, "no row")).await;
}

async fn sequences(garden: &Garden) {
    let (order, name) = (garden.of_order("_id"), "sequences-are-whole");
    let subject = format!("orders/order/{order}");
    let counted = doc! { "$inc": { "seq": 1_i64 } };
    garden.broken(("orders", "orders"), order, counted, (name, &subject, "is nowhere")).await;
    let log = garden.collection("orders", "events");
    let gone = log.find_one_and_delete(doc! { "aid": order, "seq": 1_i64 }).await.expect("root may").expect("is there");
    let subjects: Vec<String> =
        garden.look(name).await.iter().filter_map(|each| each["subject"].as_str().map(str::to_owned)).collect();
    assert_eq!(subjects, ["orders/events", &subject], "the log has a gap, and so has the aggregate");
    log.insert_one(gone).await.expect("root may");
}

async fn streams(garden: &Garden) {
    let (order, name) = (garden.of_order("_id"), "streams-are-logs");
    let nats = jetstream::new(garden.stack.nats().await);
    let log = garden.collection("orders", "events");
    let logged = log.find_one(doc! { "aid": order, "seq": 1_i64 }).await.expect("answers").expect("is there");
    let place = logged.get_i64("_id").expect("a place");
    let other = doc! { "$set": { "seq": 77_i64 } };
    garden.broken_log(place, other, (name, &format!("orders/log#{place}"), order)).await;
    let stream = nats.get_stream("EVT_ORDERS").await.expect("the stream is there");
    let sequence = u64::try_from(place).expect("from 1");
    stream.delete_message(sequence).await.expect("the operator may");
    garden.finds(name, &format!("orders/log#{place}"), "it is not there").await;
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("ce-logsequence", "999999");
    headers.insert("ce-id", "evt_foreign");
    let foreign = nats.publish_with_headers("evt.orders.order.created.ord_foreign", headers.clone(), "".into());
    let place = foreign.await.expect("the operator may").await.expect("it is stored").sequence;
    let subjects: Vec<Value> = garden.look(name).await.iter().map(|each| each["subject"].clone()).collect();
    assert!(
        !subjects.contains(&json!(format!("orders/stream#{place}"))),
        "a foreign message is no entry: {subjects:?}"
    );
    headers.insert("Nats-Expected-Last-Sequence", place.to_string()); // as a relay says it
    let foreign = nats.publish_with_headers("evt.orders.order.created.ord_foreign", headers, "".into());
    let sequence = foreign.await.expect("the operator may").await.expect("it is stored").sequence;
    let subjects: Vec<Value> = garden.look(name).await.iter().map(|each| each["subject"].clone()).collect();
    assert!(subjects.contains(&json!(format!("orders/stream#{sequence}"))), "{subjects:?}");
}

impl Garden {
    async fn broken_log(&self, place: i64, change: Document, expect: (&str, &str, &str)) {
        let log = self.collection("orders", "events");
        let before = log.find_one(doc! { "_id": place }).await.expect("answers").expect("it is there");
        log.update_one(doc! { "_id": place }, change).await.expect("root may");
        self.finds(expect.0, expect.1, expect.2).await;
        log.replace_one(doc! { "_id": place }, before).await.expect("root may");
    }
}
