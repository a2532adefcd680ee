//! Watches through the gateway as proxies and browsers see them: never silent for long, resumed, and ended for good.

use super::before;
use anyhow::ensure;
use contracts::orders::v1::{WatchOrderRequest, order_service_client::OrderServiceClient};
use gateway::Config;
use kit::shop::{TIMEOUT, id, place, product, reason};
use kit::{Client, Stack, eventually, shared};
use reqwest::{Method, Response, header::HeaderValue};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::DropGuard;
use tonic::{Code, Request};
use tonic_types::StatusExt;

const EVENTS: &str = "text/event-stream";
const LINES: &str = "application/x-ndjson";

/// A gateway whose streams are silent for 100 ms at most.
async fn lively(stack: &Stack) -> (String, DropGuard) {
    before(stack, |config| Config { stream_keep_alive: Duration::from_millis(100), ..config }).await
}

/// A customer of that gateway with an order that waits to be sent off: nothing changes it.
async fn waiting(stack: &Stack, gateway: &str) -> (Client, Value, String) {
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 5).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    assert_eq!(order["state"], "CONFIRMED");
    let path = format!("/v1/orders/{}:watch", id(&order, "orderId"));
    (Client::at(gateway).with_token(customer.token()), order, path)
}

async fn watch(customer: &Client, path: &str, accept: &str, last_event_id: Option<&str>) -> Response {
    let request = customer.request(Method::GET, path).header("accept", accept);
    let request = match last_event_id {
        Some(id) => request.header("last-event-id", id),
        None => request,
    };
    request.send().await.expect("the gateway answers")
}

