//! `comptoir verify`, as an operator runs it: silent on a system at work, and it names what is wrong.

mod auditor;
mod corruptions;

use crate::baskets::ordered;
use crate::orders::coupons::coupon;
use crate::webhooks::an_endpoint;
use kit::shop::{TIMEOUT, id, place, product, product_with};
use kit::{Client, Stack, StackOptions, binary, eventually};
use serde_json::{Value, json};
use std::{
    process::{Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

const CUSTOMERS: usize = 4;

/// Looks while the system is at work.
const LOOKS: usize = 4;

/// `comptoir verify` finds nothing.
pub(crate) async fn is_clean(stack: &Stack) {
    let output = verify(stack, &[]).await;
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Runs `comptoir verify` on a stack.
pub(crate) async fn verify(stack: &Stack, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.arg("verify").args(arguments).arg("--data").arg(stack.data()).stdin(Stdio::null()).kill_on_drop(true);
    command.output().await.expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A group of products, and the variant that it has.
async fn variant(stack: &Stack) -> (String, String) {
    let staff = Client::staff(stack).await;
    let made = staff.post("/v1/product-groups", json!({ "name": "Shirt", "variesBy": ["Colour"] })).await.expect(201);
    let group = id(&made, "groupId").to_owned();
    let price = json!({ "currencyCode": "EUR", "units": "5" });
    let options = json!([{ "name": "Colour", "value": "Red" }]);
    let fields = json!({ "price": price, "groupId": group, "options": options });
    let variant = product_with(stack, 0, fields).await;
    (group, variant)
}

/// Places orders of every kind, cancels and dispatches some, until told otherwise.
async fn keep_busy(stack: Arc<Stack>, product: String, enough: Arc<AtomicBool>, placed: Arc<AtomicUsize>) {
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let tokens = ["tok_visa", "tok_declined", "tok_visa", "tok_timeout"];
    for (number, token) in tokens.into_iter().cycle().enumerate() {
        if enough.load(Ordering::Relaxed) {
            return;
        }
        let order = place(&customer, &[(&product, 1)], token).await;
        placed.fetch_add(1, Ordering::Relaxed);
        match number % 4 {
            0 => {
                let path = format!("/v1/orders/{}:cancel", id(&order, "orderId"));
                customer.post(&path, json!({ "reason": "changed my mind" })).await;
            }
            2 => {
                let path = format!("/v1/shipments/{}:dispatch", order["shipmentId"].as_str().unwrap_or_default());
                staff.post(&path, json!({})).await;
            }
            _ => {}
        }
    }
}

/// How many invariants there are; a new one is looked at by the tests below too.
const INVARIANTS: usize = 23;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_at_work_has_no_violations() {
    let stack = Arc::new(Stack::start(StackOptions::default()).await);
    let product = product(&stack, 1_000_000).await;
    coupon(&stack, json!({ "percentage": "10" })).await;
    an_endpoint(&stack).await;
    variant(&stack).await;
    ordered(&Client::register(&stack).await.0, &[(&product, 1)]).await;
    let (enough, placed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let busy = (0..CUSTOMERS)
        .map(|_| tokio::spawn(keep_busy(stack.clone(), product.clone(), enough.clone(), placed.clone())))
        .collect::<Vec<_>>();
    for look in 0..LOOKS {
        let before = placed.load(Ordering::Relaxed);
        eventually(TIMEOUT, || async {
            anyhow::ensure!(placed.load(Ordering::Relaxed) > before, "no order was placed before look {look}");
            Ok(())
        })
        .await;
        let output = verify(&stack, &["--json"]).await;
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(report["violations"], 0);
    }
    enough.store(true, Ordering::Relaxed);
    for customer in busy {
        customer.await.expect("a customer does not panic");
    }
    let output = verify(&stack, &[]).await;
    let table = text(&output.stdout);
    assert!(output.status.success(), "{table}");
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert!(cells.len() == 3 && cells[1] != "0" && cells[2] == "0", "{table}");
    }
    assert_eq!(table.lines().count(), 1 + INVARIANTS, "a heading and each invariant: {table}");
    stack.stop().await;
}

#[tokio::test]
async fn a_system_that_is_not_there_is_said_so() {
    let arguments = ["verify", "--data", "/nonexistent"];
    let output = tokio::process::Command::new(binary()).args(arguments).output().await.expect("the binary runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no running system in /nonexistent"), "{}", text(&output.stderr));
}
