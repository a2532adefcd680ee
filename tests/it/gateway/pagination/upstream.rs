//! A gateway before an upstream that breaks the limits of messages, or tells of its own.

use crate::cli::settings::{gateway_config, limits};
use axum::{Router, extract::State, response::Response};
use gateway::{Addresses, Config};
use http::HeaderValue;
use kit::shop::reason;
use kit::{Client, Reply};
use prost::Message;
use rpc::Port;
use serde_json::json;
use std::{collections::BTreeMap, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Status};

/// What the upstream answers to everything.
enum Answer {
    Status(Status),
    Bytes(usize),
}

async fn answer(State(answer): State<Arc<Answer>>) -> Response {
    match &*answer {
        Answer::Status(status) => status.clone().into_http(),
        Answer::Bytes(count) => {
            let product = contracts::products::v1::Product { description: "x".repeat(*count), ..Default::default() };
            let reply = contracts::products::v1::ListProductsResponse { products: vec![product], ..Default::default() };
            let message = reply.encode_to_vec();
            let length = u32::try_from(message.len()).expect("it is small for u32").to_be_bytes();
            let mut response = Response::new(axum::body::Body::from([&[0], length.as_slice(), &message].concat()));
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
            response
        }
    }
}

/// A gateway before an upstream that answers so.
async fn gateway_before(upstream: Answer) -> (Client, [DropGuard; 2]) {
    let bind = async || TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (behind, before) = (bind().await, bind().await);
    let (uri, stop, stop_behind) =
        (format!("http://{}", before.local_addr().expect("bound")), CancellationToken::new(), CancellationToken::new());
    let address = format!("http://{}", behind.local_addr().expect("bound"));
    let packages = ["comptoir.products.v1", "comptoir.users.v1"].map(|package| (package.to_owned(), address.clone()));
    let app = Router::new().fallback(answer).with_state(Arc::new(upstream));
    tokio::spawn(Port::grpc("upstream", behind, limits()).serve(app, stop_behind.clone()));
    let config =
        Config { upstreams: Addresses(BTreeMap::from(packages)), body_limit_bytes: 16 << 20, ..gateway_config() };
    tokio::spawn(gateway::run(config, before, stop.clone()));
    (Client::at(&uri), [stop.drop_guard(), stop_behind.drop_guard()])
}

async fn list_before(upstream: Answer) -> Reply {
    let (client, _stop) = gateway_before(upstream).await;
    client.get("/v1/products").await
}

#[tokio::test]
async fn a_reply_that_is_too_large_is_no_fault_of_the_caller() {
    for upstream in [
        Answer::Bytes(17 << 20),
        Answer::Status(Status::out_of_range("Error, decoded message length too large: found 5, the limit is: 4 bytes")),
        Answer::Status(Status::resource_exhausted("grpc: received message larger than max (5 vs. 4)")),
        Answer::Status(Status::resource_exhausted("gRPC message exceeds maximum: larger than 4194304")),
    ] {
        let reply = list_before(upstream).await;
        assert_eq!((reply.status, reason(&reply)), (500, "REPLY_TOO_LARGE".to_owned()), "{reply:?}");
    }
}

#[tokio::test]
async fn what_a_service_itself_refuses_with_the_same_codes_is_passed_on() {
    for (code, http) in [(Code::OutOfRange, 400), (Code::ResourceExhausted, 429)] {
        let reply = list_before(Answer::Status(rpc::status::error(code, "A_REASON", "a larger one"))).await;
        assert_eq!((reply.status, reason(&reply)), (http, "A_REASON".to_owned()));
    }
    let limited = list_before(Answer::Status(Status::resource_exhausted("too many requests"))).await;
    assert_eq!(limited.status, 429, "a proxy that limits rates is not about sizes");
}

#[tokio::test]
async fn a_request_that_no_service_takes_is_413_before_it_is_sent() {
    let (client, _stop) = gateway_before(Answer::Status(Status::out_of_range("not asked"))).await;
    for (path, field) in [("/v1/users", "name"), ("/v1/users", "email")] {
        let refused = client.post(path, json!({ field: "x".repeat(5 << 20) })).await;
        assert_eq!((refused.status, reason(&refused)), (413, "BODY_TOO_LARGE".to_owned()));
    }
}
