//! The inbox of webhooks, and the resolver: what is bad holds up nothing behind it, and nothing is kept without a bound.

use super::{
    Payments, kinds,
    webhooks::{event, fates, in_state, seconds, send, signed},
};
use anyhow::ensure;
use bson::{Binary, Document, doc, spec::BinarySubtype};
use contracts::{
    id::Kind as Id,
    payments::v1::{ledger_entry::Kind, payment::State},
};
use futures::{StreamExt, stream};
use kit::{Client, Stack, StackOptions, binary, eventually};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use store::Time;

/// How soon what can be done is done, whatever else waits; on a loaded machine.
const SOON: Duration = Duration::from_secs(20);

const HOUR_MS: i64 = 3_600_000;

/// More than one look takes.
const CROWD: usize = 300;

async fn deliver(stack: &Stack, event: &Value) {
    assert_eq!(send(stack, event, signed(stack, event, seconds())).await, (200, "TAKEN".to_owned()));
}

/// Webhooks for charges of somebody else in the same account.
async fn foreign(stack: &Stack, count: usize) {
    let events = (0..count).map(|_| event(&Id::Payment.new_id(), "authorized"));
    stream::iter(events).for_each_concurrent(16, async |event| deliver(stack, &event).await).await;
}

/// News of a capture at the provider's own page.
fn captured(payment: &str) -> Value {
    let mut told = event(payment, "captured");
    told["operation"]["key"] = json!("page/capture");
    told
}

/// A webhook as it waits in the database.
fn waiting(name: &str, age_ms: i64, bytes: i64) -> Document {
    let received_at = Time::from_millis(Time::now().timestamp_millis() - age_ms);
    doc! {
        "_id": format!("sandbox/{name}"), "rev": 1_i64, "provider": "sandbox", "event_id": name, "charge_key": "other/authorize",
        "raw": Binary { subtype: BinarySubtype::Generic, bytes: b"not an event".to_vec() }, "bytes": bytes,
        "fate": "waits", "received_at": received_at,
    }
}

