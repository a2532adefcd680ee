//! One bad item on the broker, as a shop and its operators see it: orders go on, and what stands still says why.

use crate::cli::{
    events::events,
    verify::{is_clean, verify},
};
use anyhow::ensure;
use async_nats::jetstream::{
    self,
    stream::{Config, ConsumerLimits},
};
use kit::shop::{self, TIMEOUT, id, order_with, place};
use kit::{Client, Stack, StackOptions, eventually};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

fn letters(stack: &Stack) -> Vec<Value> {
    serde_json::from_str(&events(stack, &["dead-letters", "list", "--json"])).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_go_on_behind_a_foreign_message_which_operators_see_and_drop() {
    let stack = Stack::start(StackOptions::default()).await;
    let (product, customer, staff) =
        (shop::product(&stack, 20).await, Client::customer(&stack).await, Client::staff(&stack).await);
    let services = topology::Topology::get().service.values();
    let readers = services.filter(|service| service.consumes.iter().any(|source| source == "shipping")).count();
    let nats = jetstream::new(stack.nats().await);
    let hello = nats.publish("evt.shipping.shipment.dispatched.shp_x", "hello".into()).await.expect("the operator may");
    let sequence = hello.await.expect("it is stored").sequence;
    for _ in 0..3 {
        let order = place(&customer, &[(&product, 1)], "tok_visa").await;
        let path = format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId"));
        staff.post(&path, json!({})).await.expect(200);
        order_with(&customer, &order, "state", "SHIPPED").await;
    }
    let found = eventually(TIMEOUT, || async {
        let found = letters(&stack);
        ensure!(found.len() == readers, "{readers} services read shipping: {found:?}");
        Ok(found)
    })
    .await;
    for letter in &found {
        let named = format!("message {sequence} of EVT_SHIPPING, 5 bytes on evt.shipping.shipment.dispatched.shp_x");
        assert!(letter["reason"].as_str().is_some_and(|reason| reason.starts_with(&named)), "{letter}");
        assert_eq!((&letter["event"]["data_base64"], &letter["nextAttemptTime"]), (&json!("aGVsbG8="), &Value::Null));
        assert_eq!(letter["event"].get("natssubject"), None, "{letter}");
    }
    let looked = verify(&stack, &[]).await;
    let table = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(looked.status.success(), "a foreign message is no lost event: {table}");
    assert!(table.contains("note: 1 messages of EVT_SHIPPING are by somebody else"), "{table}");

    events(&stack, &["rebuild", "order-history"]);
    assert_eq!(letters(&stack).len(), readers, "a rebuild keeps what an operator has not seen");
    let letter = found[0]["event"]["id"].as_str().expect("an id").to_owned();
    let retried = std::process::Command::new(kit::binary())
        .args(["events", "dead-letters", "retry", &letter, "--data"])
        .arg(stack.data())
        .output()
        .expect("the binary runs");
    let refused = String::from_utf8_lossy(&retried.stderr).into_owned();
    assert!(!retried.status.success() && refused.contains("is no event; it can only be dropped"), "{refused}");
    events(&stack, &["dead-letters", "drop", &letter, "--yes"]);
    assert_eq!(letters(&stack), Vec::<Value>::new());
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED");
    stack.stop().await;
}

/// The stream with this limit on what its consumers may leave unacknowledged; 0 is none.
pub async fn limit_consumers(stack: &Stack, stream: &str, max_ack_pending: i64) {
    let nats = jetstream::new(stack.nats().await);
    eventually(TIMEOUT, || async {
        let stream = nats.get_stream(stream).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let limits = ConsumerLimits { max_ack_pending, ..Default::default() };
        let config = Config { consumer_limits: Some(limits), ..stream.cached_info().config.clone() };
        nats.update_stream(config).await.map_err(|error| anyhow::anyhow!("{error}"))?;
        Ok(())
    })
    .await;
}

/// What the broker refuses cannot be put right by the service: it says so, and not that the broker is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_that_the_broker_refuses_is_named_by_lag_the_log_and_readiness() {
    let all = &topology::Topology::get().service;
    let (readers, others): (Vec<_>, Vec<_>) =
        all.keys().cloned().partition(|name| all[name].consumes.iter().any(|source| source == "products"));
    let services = others.into_iter().chain(["gateway".to_owned()]).collect();
    let stack = Stack::start(StackOptions { services: Some(services), ..Default::default() }).await;
    limit_consumers(&stack, "EVT_PRODUCTS", 1).await;
    let history = stack.serve("order-history");
    let anyone = Client::anonymous(&stack);
    eventually(TIMEOUT, || async {
        let ready = anyone.get("/readyz").await;
        ensure!(ready.status == 503 && history.output().contains("EVT_PRODUCTS"), "{:?}", ready.body);
        Ok(())
    })
    .await;
    let refusal = "the broker refuses the durable consumer order-history on EVT_PRODUCTS";
    let lag = eventually(TIMEOUT, || async {
        let lag = events(&stack, &["lag", "--service", "order-history"]);
        ensure!(lag.contains(&format!("order-history, reading products: {refusal}")), "{lag}");
        Ok(lag)
    })
    .await;
    assert!(!lag.contains("reading users") && !lag.contains("cannot be reached"), "{lag}");
    assert!(history.output().contains(refusal), "{}", history.tail(20));
    limit_consumers(&stack, "EVT_PRODUCTS", 0).await;
    let others = readers.iter().filter(|name| *name != "order-history").map(|name| stack.serve(name));
    let others: Vec<_> = others.collect();
    eventually(TIMEOUT, || async {
        let ready = anyone.get("/readyz").await;
        ensure!(ready.status == 200, "{:?}", ready.body);
        let lag = events(&stack, &["lag", "--service", "order-history"]);
        ensure!(!lag.contains("reading"), "{lag}");
        Ok(())
    })
    .await;
    for process in others.into_iter().chain([history]) {
        process.stop(TIMEOUT).await.expect("it drains");
    }
    stack.stop().await;
}

