//! What entries say, page by page and as an export, and what they do not say.

use super::{actor, entries_of};
use bson::doc;
use kit::shop::{fields, id, place, product};
use kit::{Client, shared};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The user of an address.
async fn user(address: &str) -> String {
    let users = shared().await.db("users").collection::<bson::Document>("users");
    let found = users.find_one(doc! { "email": address }).await.expect("mongod answers").expect("an account");
    found.get_str("_id").expect("an id").to_owned()
}

#[tokio::test]
async fn an_entry_says_who_has_done_what_and_in_which_role() {
    let stack = shared().await;
    let (staff, admin) = (Client::staff(stack).await, Client::admin(stack).await);
    let (staff_id, admin_id) = (user("staff@example.com").await, user("admin@example.com").await);
    let product = product(stack, 10).await;
    let (customer, account) = Client::register(stack).await;
    let user_id = id(&account, "userId");
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let (order_id, shipment) = (id(&order, "orderId"), id(&order, "shipmentId"));
    staff.post(&format!("/v1/shipments/{shipment}:dispatch"), json!({})).await.expect(200);
    admin.post(&format!("/v1/users/{user_id}:lock"), json!({ "reason": "a test" })).await.expect(200);

    let products = entries_of(stack, "products", &product, 1).await;
    assert_eq!(actor(&products, "created"), ("staff", &*staff_id), "{products:?}");
    assert_eq!(products[0]["type"], "comptoir.products.v1.ProductCreated", "{products:?}");
    // The stock is changed by a task that works for many callers at once.
    let stock = entries_of(stack, "inventory", &product, 3).await;
    let by: Vec<_> = stock.iter().map(|entry| (id(entry, "actorRole"), id(entry, "actor"))).collect();
    assert_eq!(by[..2], [("staff", &*staff_id), ("service", "orders")], "{stock:?}");
    let orders = entries_of(stack, "orders", order_id, 2).await;
    assert_eq!(actor(&orders, "created"), ("customer", user_id), "{orders:?}");
    assert_eq!(actor(&orders, "confirmed"), ("", ""), "the saga acts by itself: {orders:?}");
    let shipments = entries_of(stack, "shipping", shipment, 2).await;
    assert_eq!(actor(&shipments, "created"), ("service", "orders"), "{shipments:?}");
    assert_eq!(actor(&shipments, "dispatched"), ("staff", &*staff_id), "{shipments:?}");
    let users = entries_of(stack, "users", user_id, 2).await;
    assert_eq!(actor(&users, "created"), ("anonymous", ""), "{users:?}");
    assert_eq!(actor(&users, "locked"), ("admin", &*admin_id), "{users:?}");
    let seqs: Vec<&str> = orders.iter().map(|entry| id(entry, "seq")).collect();
    assert_eq!(seqs, (1..=orders.len()).map(|seq| seq.to_string()).collect::<Vec<_>>(), "in the order of the events");
}

#[tokio::test]
async fn a_client_is_the_actor_of_what_it_does() {
    let stack = shared().await;
    let admin = Client::admin(stack).await;
    let made = admin.post("/v1/clients", json!({ "name": "ERP", "role": "staff" })).await.expect(201);
    let (client, secret) = (id(&made["client"], "clientId"), id(&made, "clientSecret"));
    let form = [("grant_type", "client_credentials")];
    let anonymous = Client::anonymous(stack);
    let asked = anonymous.request(Method::POST, "/oauth2/token").basic_auth(client, Some(secret)).form(&form);
    let token = kit::reply(asked).await.expect(200);
    let erp = anonymous.with_token(Some(id(&token, "access_token")));
    let body = json!({ "name": "Cup", "sku": format!("ERP-{:016x}", rand::random::<u64>()),
        "price": { "currencyCode": "EUR", "units": "5" } });
    let product = erp.post("/v1/products", body).await.expect(201);
    let entries = entries_of(stack, "products", id(&product, "productId"), 1).await;
    assert_eq!(actor(&entries, "created"), ("staff", client), "{entries:?}");
}

#[tokio::test]
async fn an_entry_has_identifiers_and_digests_alone() {
    let stack = shared().await;
    let email = format!("named-{:016x}@example.com", rand::random::<u64>());
    let body = json!({ "email": email, "name": "Ambroise Unique", "password": kit::DEMO_PASSWORD });
    let account = Client::anonymous(stack).post("/v1/users", body).await.expect(201);
    let customer = Client::sign_in(stack, &email, kit::DEMO_PASSWORD).await;
    let product = product(stack, 5).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    entries_of(stack, "users", id(&account, "userId"), 1).await;
    entries_of(stack, "orders", id(&order, "orderId"), 2).await;
    let names = [
        "_id",
        "event_id",
        "service",
        "aggregate",
        "aggregate_id",
        "seq",
        "type",
        "name",
        "event_at",
        "actor",
        "actor_role",
        "data_digest",
        "hash",
    ];
    for entry in super::stored(stack).await {
        assert_eq!(entry.keys().collect::<Vec<_>>(), names, "{entry}");
        let text = entry.to_string();
        for personal in [email.as_str(), "Ambroise", "Unique", "rue de la Paix", "75002"] {
            assert!(!text.contains(personal), "{text}");
        }
        let actor = entry.get_str("actor").expect("a text");
        let is_id = actor.is_empty() || actor.starts_with("usr_") || actor.starts_with("cli_");
        assert!(is_id || entry.get_str("actor_role").is_ok_and(|role| role == "service"), "{text}");
    }
}

fn ids(page: &Value) -> Vec<String> {
    page["entries"].as_array().expect("a list").iter().map(|entry| id(entry, "entryId").to_owned()).collect()
}

