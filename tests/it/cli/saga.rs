//! `comptoir saga`, as an operator runs it.

use crate::orders::sagas::operators::{parked_order, set_payment};
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use kit::shop::{id, order_with, product};
use kit::{Client, Stack, StackOptions, binary};
use mongodb::Collection;
use serde_json::{Value, json};
use std::process::{Command, Output, Stdio};

fn saga(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("saga").args(arguments).arg("--data").arg(stack.data());
    command.stdin(Stdio::null()).env_remove("COMPTOIR_TOKEN").output().expect("the binary runs")
}

/// What `comptoir saga` printed.
fn printed(stack: &Stack, arguments: &[&str]) -> String {
    let output = saga(stack, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The error output of `comptoir saga`, which must fail.
fn refused(stack: &Stack, arguments: &[&str]) -> String {
    let output = saga(stack, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded: {output:?}");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comptoir_saga_lists_shows_and_repairs_many_sagas_up_to_a_bound() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let (customer, _) = Client::register(&stack).await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(parked_order(&stack, &customer, &product).await);
    }
    let first = id(&orders[0], "orderId");
    let table = printed(&stack, &["list", "--state", "parked"]);
    assert!(table.starts_with("ORDER ") && table.lines().count() == 4, "{table}");
    assert!(table.contains(first) && table.contains("PAYMENT_NOT_AUTHORIZED"), "{table}");
    let columns: Vec<Option<usize>> = table.lines().skip(1).map(|line| line.find("PARKED")).collect();
    assert!(columns.iter().all(|column| *column == columns[0] && column.is_some()), "{table}");
    for filter in [["--step", "ship_stock"], ["--error", "$ne"], ["--kind", "place_order"], ["--min-age", "1h"]] {
        assert_eq!(printed(&stack, &[&["list", "--state", "parked"], &filter[..]].concat()), "no such sagas\n");
    }
    let all: Value =
        serde_json::from_str(&printed(&stack, &["list", "--error", "NOT_AUTHORIZED", "--json"])).expect("JSON");
    assert_eq!(all.as_array().map(Vec::len), Some(3));
    let shown = printed(&stack, &["show", first]);
    assert!(shown.contains("capture_payment  ATTEMPTED") && shown.contains("comptoir saga resume"), "{shown}");
    assert!(refused(&stack, &["show", "ord_absent"]).contains("comptoir saga list"));
    assert!(refused(&stack, &["resume", "--reason", "x"]).contains("name orders, or a filter"));
    assert!(refused(&stack, &["resume", first]).contains("--reason"));
    assert!(refused(&stack, &["compensate", first, "--reason", "x"]).contains("passed its pivot"));

    let parked = ["--state", "parked", "--reason", "the provider is back"];
    let planned = printed(&stack, &[&["resume", "--dry-run", "--max", "2"], &parked[..]].concat());
    assert!(planned.ends_with("2 would be resumed, 0 refused; more match: repeat, or raise --max\n"), "{planned}");
    assert_eq!(printed(&stack, &["list", "--state", "parked"]).lines().count(), 4, "a dry run does nothing");
    let skip = [&["skip"], &parked[..]].concat();
    assert!(refused(&stack, &skip).contains("--acknowledge-effect"));
    let skipped = printed(&stack, &[&["skip", "--acknowledge-effect", "--max", "1"], &parked[..]].concat());
    assert!(
        skipped.contains(id(&orders[2], "orderId")) && skipped.contains("1 skipped a step, 0 refused"),
        "{skipped}"
    );
    let sent = order_with(&customer, &orders[2], "state", "SHIPPED").await;
    assert_eq!(sent["paymentState"], "AUTHORIZED", "its money must be claimed by hand");
    for order in &orders[..2] {
        set_payment(&stack, order, "Authorized").await;
    }
    let resumed = printed(&stack, &[&["resume"], &parked[..]].concat());
    assert!(resumed.ends_with("2 resumed, 0 refused\n"), "{resumed}");
    for order in &orders[..2] {
        order_with(&customer, order, "paymentState", "CAPTURED").await;
    }
    assert_eq!(printed(&stack, &["list", "--state", "parked"]), "no such sagas\n");
    stack.stop().await;
}

/// Fills the outbox of an order, so that the store refuses each change that has an event; what it was before.
async fn fill_outbox(orders: &Collection<Document>, order: &Value) -> Bson {
    let one = doc! { "_id": id(order, "orderId") };
    let found = orders.find_one(one.clone()).await.expect("mongod answers").expect("it is there");
    let data = Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: Vec::new() });
    let waiting: Vec<Document> = (0..64).map(|place| doc! { "seq": 1_000_000_i64 + place, "data": &data }).collect();
    orders.update_one(one, doc! { "$set": { "outbox": waiting } }).await.expect("mongod answers");
    found.get("outbox").cloned().expect("an outbox")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intervention_reports_the_order_that_cannot_be_written_and_reaches_the_others() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let (customer, _) = Client::register(&stack).await;
    let mut orders = Vec::new();
    for _ in 0..4 {
        orders.push(parked_order(&stack, &customer, &product).await);
    }
    let [oldest, full, third, newest] = [0, 1, 2, 3].map(|place| id(&orders[place], "orderId"));
    for order in &orders {
        set_payment(&stack, order, "Authorized").await;
    }
    let collection = stack.db("orders").collection::<Document>("orders");
    let before = fill_outbox(&collection, &orders[1]).await;

    let named = ["resume", full, newest, "--reason", "the provider is back"];
    let output = refused(&stack, &named);
    assert!(output.contains("1 resumed, 0 refused, 1 failed\n"), "{output}");
    assert!(output.contains(&format!("{full}  failed: EVENT_BACKLOG: ")), "{output}");
    assert!(output.contains("1 of 2 sagas could not be reached"), "{output}");
    let filtered = saga(&stack, &["resume", "--state", "parked", "--reason", "the provider is back", "--json"]);
    assert!(!filtered.status.success(), "{filtered:?}");
    let report: Value = serde_json::from_slice(&filtered.stdout).expect("JSON");
    assert_eq!(report["orderIds"], json!([third, oldest]), "newest first, and the one between them has failed");
    assert_eq!(
        (&report["failed"][0]["orderId"], &report["failed"][0]["reason"]),
        (&json!(full), &json!("EVENT_BACKLOG"))
    );
    assert_eq!((&report["failed"].as_array().map(Vec::len), &report["refused"]), (&Some(1), &json!([])));
    for order in [&orders[0], &orders[2], &orders[3]] {
        order_with(&customer, order, "paymentState", "CAPTURED").await;
    }

    let emptied = doc! { "$set": { "outbox": before } };
    collection.update_one(doc! { "_id": full }, emptied).await.expect("mongod answers");
    let resumed = printed(&stack, &["resume", "--state", "parked", "--reason", "the provider is back"]);
    assert!(resumed.ends_with("1 resumed, 0 refused\n"), "{resumed}");
    order_with(&customer, &orders[1], "paymentState", "CAPTURED").await;
    stack.stop().await;
}