/// Reads until `enough`, or to the end.
async fn read(stream: &mut Response, enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    while !enough(&text) {
        let chunk = tokio::time::timeout(TIMEOUT, stream.chunk()).await.unwrap_or_else(|_| panic!("after {text:?}"));
        let Some(chunk) = chunk.expect("the stream is whole") else { break };
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

fn last_id(text: &str) -> String {
    text.lines().filter_map(|line| line.strip_prefix("id: ")).next_back().expect("an id").to_owned()
}

#[tokio::test]
async fn a_watch_of_which_nothing_changes_is_not_silent_and_stays_readable() {
    let stack = shared().await;
    let (gateway, _stop) = lively(stack).await;
    let (customer, order, path) = waiting(stack, &gateway).await;
    let mut lines = watch(&customer, &path, LINES, None).await;
    let text = read(&mut lines, |text| text.ends_with("\n\n\n\n")).await;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_str(line).expect("every other line is JSON");
        assert_eq!(message["orderId"], order["orderId"]);
    }
    let mut events = watch(&customer, &path, EVENTS, None).await;
    let text = read(&mut events, |text| text.matches("\n: still here\n\n").count() >= 3).await;
    assert!(text.starts_with("retry: 3000\n\n"), "{text}");
}

#[tokio::test]
async fn a_browser_that_comes_back_after_the_end_is_told_204() {
    let stack = shared().await;
    let (customer, order, path) = waiting(stack, stack.gateway()).await;
    let mut open = watch(&customer, &path, EVENTS, None).await;
    customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await.expect(200);
    let seen = read(&mut open, |_| false).await;
    assert!(seen.contains("CANCELLED"), "{seen}");
    let last = last_id(&seen);
    assert_eq!(watch(&customer, &path, EVENTS, Some(&last)).await.status(), 204);
    // Who asks for the first time, or in another way, gets the last state.
    for (accept, id) in [(EVENTS, None), (LINES, Some(last.as_str())), (EVENTS, Some("unknown")), (EVENTS, Some(""))] {
        let mut again = watch(&customer, &path, accept, id).await;
        assert_eq!(again.status(), 200);
        assert!(read(&mut again, |_| false).await.contains("CANCELLED"), "{accept} {id:?}");
    }
    // The id counts at its own path, for whoever may call.
    let other = place(&customer, &[(&product(stack, 5).await, 1)], "tok_declined").await;
    let elsewhere = format!("/v1/orders/{}:watch", id(&other, "orderId"));
    assert_eq!(watch(&customer, &elsewhere, EVENTS, Some(&last)).await.status(), 200);
    assert_eq!(watch(&customer.with_token(None), &path, EVENTS, Some(&last)).await.status(), 401);
    let plain = watch(&customer, path.trim_end_matches(":watch"), EVENTS, Some(&last)).await;
    assert_eq!(plain.status(), 200, "what is no watch has no end");
}

#[tokio::test]
async fn a_watch_that_broke_off_goes_on_behind_what_was_seen() {
    let stack = shared().await;
    let (gateway, _stop) = lively(stack).await;
    let (customer, order, path) = waiting(stack, &gateway).await;
    let mut first = watch(&customer, &path, EVENTS, None).await;
    let seen = read(&mut first, |text| text.contains("data: ") && text.ends_with("\n: still here\n\n")).await;
    drop(first);
    let mut second = watch(&customer, &path, EVENTS, Some(&last_id(&seen))).await;
    let quiet = read(&mut second, |text| text.matches(": still here").count() >= 2).await;
    assert!(!quiet.contains("data: "), "what was seen is not told again: {quiet}");
    customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await.expect(200);
    assert!(read(&mut second, |_| false).await.contains("CANCELLED"));
    let mut stale = watch(&customer, &path, EVENTS, Some(&last_id(&seen))).await;
    assert!(read(&mut stale, |_| false).await.contains("CANCELLED"), "what is new is told");
}

#[tokio::test]
async fn a_shutdown_is_no_end_of_a_watch() {
    let stack = shared().await;
    let (gateway, stop) = lively(stack).await;
    let (customer, _, path) = waiting(stack, &gateway).await;
    let mut open = watch(&customer, &path, EVENTS, None).await;
    read(&mut open, |text| text.contains("data: ")).await;
    drop(stop);
    let rest = read(&mut open, |_| false).await;
    assert!(rest.contains("event: error") && rest.contains("SHUTTING_DOWN") && !rest.contains("ended:"), "{rest}");
}

#[tokio::test]
async fn a_caller_has_so_many_streams_open_at_once_and_no_more() {
    let stack = shared().await;
    let (gateway, _stop) = before(stack, |config| Config { streams_per_caller: 2, ..config }).await;
    let (customer, _, path) = waiting(stack, &gateway).await;
    let mut first = watch(&customer, &path, LINES, None).await;
    read(&mut first, |text| text.contains('\n')).await;
    let second = watch(&customer, &path, EVENTS, None).await;
    assert_eq!(second.status(), 200);
    let refused = customer.get(&path).await;
    assert_eq!(
        (refused.status, reason(&refused).as_str(), &refused.headers["retry-after"]),
        (429, "TOO_MANY_STREAMS", &HeaderValue::from_static("1"))
    );
    let order = path.trim_start_matches("/v1/orders/").trim_end_matches(":watch");
    let message = json!({ "orderId": order }).to_string();
    let head = [&[0], &u32::try_from(message.len()).expect("short").to_be_bytes()[..]].concat();
    let connect = customer.request(Method::POST, "/comptoir.orders.v1.OrderService/WatchOrder");
    let connect = connect.header("content-type", "application/connect+json");
    let connect = connect.body([head, message.into_bytes()].concat()).send().await.expect("the gateway answers");
    let end = connect.text().await.expect("it ends");
    assert!(end.contains("resource_exhausted") && end.contains("TOO_MANY_STREAMS"), "{end}");
    let mut client = OrderServiceClient::connect(gateway.clone()).await.expect("it listens");
    let mut request = Request::new(WatchOrderRequest { order_id: order.to_owned() });
    let token = format!("Bearer {}", customer.token().expect("signed in"));
    request.metadata_mut().insert("authorization", token.parse().expect("ascii"));
    let status = client.watch_order(request).await.expect_err("over gRPC too");
    let info = status.get_details_error_info().expect("it has a reason");
    assert_eq!((status.code(), info.reason.as_str()), (Code::ResourceExhausted, "TOO_MANY_STREAMS"));
    // Calls with one reply are not counted, nor are the streams of others.
    customer.get(path.trim_end_matches(":watch")).await.expect(200);
    let (other, _, others) = waiting(stack, &gateway).await;
    assert_eq!(watch(&other, &others, LINES, None).await.status(), 200);
    drop(second);
    eventually(TIMEOUT, || async {
        let again = watch(&customer, &path, LINES, None).await;
        ensure!(again.status() == 200, "the place of a stream that its caller has left is not free: {again:?}");
        Ok(())
    })
    .await;
}