/// Publishes with headers that are no text, which clients refuse to send; the broker does not look at them.
async fn publish_garbage(stack: &Stack, subject: &str) {
    let state = stack.state();
    let mut socket =
        TcpStream::connect(state.nats_url.trim_start_matches("nats://")).await.expect("nats-server answers");
    let login = json!({ "verbose": true, "user": state.nats_user, "pass": state.nats_password, "headers": true });
    let (headers, payload) = (b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n", b"hello");
    let (length, total) = (headers.len(), headers.len() + payload.len());
    let begin = format!("CONNECT {login}\r\nHPUB {subject} {length} {total}\r\n");
    let message = [begin.as_bytes(), headers, payload, b"\r\nPING\r\n"].concat();
    socket.write_all(&message).await.expect("it is sent");
    let mut lines = BufReader::new(socket).lines();
    while lines.next_line().await.expect("nats-server answers").expect("it goes on") != "PONG" {}
}

/// The client drops the connection over such a message, whenever it is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_go_on_around_a_message_whose_headers_cannot_be_read_and_lag_names_it() {
    let stack = Stack::start(StackOptions::default()).await;
    let (product, customer, staff) =
        (shop::product(&stack, 20).await, Client::customer(&stack).await, Client::staff(&stack).await);
    publish_garbage(&stack, "evt.shipping.shipment.dispatched.shp_x").await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let path = format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId"));
    staff.post(&path, json!({})).await.expect(200);
    order_with(&customer, &order, "state", "SHIPPED").await;
    let nats = jetstream::new(stack.nats().await);
    let stream = nats.get_stream("EVT_SHIPPING").await.expect("is there");
    let named = "orders, reading shipping: message 1 of EVT_SHIPPING is delivered again and again";
    eventually(TIMEOUT * 2, || async {
        let lag = events(&stack, &["lag", "--service", "orders"]);
        ensure!(lag.contains(named), "{lag}");
        Ok(())
    })
    .await;
    assert_eq!(Client::anonymous(&stack).get("/readyz").await.status, 200, "others go on");
    is_clean(&stack).await;
    stream.delete_message(1).await.expect("the operator may");
    eventually(TIMEOUT, || async {
        let lag = events(&stack, &["lag", "--service", "orders"]);
        ensure!(!lag.contains("reading"), "{lag}");
        Ok(())
    })
    .await;
    stack.stop().await;
}
