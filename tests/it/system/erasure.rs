//! Somebody registers, orders, is sent mails, and closes the account: what is left of them in the whole system.

use crate::{baskets::basket, cli::verify::is_clean};
use anyhow::ensure;
use async_nats::jetstream;
use bson::{RawDocumentBuf, doc};
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, draft, id, order_with, place_draft, product};
use kit::{Client, DEMO_PASSWORD, Stack, StackOptions, eventually};
use serde_json::{Value, json};
use std::path::Path;

/// What the person is known by: each text is in the system once it has been told, and nowhere else.
struct Person {
    email: String,
    name: String,
    street: String,
    home: String,
    bio: String,
    reason: String,
}

impl Person {
    fn new() -> Self {
        let text = |kind: &str| format!("{kind}-{:016x}", rand::random::<u64>());
        let email = format!("{}@example.com", text("person"));
        Self {
            email,
            name: text("Name"),
            street: text("Street"),
            home: text("Home"),
            bio: text("Bio"),
            reason: text("Reason"),
        }
    }

    fn texts(&self) -> [&str; 6] {
        [&self.email, &self.name, &self.street, &self.home, &self.bio, &self.reason]
    }

    /// Notes which of the texts are in these bytes, which are found at `place`.
    fn look(&self, place: &str, bytes: &[u8], found: &mut Vec<String>) {
        let has = |text: &&str| bytes.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text.as_bytes()));
        found.extend(self.texts().iter().filter(|text| has(text)).map(|text| format!("{text} is in {place}")));
    }
}

/// Every document of every database. What the replication log has goes with it, see docs/PROMISES.md.
async fn scan_databases(stack: &Stack, person: &Person, found: &mut Vec<String>) {
    let names = stack.mongodb().list_database_names().await.expect("root may");
    for name in names.into_iter().filter(|name| !["local", "config", "admin"].contains(&name.as_str())) {
        let database = stack.mongodb().database(&name);
        for collection in database.list_collection_names().await.expect("root may") {
            let documents = database.collection::<RawDocumentBuf>(&collection).find(doc! {}).await.expect("root may");
            let documents: Vec<RawDocumentBuf> = documents.try_collect().await.expect("root may");
            documents.iter().for_each(|it| person.look(&format!("{name}.{collection}"), it.as_bytes(), found));
        }
    }
}

/// Every message of every stream, with its subject and headers.
async fn scan_streams(stack: &Stack, person: &Person, found: &mut Vec<String>) {
    let broker = jetstream::new(stack.nats().await);
    let names: Vec<String> = broker.stream_names().try_collect().await.expect("the operator may");
    assert!(names.contains(&"EVT_USERS".to_owned()), "{names:?}");
    for name in names {
        let mut stream = broker.get_stream(&name).await.expect("the operator may");
        let state = stream.info().await.expect("the operator may").state.clone();
        let mut read = 0;
        for sequence in state.first_sequence..=state.last_sequence {
            // A bucket of keys and values forgets what was written over.
            let Ok(message) = stream.get_raw_message(sequence).await else { continue };
            read += 1;
            let place = format!("{name} {}", message.subject);
            person.look(&place, message.subject.as_bytes(), found);
            person.look(&place, format!("{:?}", message.headers).as_bytes(), found);
            person.look(&place, &message.payload, found);
        }
        if name.starts_with("EVT_") {
            assert_eq!(read, state.messages, "every event of {name} is read");
        }
    }
}

/// Every file of the data directory but those that MongoDB and NATS keep their data in: mails, logs.
fn scan_files(folder: &Path, person: &Person, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("it can be read").flatten() {
        let path = entry.path();
        if path.is_dir() && ["mongodb", "nats"].iter().any(|name| path.ends_with(name)) {
            continue;
        } else if path.is_dir() {
            scan_files(&path, person, found);
        } else {
            person.look(&path.display().to_string(), &std::fs::read(&path).unwrap_or_default(), found);
        }
    }
}

async fn scan(stack: &Stack, person: &Person) -> Vec<String> {
    let mut found = Vec::new();
    scan_databases(stack, person, &mut found).await;
    scan_streams(stack, person, &mut found).await;
    scan_files(stack.data().parent().expect("the directory of the stack"), person, &mut found);
    found
}

/// Whether the scan has found each text of the person, in each place that keeps some.
fn has_all(before: &[String], person: &Person) {
    for place in ["users.users", "orders.orders", "shipping.shipments", "email.emails", ".eml"] {
        assert!(before.iter().any(|found| found.ends_with(place)), "the scan finds nothing in {place}: {before:?}");
    }
    for text in person.texts() {
        assert!(before.iter().any(|found| found.starts_with(text)), "the scan does not find {text}: {before:?}");
    }
}

