//! Webhooks at the payments service: before, after and without the reply, twice, unknown, forged and old.

use super::{Payments, event_names, kinds, sandbox::Sandbox};
use anyhow::{Context, ensure};
use bson::{Document, doc};
use contracts::{
    id::Kind as Id,
    payments::v1::{Payment as Reply, ledger_entry::Kind, payment::State},
};
use kit::{Stack, eventually, shared};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const TIMEOUT: Duration = Duration::from_secs(20);

pub fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// An event as the sandbox would send it.
pub fn event(payment: &str, kind: &str) -> Value {
    json!({
        "id": format!("evt_{:032x}", rand::random::<u128>()),
        "type": format!("charge.{kind}"),
        "created": seconds(),
        "operation": { "key": format!("{payment}/authorize"), "kind": kind, "amount": 1999, "at": 0 },
        "charge": {
            "id": "sbx_forged", "key": format!("{payment}/authorize"), "status": "authorized", "reason": "",
            "currency": "EUR", "amount": 1999, "captured": 0, "voided": 0, "refunded": 0, "chargedBack": 0,
            "endsAt": null,
        },
    })
}

pub async fn send(stack: &Stack, event: &Value, signature: Option<String>) -> (u16, String) {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(&stack.state().webhook_url).body(event.to_string());
    let request = signature.into_iter().fold(request, |request, header| request.header("webhook-signature", header));
    let reply = request.send().await.expect("payments takes webhooks");
    let status = reply.status().as_u16();
    let body: Value = reply.json().await.expect("JSON");
    (status, body["code"].as_str().unwrap_or_default().to_owned())
}

pub fn signed(stack: &Stack, event: &Value, at: i64) -> Option<String> {
    Some(rpc::signature::sign(&stack.state().webhook_secret, at, event.to_string().as_bytes()))
}

/// What the inbox has of the events about a payment: their fates.
pub async fn fates(payments: &Payments, id: &str) -> Vec<String> {
    let inbox = payments.database.collection::<Document>("webhook_inbox");
    let mut found = inbox.find(doc! { "charge_key": format!("{id}/authorize") }).await.unwrap();
    let mut fates = Vec::new();
    while found.advance().await.unwrap() {
        let event = found.deserialize_current().unwrap();
        let fate = event.get_str("fate").unwrap();
        assert_eq!(event.contains_key("raw"), fate == "waits", "the content is kept while it waits: {event}");
        fates.push(fate.to_owned());
    }
    fates
}

pub async fn in_state(payments: &Payments, id: &str, state: State) -> Reply {
    eventually(TIMEOUT, || async {
        let payment = payments.get(id).await?;
        ensure!(payment.state() == state, "state is {:?}", payment.state());
        Ok(payment)
    })
    .await
}

