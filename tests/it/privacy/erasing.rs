//! From the deletion of an account to its completed erasure.

use super::{Person, erasure_in, events_of};
use kit::shop::{TIMEOUT, fields, id, order_with, product, reason};
use kit::{Client, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};

/// What a receipt says: its service, and how much it has erased and kept.
fn receipts(erasure: &Value) -> Vec<(&str, &str, &str)> {
    let receipts = erasure["receipts"].as_array().expect("a list");
    let of = |receipt| (id(receipt, "service"), id(receipt, "erasedCount"), id(receipt, "remainingCount"));
    receipts.iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_account_is_erased_by_each_service_which_gives_its_receipt() {
    let stack = Stack::start(StackOptions::default()).await;
    let (product, person) = (product(&stack, 10).await, Person::register(&stack).await);
    let order = person.order(&product).await;
    let path = format!("/v1/orders/{}", id(&order, "orderId"));
    person.client.post(&format!("{path}:cancel"), json!({ "reason": "changed my mind" })).await.expect(200);
    order_with(&person.client, &order, "state", "CANCELLED").await;
    let mails = format!("/v1/emails?userId={}&state=SENT", person.user_id);
    let staff = Client::staff(&stack).await;
    eventually(TIMEOUT, || async {
        let found = staff.get(&mails).await.expect(200)["emails"].as_array().map_or(0, Vec::len);
        anyhow::ensure!(found == 2, "{found} mails were sent");
        Ok(())
    })
    .await;
    let known = person.traces(&stack).await;
    assert_eq!(known, ["email/emails", "orders/orders", "shipping/shipments", "users/users"], "before the deletion");

    person.delete().await;
    let erasure = erasure_in(&stack, &person.user_id, "COMPLETED").await;
    let told = receipts(&erasure);
    let services: Vec<&str> = told.iter().map(|receipt| receipt.0).collect();
    assert_eq!(services, privacy::participants().collect::<Vec<_>>());
    assert!(told.iter().all(|receipt| receipt.2 == "0"), "{erasure}");
    let erased: Vec<_> = told.iter().filter(|receipt| receipt.1 != "0").map(|receipt| (receipt.0, receipt.1)).collect();
    assert_eq!(erased, [("email", "2"), ("orders", "1"), ("shipping", "1")], "{erasure}");
    assert_eq!((&erasure["passCount"], &erasure["failingService"]), (&json!(2), &json!("")), "{erasure}");
    assert!(erasure["completeTime"].is_string() && erasure["nextPassTime"].is_null(), "{erasure}");
    assert_eq!(person.traces(&stack).await, Vec::<String>::new());
    let kept = staff.get(&path).await.expect(200);
    assert_eq!((&kept["total"], &kept["items"]), (&order["total"], &order["items"]), "what was sold stays");
    assert_eq!(events_of(&stack, &person.user_id, 2).await, ["started", "completed"]);
    crate::cli::verify::is_clean(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_under_way_keeps_an_erasure_waiting_until_it_is_delivered() {
    let stack = Stack::start(StackOptions::default()).await;
    let (product, person) = (product(&stack, 10).await, Person::register(&stack).await);
    let (staff, order) = (Client::staff(&stack).await, person.order(&product).await);
    let (path, shipment) = (format!("/v1/orders/{}", id(&order, "orderId")), id(&order, "shipmentId"));
    person.delete().await;
    let waiting = eventually(TIMEOUT, || async {
        let erasure = erasure_in(&stack, &person.user_id, "WAITING").await;
        anyhow::ensure!(erasure["passCount"].as_i64() >= Some(3), "{erasure}");
        Ok(erasure)
    })
    .await;
    let keep: Vec<_> = receipts(&waiting).into_iter().filter(|receipt| receipt.2 != "0").map(|kept| kept.0).collect();
    assert_eq!(keep, ["orders", "shipping"], "{waiting}");
    assert_eq!(waiting["failingService"], "", "to wait is no failure: {waiting}");
    assert!(waiting["nextPassTime"].is_string() && waiting["completeTime"].is_null(), "{waiting}");
    let found = staff.get(&path).await.expect(200);
    assert_eq!((id(&found["shippingAddress"], "name"), id(&found["userSnapshot"], "name")), (&*person.words[1], ""));
    crate::cli::verify::is_clean(&stack).await;

    for verb in ["dispatch", "deliver"] {
        staff.post(&format!("/v1/shipments/{shipment}:{verb}"), json!({})).await.expect(200);
    }
    let erasure = erasure_in(&stack, &person.user_id, "COMPLETED").await;
    assert!(receipts(&erasure).iter().all(|receipt| receipt.2 == "0"), "{erasure}");
    let found = staff.get(&path).await.expect(200);
    assert_eq!((id(&found["shippingAddress"], "name"), &found["state"]), ("", &json!("DELIVERED")));
    assert_eq!(id(&found["shippingAddress"], "countryCode"), "FR", "taxes follow from it");
    assert_eq!(person.traces(&stack).await, Vec::<String>::new());
    stack.stop().await;
}

#[tokio::test]
async fn erasures_are_listed_by_state_and_there_is_none_of_an_account_that_lives() {
    let stack = shared().await;
    let (staff, support) = (Client::staff(stack).await, Client::support(stack).await);
    let people = [Person::register(stack).await, Person::register(stack).await, Person::register(stack).await];
    for person in &people[..2] {
        person.delete().await;
        erasure_in(stack, &person.user_id, "COMPLETED").await;
    }
    let living = support.get(&format!("/v1/erasures/{}", people[2].user_id)).await;
    assert_eq!((living.status, &*reason(&living)), (404, "NOT_FOUND"));
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/erasures?state=COMPLETED&pageSize=1&pageToken={token}");
        let page = staff.get(&path).await.expect(200);
        let [erasure] = &page["erasures"].as_array().expect("a list")[..] else { panic!("one of a page: {page}") };
        assert_eq!(erasure["state"], "COMPLETED", "{erasure}");
        found.push(id(erasure, "userId").to_owned());
        token = id(&page, "nextPageToken").to_owned();
        if people.iter().all(|person| found.contains(&person.user_id) || person.user_id == people[2].user_id) {
            break;
        }
    }
    assert!(found.is_sorted_by(|newer, older| newer > older), "the newest account first: {found:?}");
    let other = staff.get(&format!("/v1/erasures?pageToken={token}")).await;
    let is_last = token.is_empty();
    assert!(
        is_last || (other.status, fields(&other)) == (400, vec!["pageToken".to_owned()]),
        "of its filter: {other:?}"
    );
    let waiting = staff.get("/v1/erasures?state=WAITING&pageSize=200").await.expect(200);
    assert!(!waiting.to_string().contains(&people[0].user_id), "{waiting}");
    support.get("/v1/erasures").await.expect(403);
}
