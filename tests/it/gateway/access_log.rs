//! The access log of a gateway process: one line of JSON for each request, and what it never tells.

use anyhow::{Context, ensure};
use kit::shop::{TIMEOUT, draft, id, place, product};
use kit::{Client, DEMO_PASSWORD, Process, Stack, eventually, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;

/// What a line has, beside `route`, which a request without one lacks.
const FIELDS: [&str; 13] = [
    "bytes_in",
    "bytes_out",
    "client_network",
    "duration_ms",
    "level",
    "message",
    "method",
    "request_id",
    "route",
    "status",
    "target",
    "timestamp",
    "trace_id",
];

/// A gateway process, once it answers.
async fn gateway(stack: &Stack, more: &[(&str, &str)]) -> (Client, Process) {
    let address = kit::free_address();
    let process = stack.serve_with("gateway", &[&[("COMPTOIR_LISTEN", address.as_str())], more].concat());
    eventually(TIMEOUT, || async { Ok(TcpStream::connect(&address).await?) }).await;
    (Client::at(&format!("http://{address}")), process)
}

fn lines(process: &Process) -> Vec<Value> {
    let output = process.output();
    let all = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    all.filter(|line| line["target"] == "access").collect()
}

/// The line of the request with this id.
async fn line(process: &Process, id: &str) -> Value {
    eventually(TIMEOUT, || async {
        let mut found = lines(process).into_iter().filter(|line| line["request_id"] == id);
        let line = found.next().context("there is no line")?;
        ensure!(found.next().is_none(), "there are two lines");
        Ok(line)
    })
    .await
}

#[tokio::test]
async fn each_request_is_one_line_of_json() {
    let stack = shared().await;
    let (client, process) = gateway(stack, &[]).await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let path = format!("/v1/products/{}", product(stack, 0).await);
    let request = client.request(Method::GET, &format!("{path}?utm_source=mail"));
    let request = request.header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
    let shown = reply(request.header("x-request-id", "shown-1")).await;
    let told = line(&process, "shown-1").await;
    assert_eq!(told.as_object().expect("an object").keys().collect::<Vec<_>>(), FIELDS, "{told}");
    assert_eq!((&told["level"], &told["message"]), (&json!("INFO"), &json!("request")));
    assert_eq!((&told["method"], &told["status"]), (&json!("GET"), &json!(200)));
    assert_eq!((&told["route"], &told["trace_id"]), (&json!("/v1/products/{product_id}"), &json!(trace)));
    let length: u64 = shown.headers["content-length"].to_str().expect("ascii").parse().expect("a number");
    assert_eq!((&told["bytes_in"], &told["bytes_out"]), (&json!(0), &json!(length)));
    assert_eq!(told["client_network"], "127.0.0.0/24");
    assert!(told["duration_ms"].as_f64().is_some_and(|time| time > 0.0 && time < 60_000.0), "{told}");
    let body = json!({ "grant_type": "none" }).to_string();
    let length = body.len();
    let token = client.request(Method::POST, "/oauth2/token").header("content-type", "application/json");
    assert_eq!(reply(token.header("x-request-id", "token-1").body(body)).await.status, 400);
    let told = line(&process, "token-1").await;
    assert_eq!((&told["status"], &told["bytes_in"]), (&json!(400), &json!(length)));
    assert_eq!(told["trace_id"].as_str().map(str::len), Some(32), "a trace of its own");
    assert_eq!(
        client
            .request(Method::GET, "/v1/nothing")
            .header("x-request-id", "lost-1")
            .send()
            .await
            .expect("an answer")
            .status(),
        404
    );
    let told = line(&process, "lost-1").await;
    assert_eq!((&told["status"], told.get("route")), (&json!(404), None));
}

#[tokio::test]
async fn no_path_query_token_body_agent_or_address_is_logged() {
    let stack = shared().await;
    let trusted = [("COMPTOIR_TRUSTED_PROXIES", "127.0.0.0/8"), ("COMPTOIR_LOG", "debug,h2=info,hyper=info")];
    let (client, process) = gateway(stack, &trusted).await;
    let (customer, user) = Client::register(stack).await;
    let customer = client.with_token(customer.token());
    let path = format!("/v1/users/{}?utm_campaign=hunter3", id(&user, "userId"));
    let send = |method: Method, path: &str, id: &str| {
        let request = customer.request(method, path).header("x-request-id", id).header("user-agent", "hunter4/1.0");
        request.header("x-forwarded-for", "198.51.100.77")
    };
    reply(send(Method::GET, &path, "read-1")).await.expect(200);
    reply(send(Method::PATCH, &path, "write-1").json(&json!({ "name": "hunter5" }))).await.expect(200);
    let password = json!({ "grant_type": "password", "username": id(&user, "email"), "password": DEMO_PASSWORD });
    reply(send(Method::POST, "/oauth2/token", "token-2").json(&password)).await.expect(200);
    for id in ["read-1", "write-1", "token-2"] {
        assert_eq!(line(&process, id).await["client_network"], "198.51.100.0/24", "{id}");
    }
    let output = process.output();
    let token = customer.token().expect("signed in");
    for secret in ["hunter", "198.51.100.77", DEMO_PASSWORD, token, id(&user, "email"), id(&user, "userId")] {
        assert!(!output.contains(secret), "{secret} is in {output}");
    }
}

#[tokio::test]
async fn a_stream_is_a_line_when_it_ends() {
    let stack = shared().await;
    let (client, process) = gateway(stack, &[]).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product(stack, 5).await, 1)], "tok_visa").await;
    let path = format!("/v1/orders/{}:watch", id(&order, "orderId"));
    let watch = client.with_token(customer.token()).request(Method::GET, &path).header("x-request-id", "watch-1");
    let mut stream = watch.send().await.expect("the gateway answers");
    let first = stream.chunk().await.expect("it is whole").expect("the state");
    reply(client.request(Method::GET, "/v1/nothing").header("x-request-id", "later-1")).await;
    line(&process, "later-1").await;
    assert!(!lines(&process).iter().any(|line| line["request_id"] == "watch-1"), "it goes on");
    customer.post(&format!("/v1/orders/{}:cancel", id(&order, "orderId")), json!({})).await.expect(200);
    let mut sent = first.len();
    while let Some(chunk) = stream.chunk().await.expect("it is whole") {
        sent += chunk.len();
    }
    let told = line(&process, "watch-1").await;
    assert_eq!((&told["status"], &told["bytes_out"]), (&json!(200), &json!(sent)));
    assert_eq!(told["route"], "/v1/orders/{order_id}:watch");
}

