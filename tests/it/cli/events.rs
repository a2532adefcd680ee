//! `comptoir events`, as an operator runs it.

use crate::order_history::rebuild::event_service;
use anyhow::ensure;
use contracts::events::v1::TailEventsRequest;
use kit::shop::{TIMEOUT, id, place, product};
use kit::{Client, Stack, binary, eventually, shared};
use serde_json::Value;
use std::{
    process::{Command, Output, Stdio},
    time::Duration,
};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("events").args(arguments).stdin(Stdio::null()).env_remove("COMPTOIR_TOKEN");
    command
}

/// Runs `comptoir events` on a stack; what it printed.
pub(crate) fn events(stack: &Stack, arguments: &[&str]) -> String {
    let output = run(stack, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// The same, when it must fail; its error output.
fn refused(stack: &Stack, arguments: &[&str]) -> String {
    let output = run(stack, arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded: {}", text(&output.stdout));
    text(&output.stderr)
}

fn run(stack: &Stack, arguments: &[&str]) -> Output {
    command(arguments).arg("--data").arg(stack.data()).output().expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A running `comptoir events tail`; killed when dropped.
struct Tail {
    child: std::process::Child,
    output: std::path::PathBuf,
}

impl Tail {
    fn start(stack: &Stack, arguments: &[&str]) -> Self {
        let output = stack.data().join(format!("tail-{:016x}.jsonl", rand::random::<u64>()));
        let file = std::fs::File::create(&output).expect("the data directory can be written");
        let child = command(&["tail"]).args(arguments).arg("--data").arg(stack.data()).stdout(file).spawn();
        Self { child: child.expect("the binary runs"), output }
    }

    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.output).expect("the output is there");
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_prints_the_events_of_an_order_in_order_with_their_data() {
    let stack = shared().await;
    let product = product(stack, 10).await;
    let customer = Client::customer(stack).await;
    let live = Tail::start(stack, &["--service", "orders,payments,shipping"]);
    // It prints what comes after it has begun: the first order tells that it has.
    eventually(TIMEOUT, || async {
        place(&customer, &[(&product, 1)], "tok_visa").await;
        ensure!(!live.lines().is_empty());
        Ok(())
    })
    .await;
    let order = place(&customer, &[(&product, 2)], "tok_visa").await;
    let order = id(&order, "orderId");
    let of_order = |lines: Vec<Value>| -> Vec<Value> {
        let is_ours = |event: &Value| event["partitionkey"] == order || event["data"]["orderId"] == order;
        lines.into_iter().filter(is_ours).collect()
    };
    let found = eventually(TIMEOUT, || async {
        let found = of_order(live.lines());
        let has = |source: &str| found.iter().any(|event| event["source"] == source);
        ensure!(has("/comptoir/orders") && has("/comptoir/payments") && has("/comptoir/shipping"), "{found:?}");
        ensure!(found.iter().any(|event| event["data"]["to"] == "CONFIRMED"), "{found:?}");
        Ok(found)
    })
    .await;
    let from = |source: &str| found.iter().filter(|event| event["source"] == source).collect::<Vec<_>>();
    let orders = from("/comptoir/orders");
    let first = orders[0];
    assert_eq!(first["type"], "comptoir.orders.v1.OrderCreated", "{found:?}");
    assert_eq!(first["specversion"], "1.0");
    assert_eq!(first["subject"], format!("order/{order}"));
    assert_eq!(first["natssubject"], format!("evt.orders.order.created.{order}"));
    assert_eq!(first["data"]["items"][0]["quantity"], 2);
    assert_eq!(first["data"]["total"]["units"], "25");
    for (events, aggregate) in [(orders, "order"), (from("/comptoir/payments"), "payment")] {
        assert!(events.iter().all(|event| event["subject"].as_str().is_some_and(|of| of.starts_with(aggregate))));
        let sequences: Vec<i64> = events.iter().filter_map(|event| event["sequence"].as_i64()).collect();
        assert_eq!(sequences, (1..=events.len() as i64).collect::<Vec<_>>(), "{found:?}");
        let times = events.iter().filter_map(|event| event["time"].as_str());
        let times: Vec<bson::DateTime> =
            times.map(|time| bson::DateTime::parse_rfc3339_str(time).expect("RFC 3339")).collect();
        assert!(times.len() == events.len() && times.is_sorted(), "{times:?}");
    }

    let filtered = Tail::start(stack, &["--since", "1h", "--subject", "evt.*.order.>"]);
    let some = eventually(TIMEOUT, || async {
        let found = filtered.lines();
        ensure!(found.iter().any(|event| event["partitionkey"] == order), "{} lines", found.len());
        Ok(found)
    })
    .await;
    assert!(some.iter().all(|event| event["type"].as_str().is_some_and(|name| name.contains(".orders."))), "{some:?}");
    let one = Tail::start(stack, &["--since", "1h", "--subject", &format!("evt.orders.*.created.{order}")]);
    eventually(TIMEOUT, || async {
        ensure!(one.lines().len() == 1, "{} lines", one.lines().len());
        Ok(())
    })
    .await;
    assert!(refused(stack, &["tail", "--subject", "evt.>.order"]).contains("> can only be the last word"));
    assert!(refused(stack, &["tail", "--since", "yesterday"]).contains("nor a duration"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_sends_the_log_without_gaps_and_then_what_is_appended() {
    let stack = shared().await;
    let mut products = event_service(stack, "products").await;
    let request = TailEventsRequest { after_log_sequence: 0, since: None };
    let mut events = products.tail_events(request).await.expect("begins").into_inner();
    let new = product(stack, 0).await;
    let mut last = 0;
    let found = tokio::time::timeout(TIMEOUT, async {
        loop {
            let event = events.message().await.expect("goes on").expect("does not end by itself");
            assert_eq!(event.log_sequence, last + 1);
            last = event.log_sequence;
            if event.aggregate_id == new {
                return event;
            }
        }
    });
    let found = found.await.expect("the new product arrives");
    assert_eq!((found.service.as_str(), found.name.as_str(), found.seq), ("products", "created", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tail_ends_well_on_ctrl_c() {
    let stack = shared().await;
    let mut tail = Tail::start(stack, &["--since", "1h"]);
    eventually(TIMEOUT, || async {
        ensure!(!tail.lines().is_empty());
        Ok(())
    })
    .await;
    let sent = Command::new("kill").args(["-INT", &tail.child.id().to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()));
    let status = tail.child.wait().expect("it ends");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_prints_aligned_tables_and_json() {
    let stack = shared().await;
    let table = events(stack, &["lag"]);
    let header = table.lines().next().unwrap_or_default();
    assert!(header.starts_with("SERVICE") && header.contains("LOGGED  PUBLISHED  BEHIND  RELAY"), "{table}");
    let end = header.find("LOGGED").expect("a column") + "LOGGED".len();
    let products = table.lines().find(|line| line.starts_with("products")).expect("a row of products");
    let logged = products[..end].rsplit(' ').next().expect("a number ends where its title ends");
    assert!(logged.parse::<u64>().is_ok_and(|logged| logged > 0), "{table}");
    assert!(table.contains("\nCONSUMER") && table.contains("order-history  shipping"), "{table}");
    eventually(TIMEOUT, || async {
        let json: Value =
            serde_json::from_str(&events(stack, &["lag", "--json", "--service", "orders,order-history"]))?;
        let services = json["services"].as_array().expect("a list");
        ensure!(services.len() == 2 && services[0]["service"] == "orders", "{json}");
        ensure!(services[1]["consumers"].as_array().is_some_and(|sources| sources.len() == 5), "{json}");
        ensure!(services[0]["behind"] == 0 && services[0]["logged"].is_u64(), "{json}");
        for consumer in services.iter().flat_map(|service| service["consumers"].as_array().into_iter().flatten()) {
            ensure!(consumer["pending"] == 0 && consumer["deadLetters"] == 0, "{json}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_says_what_to_do_when_it_cannot_do_what_it_was_asked() {
    let stack = shared().await;
    let output = command(&["lag", "--data", "/nowhere/at/all"]).output().expect("the binary runs");
    let complaint = text(&output.stderr);
    assert!(complaint.contains("no running system in /nowhere/at/all: start one with `make run`"), "{complaint}");
    assert!(refused(stack, &["lag", "--service", "nobody"]).contains("there is no service \"nobody\""));
    assert!(refused(stack, &["rebuild", "orders"]).contains("no read model"));
    assert!(
        refused(stack, &["dead-letters", "show", "evt_absent"]).contains("no service has a dead letter evt_absent")
    );
    assert!(refused(stack, &["dead-letters", "drop", "evt_absent"]).contains("--yes"));
    assert!(
        refused(stack, &["dead-letters", "retry", "ord_absent"]).contains("no service has dead letters of ord_absent")
    );
    assert_eq!(events(stack, &["dead-letters", "list", "--json"]).trim(), "[]");

    let peers = format!("orders={},order-history={}", stack.grpc("orders"), stack.grpc("order-history"));
    let cluster = |token: Option<&str>| {
        let mut command = command(&["lag", "--peers", &peers]);
        command.envs(token.map(|token| ("COMPTOIR_TOKEN", token)));
        command.output().expect("the binary runs")
    };
    assert!(text(&cluster(None).stderr).contains("set --token or COMPTOIR_TOKEN"));
    let customer = Client::customer(stack).await;
    let refused = text(&cluster(customer.token()).stdout);
    assert!(refused.contains("a user with the role \"staff\""), "{refused}");
    let staff = cluster(Client::staff(stack).await.token());
    assert!(staff.status.success() && text(&staff.stdout).contains("order-history  users"), "{staff:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replay_reads_a_source_again_and_changes_nothing() {
    let stack = shared().await;
    let told = events(stack, &["replay", "--consumer", "order-history", "--source", "users", "--from", "1"]);
    let count = told.split(' ').nth(2).and_then(|count| count.parse::<u64>().ok());
    assert!(count.is_some_and(|count| count >= 2), "{told}");
    eventually(Duration::from_secs(20), || async {
        ensure!(events(stack, &["dead-letters", "list"]) == "no dead letters\n");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rebuild_tells_its_progress_and_both_hashes() {
    let stack = Stack::start(kit::StackOptions::default()).await;
    let told = events(&stack, &["rebuild", "order-history"]);
    assert!(told.contains("reading ") && told.contains("catching up ") && told.contains("\ndone "), "{told}");
    let hash = |name: &str| {
        let line = told.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {told}"));
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    };
    assert_eq!(hash("old hash"), hash("new hash"));
    assert!(told.ends_with("it is the same as the old one.\n"), "{told}");
    stack.stop().await;
}