async fn webhooks(stack: &Stack, query: &str) -> Value {
    Client::staff(stack).await.get(&format!("/v1/payments:webhooks{query}")).await.expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_webhooks_out_of_order_are_applied_soon_whatever_waits_before_them() {
    let stack = Stack::start(StackOptions::default()).await;
    let payments = Payments::connect(&stack).await;
    let inbox = payments.database.collection::<Document>("webhook_inbox");
    let (id, stuck) = (Id::Payment.new_id(), Id::Payment.new_id());
    payments.authorize(&id, "tok_action_required").await.unwrap();
    payments.authorize(&stuck, "tok_declined").await.unwrap();
    foreign(&stack, CROWD).await;
    // As an earlier release kept them, not understood any more; and own ones that can never be applied.
    let unreadable = (0..CROWD).map(|number| waiting(&format!("unreadable-{number}"), HOUR_MS, 12));
    inbox.insert_many(unreadable).await.unwrap();
    let refused: Vec<Value> = (0..20).map(|_| captured(&stuck)).collect();
    stream::iter(refused).for_each_concurrent(8, async |event| deliver(&stack, &event).await).await;

    deliver(&stack, &captured(&id)).await;
    assert!(fates(&payments, &id).await.contains(&"waits".to_owned()), "nothing is set aside yet: it waits");
    deliver(&stack, &event(&id, "authorized")).await;
    let payment = in_state(&payments, &id, State::Captured).await;
    assert_eq!(kinds(&payment), [Kind::Authorization, Kind::Capture]);

    // A webhook that came before its payment is heard once the payment is there.
    let late = Id::Payment.new_id();
    deliver(&stack, &event(&late, "authorized")).await;
    payments.authorize(&late, "tok_visa").await.unwrap();
    eventually(SOON, || async {
        let fates = fates(&payments, &late).await;
        ensure!(fates == ["heard"], "{fates:?}");
        Ok(())
    })
    .await;
    let listed = webhooks(&stack, "?state=WAITING&pageSize=10").await;
    assert_eq!(listed["webhooks"].as_array().map(Vec::len), Some(10), "{listed}");
    assert_eq!(listed["waitingCount"], (2 * CROWD + 20).to_string(), "{listed}");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_that_are_too_old_or_too_many_expire_and_are_heard_when_sent_again() {
    let stack = Stack::start(StackOptions::default()).await;
    let payments = Payments::connect(&stack).await;
    let inbox = payments.database.collection::<Document>("webhook_inbox");
    let megabytes = |count: i64| count << 20;
    inbox
        .insert_many([
            waiting("old", 25 * HOUR_MS, 12),
            waiting("large-1", 3 * HOUR_MS, megabytes(40)),
            waiting("large-2", 2 * HOUR_MS, megabytes(30)),
            waiting("young", HOUR_MS, megabytes(2)),
        ])
        .await
        .unwrap();
    let listed = eventually(Duration::from_secs(60), || async {
        let listed = webhooks(&stack, "").await;
        ensure!(listed["webhooks"].as_array().is_some_and(|webhooks| webhooks.len() == 2), "{listed}");
        Ok(listed)
    })
    .await;
    let told = |index: usize| ["eventId", "state", "reason"].map(|field| listed["webhooks"][index][field].clone());
    assert_eq!(
        (told(0), told(1)),
        (["large-1", "EXPIRED", "SPACE"].map(Value::from), ["old", "EXPIRED", "AGE"].map(Value::from))
    );
    assert_eq!((&listed["waitingCount"], &listed["waitingBytes"]), (&json!("2"), &json!(megabytes(32).to_string())));
    let raw = doc! { "fate": "given_up", "raw": { "$exists": true } };
    assert_eq!(inbox.count_documents(raw).await.unwrap(), 0, "what expires takes no room");

    let mut command = tokio::process::Command::new(binary());
    command
        .args(["payments", "webhooks", "--data"])
        .arg(stack.data())
        .stdin(Stdio::null())
        .env_remove("COMPTOIR_TOKEN");
    let text = String::from_utf8(command.output().await.unwrap().stdout).unwrap();
    assert!(text.contains("sandbox/old") && text.contains("EXPIRED AGE") && text.contains("2 wait"), "{text}");
    Client::customer(&stack).await.get("/v1/payments:webhooks").await.expect(403);

    // The provider sends again what had expired.
    let id = Id::Payment.new_id();
    payments.authorize(&id, "tok_action_required").await.unwrap();
    let mut again = event(&id, "authorized");
    again["id"] = json!("large-1");
    deliver(&stack, &again).await;
    in_state(&payments, &id, State::Authorized).await;
    let fate = inbox.find_one(doc! { "_id": "sandbox/large-1" }).await.unwrap().unwrap();
    assert_eq!((fate.get_str("fate").ok(), fate.get("expiry")), (Some("heard"), None));
    // What tells nothing new is not kept, and still no longer listed.
    for event_id in ["old", "never kept"] {
        again["id"] = json!(event_id);
        deliver(&stack, &again).await;
    }
    eventually(Duration::from_secs(20), || async {
        let listed = webhooks(&stack, "").await;
        let expired = listed["webhooks"].as_array().into_iter().flatten().any(|event| event["state"] == "EXPIRED");
        ensure!(!expired, "{listed}");
        Ok(())
    })
    .await;
    assert_eq!(inbox.count_documents(doc! { "_id": "sandbox/never kept" }).await.unwrap(), 0);
    stack.stop().await;
}

/// A payment whose question cannot be recorded, as only a fault could leave it; or one that cannot even be read.
fn bad_payment(model: &Document, field: &str, state: &str) -> Document {
    let mut bad = model.clone();
    bad.insert("_id", Id::Payment.new_id());
    bad.insert("state", state);
    bad.insert("token", bson::Bson::Null);
    let due = Time::from_millis(Time::now().timestamp_millis() - HOUR_MS);
    if field == "check_at" {
        bad.insert("intent", bson::Bson::Null);
        bad.insert("check_at", due);
    } else if let Ok(intent) = bad.get_document_mut("intent") {
        intent.insert("ask_at", due);
    }
    bad
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payments_that_cannot_be_read_or_recorded_hold_up_no_other() {
    let stack = Stack::start(StackOptions::default()).await;
    let payments = Payments::connect(&stack).await;
    let collection = payments.database.collection::<Document>("payments");
    let id = Id::Payment.new_id();
    payments.authorize(&id, "tok_action_required").await.unwrap();
    let mut model = collection.find_one(doc! { "_id": &id }).await.unwrap().unwrap();
    let asked = model.get_document("asked").unwrap().get_document("amount").unwrap().clone();
    let key = format!("{id}/authorize");
    let intent = doc! { "operation": "Authorize", "key": key, "amount": asked, "attempts": 0, "ask_at": Time::now() };
    model.insert("intent", intent);
    for (field, state) in
        [("ask_at", "Captured"), ("ask_at", "Nonsense"), ("check_at", "Voided"), ("check_at", "Nonsense")]
    {
        collection.insert_many((0..80).map(|_| bad_payment(&model, field, state))).await.unwrap();
    }
    let (unknown, ended) = (Id::Payment.new_id(), Id::Payment.new_id());
    payments.authorize(&unknown, "tok_timeout_before").await.unwrap();
    payments.authorize(&ended, "tok_expires").await.unwrap();
    in_state(&payments, &unknown, State::Authorized).await;
    in_state(&payments, &ended, State::Voided).await;
    stack.stop().await;
}
