//! What a person is told of all that is known of them.

use super::Person;
use bson::{Document, doc};
use kit::shop::{TIMEOUT, id, product, reason};
use kit::{Client, Stack, eventually, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// More than one page of a list between services has.
const ORDERS: usize = 11;

/// The records of an export by their kinds, in order.
async fn export(caller: &Client, person: &Person) -> BTreeMap<String, Vec<Value>> {
    let path = format!("{}:export", person.path());
    let answer = caller.request(Method::GET, &path).send().await.expect("the gateway answers");
    assert_eq!(answer.status().as_u16(), 200, "{path}");
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.expect("a text");
    let mut records: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let record: serde_json::Map<String, Value> = serde_json::from_str(line).expect("an object");
        let there: Vec<_> = record.into_iter().filter(|(_, value)| !value.is_null()).collect();
        let [(kind, value)] = <[_; 1]>::try_from(there).expect("one field of a record is there");
        records.entry(kind).or_default().push(value);
    }
    records
}

fn ids<'a>(records: &'a BTreeMap<String, Vec<Value>>, kind: &str, field: &str) -> Vec<&'a str> {
    records.get(kind).into_iter().flatten().map(|record| id(record, field)).collect()
}

/// A person with orders, a basket and mails.
async fn known(stack: &Stack, product: &str, orders: usize) -> Person {
    let person = Person::register(stack).await;
    for _ in 0..orders {
        person.order(product).await;
    }
    let basket = json!({ "items": [{ "productId": product, "quantity": 1 }], "countryCode": "FR" });
    person.client.post("/v1/baskets", basket).await.expect(201);
    let staff = Client::staff(stack).await;
    let mails = format!("/v1/emails?userId={}", person.user_id);
    eventually(TIMEOUT, || async {
        let found = staff.get(&mails).await.expect(200)["emails"].as_array().map_or(0, Vec::len);
        anyhow::ensure!(found == orders, "{found} mails");
        Ok(())
    })
    .await;
    person
}

#[tokio::test]
async fn an_export_holds_all_that_is_known_of_a_person_and_nothing_of_others() {
    let stack = shared().await;
    let product = product(stack, 100).await;
    let (person, _other) = (known(stack, &product, ORDERS).await, known(stack, &product, 1).await);
    // As a release without splits has kept one of them.
    let orders = stack.db("orders").collection::<Document>("orders");
    let old = doc! { "$unset": { "shipments": "" } };
    orders.update_one(doc! { "user_id": &person.user_id }, old).await.expect("root may");
    let records = export(&person.client, &person).await;
    let kinds: Vec<(&str, usize)> = records.iter().map(|(kind, records)| (kind.as_str(), records.len())).collect();
    let counts = [("basket", 1), ("email", ORDERS), ("order", ORDERS), ("payment", ORDERS), ("shipment", ORDERS)];
    assert_eq!(kinds, [&counts[..], &[("user", 1)]].concat());
    for (kind, found) in &records {
        assert!(found.iter().all(|record| id(record, "userId") == person.user_id), "{kind}: {found:?}");
    }
    assert!(id(&records["user"][0], "email").contains(&person.words[0]), "{records:?}");
    let orders = ids(&records, "order", "orderId");
    assert!(orders.is_sorted_by(|newer, older| newer > older), "{orders:?}");
    for part in ["shipment", "payment"] {
        assert_eq!(ids(&records, part, "orderId"), orders, "each {part} is that of its order");
    }
    assert_eq!(export(&Client::staff(stack).await, &person).await, records, "staff are told the same");
}

#[tokio::test]
async fn an_export_is_for_its_person_and_staff_and_ends_with_the_account() {
    let stack = shared().await;
    let (person, stranger) = (Person::register(stack).await, Person::register(stack).await);
    let path = format!("{}:export", person.path());
    let refused = async |caller: &Client| {
        let reply = caller.get(&path).await;
        (reply.status, reason(&reply))
    };
    assert_eq!(refused(&stranger.client).await, (404, "NOT_FOUND".to_owned()));
    assert_eq!(refused(&Client::anonymous(stack)).await, (401, "UNAUTHENTICATED".to_owned()));
    let staff = Client::staff(stack).await;
    staff.get("/v1/users/usr_00000000000000000000000000000000:export").await.expect(404);
    let why = doc! { "$set": { "lock_reason": "A stolen card" } };
    let users = stack.db("users").collection::<Document>("users");
    users.update_one(doc! { "_id": &person.user_id }, why).await.expect("root may");
    let told = async |caller: &Client| id(&export(caller, &person).await["user"][0], "lockReason").to_owned();
    assert_eq!(
        [told(&person.client).await, told(&staff).await],
        ["", "A stolen card"],
        "why it is locked is for staff"
    );
    person.delete().await;
    assert_eq!(refused(&staff).await, (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn lists_of_orders_and_baskets_are_narrowed_to_a_user_whom_the_caller_may_see() {
    let stack = shared().await;
    let product = product(stack, 100).await;
    let (person, other) = (known(stack, &product, 1).await, known(stack, &product, 1).await);
    let support = Client::support(stack).await;
    for (list, field) in [("/v1/orders", "orders"), ("/v1/baskets", "baskets")] {
        let of = async |caller: &Client, person: &Person| {
            let path = format!("{list}?userId={}", person.user_id);
            let page = caller.get(&path).await.expect(200);
            let users = page[field].as_array().expect("a list").iter().map(|entry| id(entry, "userId").to_owned());
            users.collect::<Vec<_>>()
        };
        assert_eq!(of(&support, &person).await, [person.user_id.as_str()], "{list}");
        assert_eq!(of(&person.client, &person).await, [person.user_id.as_str()], "{list}");
        assert_eq!(of(&person.client, &other).await, Vec::<String>::new(), "{list}");
    }
}
