//! `comptoir payments reconcile`, as an operator runs it.

use crate::payments::{Payments, eur, sandbox::Sandbox};
use bson::{Document, doc};
use contracts::id::Kind as Id;
use kit::{Client, Stack, StackOptions, binary};
use serde_json::Value;
use std::process::{Output, Stdio};

pub async fn reconcile(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.args(["payments", "reconcile"]).args(arguments).arg("--data").arg(stack.data());
    command.stdin(Stdio::null()).env_remove("COMPTOIR_TOKEN").output().await.expect("the binary runs")
}

pub async fn differences(stack: &Stack, arguments: &[&str]) -> Vec<Value> {
    let output = reconcile(stack, &[&["--json"], arguments].concat()).await;
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let differences = report["differences"].as_array().expect("a list").clone();
    assert_eq!(output.status.code(), Some(i32::from(!differences.is_empty())), "{report}");
    assert_eq!(report["differenceCount"], differences.len());
    differences
}

/// A payment of each end, each token that fails among them.
async fn an_ordinary_day(payments: &Payments) -> String {
    for token in ["tok_visa", "tok_declined", "tok_timeout", "tok_error_after", "tok_action_required", "tok_dispute"] {
        let id = Id::Payment.new_id();
        payments.authorize(&id, token).await.unwrap();
        if matches!(token, "tok_visa" | "tok_dispute") {
            payments.capture(&id).await.unwrap();
        }
    }
    let voided = Id::Payment.new_id();
    payments.authorize(&voided, "tok_visa").await.unwrap();
    payments.cancel(&voided).await.unwrap();
    let refunded = Id::Payment.new_id();
    payments.authorize(&refunded, "tok_visa").await.unwrap();
    payments.capture_part(&refunded, Some(eur(1500).to_wire()), "shp_1").await.unwrap();
    payments.refund(&refunded, Some(eur(333).to_wire()), "rfd_1").await.unwrap();
    refunded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_provider_reports_is_the_ledger_and_what_is_planted_is_named() {
    let stack = Stack::start(StackOptions::default()).await;
    let (payments, sandbox) = (Payments::connect(&stack).await, Sandbox::of(&stack));
    let id = an_ordinary_day(&payments).await;
    assert_eq!(differences(&stack, &[]).await, Vec::<Value>::new());
    assert_eq!(differences(&stack, &["--since", "1h"]).await, Vec::<Value>::new());

    let path = "/v1/payments:reconcile";
    assert_eq!(Client::staff(&stack).await.get(path).await.expect(200)["differenceCount"], "0");
    Client::customer(&stack).await.get(path).await.expect(403);

    let charges = stack.db("sandbox-psp").collection::<Document>("charges");
    let key = format!("{id}/authorize");
    let before = charges.find_one(doc! { "_id": &key }).await.unwrap().unwrap();
    charges.update_one(doc! { "_id": &key }, doc! { "$inc": { "refunded": -33_i64 } }).await.unwrap();
    let found = differences(&stack, &[]).await;
    assert_eq!((found.len(), &found[0]["kind"], &found[0]["paymentId"]), (1, &"AMOUNTS".into(), &id.as_str().into()));
    assert_eq!(
        (&found[0]["ledger"]["refunded"], &found[0]["provider"]["refunded"]),
        (&"3.33 EUR".into(), &"3.00 EUR".into())
    );
    let text = String::from_utf8_lossy(&reconcile(&stack, &[]).await.stdout).into_owned();
    assert!(text.contains("a refund has not reached the payer") && text.contains("3.33 EUR"), "{text}");

    charges.delete_one(doc! { "_id": &key }).await.unwrap();
    let found = differences(&stack, &[]).await;
    assert_eq!((found.len(), &found[0]["kind"]), (1, &"NO_CHARGE".into()));
    charges.insert_one(before).await.unwrap();

    // A payment that cannot be read keeps nothing else from being compared.
    let unreadable = doc! { "$set": { "state": "Nonsense" } };
    payments.database.collection::<Document>("payments").update_one(doc! { "_id": &id }, unreadable).await.unwrap();
    sandbox.open("somebody/authorize", 700, "tok_visa").await.unwrap();
    let found = differences(&stack, &["--since", "10m"]).await;
    assert_eq!((found.len(), &found[0]["kind"], &found[0]["paymentId"]), (1, &"NO_PAYMENT".into(), &"".into()));
    assert_eq!(found[0]["provider"]["authorized"], "7.00 EUR");
    stack.stop().await;
}