#[tokio::test]
async fn a_caller_who_goes_away_before_the_reply_is_a_line_with_499() {
    let stack = shared().await;
    let (client, process) = gateway(stack, &[]).await;
    let (customer, _) = Client::register(stack).await;
    let body = draft(&[(&product(stack, 5).await, 1)], "tok_action_required");
    let order = client.with_token(customer.token()).request(Method::POST, "/v1/orders?wait=30s");
    let order = order.header("x-request-id", "gone-1").timeout(Duration::from_millis(500)).json(&body);
    assert!(order.send().await.expect_err("the payer has not come yet").is_timeout());
    let told = line(&process, "gone-1").await;
    assert_eq!((&told["status"], &told["route"]), (&json!(499), &json!("/v1/orders")));
    assert_eq!((&told["bytes_out"], told["trace_id"].as_str().map(str::len)), (&json!(0), Some(32)));
}

#[tokio::test]
async fn probes_that_succeed_are_no_lines() {
    let stack = shared().await;
    let (client, process) = gateway(stack, &[]).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(client.get(path).await.status, 200);
    }
    let other = client.request(Method::POST, "/healthz").header("x-request-id", "probe-1");
    assert_eq!(reply(other).await.status, 405);
    assert_eq!(line(&process, "probe-1").await["route"], "/healthz");
    assert_eq!(lines(&process).len(), 1);
}