/// Waits until payments has taken every webhook of the charge, and waits with none of them.
pub async fn heard(stack: &Stack, payments: &Payments, id: &str) {
    let charges = stack.db("sandbox-psp").collection::<Document>("charges");
    eventually(TIMEOUT, || async {
        let charge = charges.find_one(doc! { "_id": format!("{id}/authorize") }).await?.context("no charge")?;
        let undelivered = charge.get_array("hooks")?.len();
        let fates = fates(payments, id).await;
        ensure!(undelivered == 0 && fates.iter().all(|fate| fate == "heard"), "{undelivered} to come, {fates:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_webhook_before_after_or_twice_with_the_reply_counts_once() {
    let stack = shared().await;
    let payments = Payments::connect(stack).await;
    for token in ["tok_webhook_first", "tok_visa", "tok_webhook_twice", "tok_slow"] {
        let id = Id::Payment.new_id();
        assert_eq!(payments.authorize(&id, token).await.unwrap().state(), State::Authorized, "{token}");
        heard(stack, &payments, &id).await;
        let payment = payments.get(&id).await.unwrap();
        assert_eq!((payment.state(), kinds(&payment)), (State::Authorized, vec![Kind::Authorization]), "{token}");
        assert_eq!(event_names(&payments.database, &id, 2).await, ["authorizing", "authorized"], "{token}");
        assert!(fates(&payments, &id).await.len() <= 1, "an event is kept once");
    }
}

#[tokio::test]
async fn a_webhook_without_a_reply_ends_an_unknown_payment() {
    let stack = shared().await;
    let payments = Payments::connect(stack).await;
    for token in ["tok_timeout", "tok_error_after"] {
        let id = Id::Payment.new_id();
        assert_eq!(payments.authorize(&id, token).await.unwrap().state(), State::Unknown, "{token}");
        let payment = in_state(&payments, &id, State::Authorized).await;
        assert_eq!(kinds(&payment), [Kind::Authorization]);
        heard(stack, &payments, &id).await;
    }
}

#[tokio::test]
async fn webhooks_that_come_late_or_in_another_order_change_nothing_that_is_known() {
    let stack = shared().await;
    let payments = Payments::connect(stack).await;
    for token in ["tok_webhook_reordered", "tok_webhook_late"] {
        let id = Id::Payment.new_id();
        payments.authorize(&id, token).await.unwrap();
        payments.capture(&id).await.unwrap();
        assert_eq!(payments.cancel(&id).await.unwrap().state(), State::Refunded);
        heard(stack, &payments, &id).await;
        let payment = payments.get(&id).await.unwrap();
        assert_eq!(kinds(&payment), [Kind::Authorization, Kind::Capture, Kind::Refund], "{token}");
    }
}

#[tokio::test]
async fn a_webhook_for_an_unknown_payment_is_kept_and_heard_when_the_payment_is_there() {
    let stack = shared().await;
    let (payments, id) = (Payments::connect(stack).await, Id::Payment.new_id());
    let event = event(&id, "authorized");
    for _ in 0..2 {
        assert_eq!(send(stack, &event, signed(stack, &event, seconds())).await, (200, "TAKEN".into()));
    }
    assert_eq!(fates(&payments, &id).await, ["waits"], "kept once");
    assert_eq!(payments.authorize(&id, "tok_declined").await.unwrap().state(), State::Declined);
    heard(stack, &payments, &id).await;
    assert_eq!(payments.get(&id).await.unwrap().state(), State::Declined, "what is known stays");
}

#[tokio::test]
async fn a_webhook_with_a_bad_signature_or_an_old_timestamp_changes_nothing() {
    let stack = shared().await;
    let (payments, id) = (Payments::connect(stack).await, Id::Payment.new_id());
    payments.authorize(&id, "tok_action_required").await.unwrap();
    heard(stack, &payments, &id).await;
    let kept = fates(&payments, &id).await;
    let event = event(&id, "authorized");
    let forged = rpc::signature::sign("another secret", seconds(), event.to_string().as_bytes());
    let other_body = signed(stack, &json!({}), seconds());
    let cases = [
        (None, "SIGNATURE_MALFORMED"),
        (Some("v1=00".to_owned()), "SIGNATURE_MALFORMED"),
        (Some(forged), "SIGNATURE_MISMATCH"),
        (other_body, "SIGNATURE_MISMATCH"),
        (signed(stack, &event, seconds() - 301), "SIGNATURE_OLD"),
        (signed(stack, &event, seconds() + 301), "SIGNATURE_OLD"),
    ];
    for (signature, code) in cases {
        assert_eq!(send(stack, &event, signature).await, (400, code.into()));
    }
    let nonsense = json!({ "hello": "there" });
    let signature = signed(stack, &nonsense, seconds());
    assert_eq!(send(stack, &nonsense, signature).await, (400, "EVENT_MALFORMED".into()));
    assert_eq!(payments.get(&id).await.unwrap().state(), State::ActionRequired);
    assert_eq!(fates(&payments, &id).await, kept, "nothing that is refused is kept");
}

#[tokio::test]
async fn an_authorization_and_a_payers_action_run_out() {
    let payments = Payments::connect(shared().await).await;
    let (authorized, waiting) = (Id::Payment.new_id(), Id::Payment.new_id());
    payments.authorize(&authorized, "tok_expires").await.unwrap();
    payments.authorize(&waiting, "tok_action_expires").await.unwrap();
    let expired = in_state(&payments, &authorized, State::Voided).await;
    assert_eq!(kinds(&expired), [Kind::Authorization, Kind::Void]);
    let declined = in_state(&payments, &waiting, State::Declined).await;
    assert_eq!(declined.decline_reason, "ACTION_EXPIRED");
    assert_eq!(payments.cancel(&authorized).await.unwrap().state(), State::Voided);
}

#[tokio::test]
async fn an_approval_at_the_providers_own_page_is_heard() {
    let stack = shared().await;
    let (payments, sandbox, id) = (Payments::connect(stack).await, Sandbox::of(stack), Id::Payment.new_id());
    payments.authorize(&id, "tok_action_required").await.unwrap();
    let charge = sandbox.find(&format!("{id}/authorize")).await.1;
    sandbox.operate(charge["id"].as_str().unwrap(), "actions", "page-1", json!({ "approve": true })).await;
    let payment = in_state(&payments, &id, State::Authorized).await;
    assert_eq!(kinds(&payment), [Kind::Authorization]);
}

#[tokio::test]
async fn a_charge_back_freezes_the_payment_and_tells_of_it() {
    let payments = Payments::connect(shared().await).await;
    let id = Id::Payment.new_id();
    payments.authorize(&id, "tok_dispute").await.unwrap();
    payments.capture(&id).await.unwrap();
    eventually(TIMEOUT, || async {
        let payment = payments.get(&id).await?;
        ensure!(payment.frozen_reason == "CHARGED_BACK", "not frozen: {payment:?}");
        Ok(())
    })
    .await;
    let refused = super::refused(payments.cancel(&id).await);
    assert_eq!(refused.1, "PAYMENT_FROZEN");
    let names = event_names(&payments.database, &id, 4).await;
    assert_eq!(names, ["authorizing", "authorized", "captured", "charged_back"]);
}