#[tokio::test]
async fn a_list_is_paged_newest_first_and_what_is_recorded_later_moves_no_page() {
    let stack = shared().await;
    let (admin, staff) = (Client::admin(stack).await, Client::staff(stack).await);
    let product = product(stack, 0).await;
    let rename = async |name: &str| staff.patch(&format!("/v1/products/{product}"), json!({ "name": name })).await;
    for name in ["One", "Two", "Three", "Four"] {
        rename(name).await.expect(200);
    }
    entries_of(stack, "products", &product, 5).await;
    let of_product = format!("/v1/audit/entries?aggregateId={product}");
    let all = ids(&admin.get(&of_product).await.expect(200));
    assert!(all.len() == 5 && all.is_sorted_by(|newer, older| newer > older), "{all:?}");
    let (mut token, mut pages) = (String::new(), Vec::new());
    for _ in 0..3 {
        let page = admin.get(&format!("{of_product}&pageSize=2&pageToken={token}")).await.expect(200);
        pages.push(ids(&page));
        token = id(&page, "nextPageToken").to_owned();
        if pages.len() == 1 {
            rename("Five").await.expect(200);
            entries_of(stack, "products", &product, 6).await;
        }
    }
    assert_eq!((pages.concat(), token.as_str()), (all, ""), "{pages:?}");
    let first = admin.get(&format!("{of_product}&pageSize=2")).await.expect(200);
    let token = id(&first, "nextPageToken");
    let actor = user("staff@example.com").await;
    for other in [String::new(), format!("actor={actor}"), format!("aggregateId={product}&actor={actor}")] {
        let stolen = admin.get(&format!("/v1/audit/entries?{other}&pageSize=2&pageToken={token}")).await;
        assert_eq!((stolen.status, fields(&stolen)), (400, vec!["pageToken".to_owned()]), "a token is of its filter");
    }
    assert_eq!(admin.get(&format!("{of_product}&pageSize=201")).await.status, 400);
}

#[tokio::test]
async fn a_list_is_narrowed_by_aggregate_actor_and_days() {
    let stack = shared().await;
    let (admin, (customer, account)) = (Client::admin(stack).await, Client::register(stack).await);
    let user_id = id(&account, "userId");
    customer.patch(&format!("/v1/users/{user_id}"), json!({ "name": "Another" })).await.expect(200);
    entries_of(stack, "users", user_id, 2).await;
    let list = async |query: &str| admin.get(&format!("/v1/audit/entries?{query}")).await;
    let own = list(&format!("actor={user_id}")).await.expect(200);
    assert_eq!(own["entries"].as_array().map(Vec::len), Some(1), "{own}");
    assert_eq!(own["entries"][0]["name"], "updated", "{own}");
    let today = &id(&own["entries"][0], "entryId")[..10];
    for (query, count) in [
        (format!("aggregateId={user_id}"), 2),
        (format!("aggregateId={user_id}&actor={user_id}"), 1),
        (format!("aggregateId={user_id}&startDate={today}"), 2),
        (format!("aggregateId={user_id}&endDate={today}"), 0),
        (format!("aggregateId={user_id}&startDate=2000-01-01&endDate=2000-02-01"), 0),
    ] {
        assert_eq!(ids(&list(&query).await.expect(200)).len(), count, "{query}");
    }
    let turned = list("startDate=2026-02-01&endDate=2026-02-01").await;
    assert_eq!((turned.status, fields(&turned)), (400, vec!["endDate".to_owned()]));
}

/// The hash as the contract describes it, computed from a line of the export.
fn hash(before: &str, entry: &Value) -> String {
    let time: bson::DateTime = bson::DateTime::parse_rfc3339_str(id(entry, "eventTime")).expect("a time");
    let mut content = Sha256::new();
    for text in [
        before,
        id(entry, "entryId"),
        id(entry, "eventId"),
        id(entry, "service"),
        id(entry, "aggregate"),
        id(entry, "aggregateId"),
        id(entry, "seq"),
        id(entry, "type"),
        id(entry, "name"),
        &time.timestamp_millis().to_string(),
        id(entry, "actor"),
        id(entry, "actorRole"),
        id(entry, "dataDigest"),
    ] {
        content.update((text.len() as u64).to_be_bytes());
        content.update(text);
    }
    hex(content)
}

fn hex(content: Sha256) -> String {
    content.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_export_is_a_line_for_each_entry_by_which_anybody_can_compute_the_chain() {
    let stack = shared().await;
    let admin = Client::admin(stack).await;
    let product = product(stack, 1).await;
    entries_of(stack, "products", &product, 1).await;
    let answer = admin.request(Method::GET, "/v1/audit/entries:export").send().await.expect("the gateway answers");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.expect("a text");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.iter().any(|entry| entry["aggregateId"] == *product), "{text}");
    let mut days: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for entry in &lines {
        days.entry(&id(entry, "entryId")[..10]).or_default().push(entry);
    }
    let mut before: Option<(&str, String)> = None;
    for (day, entries) in days {
        let start = before.map_or_else(|| "comptoir".to_owned(), |(day, hash)| format!("{day} {hash}"));
        let mut last = hex(Sha256::new_with_prefix(start));
        for (number, entry) in (1..).zip(entries) {
            assert_eq!(id(entry, "entryId"), format!("{day}/{number:012}"));
            last = hash(&last, entry);
            assert_eq!(id(entry, "hash"), last, "{entry}");
        }
        before = Some((day, last));
    }
    let none = admin.request(Method::GET, "/v1/audit/entries:export?endDate=2000-01-01").send().await;
    assert_eq!(none.expect("the gateway answers").text().await.expect("a text"), "");
}
