//! `comptoir saga`, as an operator runs it.

use super::operators::{parked_order, set_payment};
use crate::shop::{id, order_with, product};
use kit::{Client, Stack, StackOptions, binary};
use serde_json::Value;
use std::process::{Command, Output, Stdio};

fn saga(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("saga").args(arguments).arg("--data").arg(stack.data());
    command.stdin(Stdio::null()).env_remove("COMPTOIR_TOKEN").output().expect("the binary runs")
}

/// What `comptoir saga` printed.
fn told(stack: &Stack, arguments: &[&str]) -> String {
    let output = saga(stack, arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What it complained about.
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
    let table = told(&stack, &["list", "--state", "parked"]);
    assert!(table.starts_with("ORDER ") && table.lines().count() == 4, "{table}");
    assert!(table.contains(first) && table.contains("PAYMENT_NOT_AUTHORIZED"), "{table}");
    let columns: Vec<Option<usize>> = table.lines().skip(1).map(|line| line.find("PARKED")).collect();
    assert!(columns.iter().all(|column| *column == columns[0] && column.is_some()), "{table}");
    for filter in [["--step", "ship_stock"], ["--error", "$ne"], ["--kind", "place_order"], ["--min-age", "1h"]] {
        assert_eq!(told(&stack, &[&["list", "--state", "parked"], &filter[..]].concat()), "no such sagas\n");
    }
    let all: Value =
        serde_json::from_str(&told(&stack, &["list", "--error", "NOT_AUTHORIZED", "--json"])).expect("JSON");
    assert_eq!(all.as_array().map(Vec::len), Some(3));
    let shown = told(&stack, &["show", first]);
    assert!(shown.contains("capture_payment  ATTEMPTED") && shown.contains("comptoir saga resume"), "{shown}");
    assert!(refused(&stack, &["show", "ord_absent"]).contains("comptoir saga list"));
    assert!(refused(&stack, &["resume", "--reason", "x"]).contains("name orders, or a filter"));
    assert!(refused(&stack, &["resume", first]).contains("--reason"));
    assert!(refused(&stack, &["compensate", first, "--reason", "x"]).contains("passed its pivot"));

    let parked = ["--state", "parked", "--reason", "the provider is back"];
    let planned = told(&stack, &[&["resume", "--dry-run", "--max", "2"], &parked[..]].concat());
    assert!(planned.ends_with("2 would be resumed, 0 refused; more match: repeat, or raise --max\n"), "{planned}");
    assert_eq!(told(&stack, &["list", "--state", "parked"]).lines().count(), 4, "a dry run does nothing");
    let skip = [&["skip"], &parked[..]].concat();
    assert!(refused(&stack, &skip).contains("--acknowledge-effect"));
    let skipped = told(&stack, &[&["skip", "--acknowledge-effect", "--max", "1"], &parked[..]].concat());
    assert!(
        skipped.contains(id(&orders[2], "orderId")) && skipped.contains("1 skipped a step, 0 refused"),
        "{skipped}"
    );
    let sent = order_with(&customer, &orders[2], "state", "SHIPPED").await;
    assert_eq!(sent["paymentState"], "AUTHORIZED", "its money must be claimed by hand");
    for order in &orders[..2] {
        set_payment(&stack, order, "Authorized").await;
    }
    let resumed = told(&stack, &[&["resume"], &parked[..]].concat());
    assert!(resumed.ends_with("2 resumed, 0 refused\n"), "{resumed}");
    for order in &orders[..2] {
        order_with(&customer, order, "paymentState", "CAPTURED").await;
    }
    assert_eq!(told(&stack, &["list", "--state", "parked"]), "no such sagas\n");
    stack.stop().await;
}