/// Registers the person, who tells of themselves and has a mail sent.
async fn register(stack: &Stack, person: &Person) -> (Client, Value) {
    let body = json!({
        "email": person.email, "name": person.name, "password": DEMO_PASSWORD, "profile": { "bio": person.bio },
    });
    let user = Client::anonymous(stack).post("/v1/users", body).await.expect(201);
    let customer = Client::sign_in(stack, &person.email, DEMO_PASSWORD).await;
    let home = json!({ "name": person.name, "line1": person.home, "city": "Paris", "postalCode": "75002", "countryCode": "FR" });
    customer.patch(&format!("/v1/users/{}", id(&user, "userId")), json!({ "addresses": [home] })).await.expect(200);
    Client::anonymous(stack).post("/v1/users:requestPasswordReset", json!({ "email": person.email })).await.expect(200);
    (customer, user)
}

async fn order(customer: &Client, person: &Person, product: &str) -> Value {
    let mut body = draft(&[(product, 1)], "tok_visa");
    body["shippingAddress"]["name"] = json!(person.name);
    body["shippingAddress"]["line1"] = json!(person.street);
    let order = place_draft(customer, body).await;
    assert_eq!(order["state"], "CONFIRMED", "{order}");
    order
}

async fn deliver(staff: &Client, order: &Value) {
    let shipment = format!("/v1/shipments/{}", id(order, "shipmentId"));
    staff.post(&format!("{shipment}:dispatch"), json!({})).await.expect(200);
    order_with(staff, order, "state", "SHIPPED").await;
    staff.post(&format!("{shipment}:deliver"), json!({})).await.expect(200);
    order_with(staff, order, "state", "DELIVERED").await;
}

/// What remains of the user in each service, once the erasure is in this state.
async fn erasure(staff: &Client, user: &Value, state: &str) -> Vec<(String, String)> {
    let path = format!("/v1/erasures/{}", id(user, "userId"));
    eventually(TIMEOUT, || async {
        let reply = staff.get(&path).await;
        ensure!(reply.status == 200 && reply.body["state"] == state, "{reply:?}");
        let receipts = reply.body["receipts"].as_array().cloned().unwrap_or_default();
        let text = |receipt: &Value, field| id(receipt, field).to_owned();
        Ok(receipts.iter().map(|it| (text(it, "service"), text(it, "remainingCount"))).collect())
    })
    .await
}

/// Waits until the user was sent as many mails, and no other is to be sent.
async fn mailed(staff: &Client, user: &Value, count: usize) {
    eventually(TIMEOUT, || async {
        let page = staff.get(&format!("/v1/emails?userId={}", id(user, "userId"))).await.expect(200);
        let sent = page["emails"].as_array().into_iter().flatten().filter(|mail| mail["state"] == "SENT").count();
        ensure!(sent == count, "{page}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_erasure_a_scan_of_every_database_stream_and_log_finds_no_e_mail_or_name() {
    let stack = Stack::start(StackOptions::without(&["privacy"])).await;
    let privacy = stack.serve_with("privacy", &[("COMPTOIR_ERASURE_PAUSE_SECONDS", "2")]);
    let (person, product, staff) = (Person::new(), product(&stack, 100).await, Client::staff(&stack).await);
    let (customer, user) = register(&stack, &person).await;
    let delivered = order(&customer, &person, &product).await;
    deliver(&staff, &delivered).await;
    let cancelled = order(&customer, &person, &product).await;
    let path = format!("/v1/orders/{}:cancel", id(&cancelled, "orderId"));
    customer.post(&path, json!({ "reason": person.reason })).await.expect(200);
    order_with(&customer, &cancelled, "state", "CANCELLED").await;
    let under_way = order(&customer, &person, &product).await;
    basket(&customer, &[(&product, 1)]).await;
    mailed(&staff, &user, 7).await;
    has_all(&scan(&stack, &person).await, &person);

    assert_eq!(customer.delete(&format!("/v1/users/{}", id(&user, "userId"))).await.status, 200);
    let receipts = erasure(&staff, &user, "WAITING").await;
    let remaining = |name: &str| receipts.iter().find(|(service, _)| service == name).map(|(_, count)| count.as_str());
    assert_eq!(["users", "email", "orders", "shipping"].map(remaining), ["0", "0", "1", "1"].map(Some));
    for found in scan(&stack, &person).await {
        let is_address = [&person.name, &person.street].iter().any(|text| found.starts_with(text.as_str()));
        assert!(is_address && (found.ends_with("orders.orders") || found.ends_with("shipping.shipments")), "{found}");
    }

    deliver(&staff, &under_way).await;
    let receipts = erasure(&staff, &user, "COMPLETED").await;
    assert!(receipts.iter().all(|(_, remaining)| remaining == "0"), "{receipts:?}");
    assert_eq!(scan(&stack, &person).await, Vec::<String>::new());
    is_clean(&stack).await;
    privacy.stop(TIMEOUT).await.expect("privacy drains");
    stack.stop().await;
    let mut found = Vec::new();
    scan_files(stack.data().parent().expect("the directory of the stack"), &person, &mut found);
    assert_eq!(found, Vec::<String>::new(), "what is written at the end");
}
