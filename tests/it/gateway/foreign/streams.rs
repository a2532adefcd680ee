//! RPCs that take a stream of requests: a line for each message at their paths, envelopes by their names.

use super::{
    Gateway, WAIT,
    library::{GetBookRequest, SERVICE, STREAMS, library},
};
use anyhow::ensure;
use futures::{StreamExt, future::join_all, stream};
use kit::{Reply, eventually, reply};
use reqwest::{Body, Method};
use serde_json::{Value, json};
use std::{convert::Infallible, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Code, Request, client::Grpc, transport::Endpoint};
use tonic_prost::ProstCodec;

const SORT: &str = "/v1/books:sort";
const ECHO: &str = "/v1/shelves/s1/books:echo";

async fn gateway(uri: &str) -> Gateway {
    Gateway::of_library(uri, &["--default-access", "public", "--body-limit-bytes", "1024"]).await
}

async fn lines(gateway: &Gateway, path: &str, body: impl Into<Body>) -> Reply {
    let request = gateway.client().request(Method::POST, path).header("content-type", "application/x-ndjson");
    reply(request.body(body)).await
}

/// A body that comes in these pieces, with a pause between them.
fn pieces(pieces: Vec<Vec<u8>>) -> Body {
    Body::wrap_stream(stream::iter(pieces).then(|piece| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok::<_, Infallible>(piece)
    }))
}

fn field(refused: &Reply) -> (&Value, &Value) {
    let violation = &refused.body["details"][1]["fieldViolations"][0];
    (&violation["field"], &refused.body["details"][0]["reason"])
}

#[tokio::test]
async fn each_line_of_a_body_is_a_message_of_a_stream_whatever_its_pieces() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    let text = "{\"parent\": \"shelves/s1\"}\r\n\n  {\"book\": {\"title\": \"Été\"}}\n{}";
    for (body, count) in [("", 0), ("\n\n", 0), ("{}", 1), ("{}\n", 1), (text, 3)] {
        assert_eq!(lines(&gateway, SORT, body).await.expect(200), json!({"count": count}), "{body:?}");
    }
    let single: Vec<Vec<u8>> = text.bytes().map(|byte| vec![byte]).collect();
    assert_eq!(lines(&gateway, SORT, pieces(single)).await.expect(200), json!({"count": 3}));
}

#[tokio::test]
async fn a_stream_may_be_longer_than_the_limit_of_a_body_and_no_line_of_it() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    assert_eq!(lines(&gateway, SORT, "{}\n".repeat(5_000)).await.expect(200), json!({"count": 5_000}));
    let long = format!("{{\"parent\": \"{}\"}}", "x".repeat(2_000));
    assert_eq!(lines(&gateway, SORT, format!("{{}}\n{long}\n")).await.status, 413);
    assert_eq!(lines(&gateway, SORT, long).await.status, 413);
}

#[tokio::test]
async fn a_line_that_cannot_be_read_ends_the_call_and_is_told_by_its_place() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    let refused = lines(&gateway, SORT, "{}\n{\"book\": {\"pages\": \"many\"}}\n{}\n").await;
    assert_eq!(
        (refused.status, field(&refused)),
        (400, (&json!("[1].book.pages"), &json!("INVALID_VALUE"))),
        "{refused:?}"
    );
    let broken = lines(&gateway, SORT, "{}\n{}\n{\"parent\": \"shel").await;
    assert_eq!(broken.status, 400, "{broken:?}");
    let conditional = gateway.client().request(Method::POST, SORT).header("if-match", "\"3\"").body("{}");
    assert_eq!(reply(conditional).await.status, 400);
    for (name, value) in [("content-type", "text/plain"), ("content-encoding", "gzip")] {
        let request = gateway.client().request(Method::POST, SORT).header(name, value).body("{}\n");
        assert_eq!(reply(request).await.status, 415, "{name}");
    }
}

#[tokio::test]
async fn a_stream_of_replies_begins_while_requests_still_come_and_ends_with_its_status() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    let (send, sent) = tokio::sync::mpsc::channel::<Vec<u8>>(4);
    let body = stream::unfold(sent, |mut sent| async { Some((Ok::<_, Infallible>(sent.recv().await?), sent)) });
    let request = gateway.client().request(Method::POST, ECHO).header("content-type", "application/x-ndjson");
    send.send(b"{\"title\": \"One\"}\n".to_vec()).await.expect("it is read");
    let mut reply = request.body(Body::wrap_stream(body)).send().await.expect("a reply");
    let first = reply.chunk().await.expect("a line").expect("before the end of the requests");
    let first: Value = serde_json::from_slice(&first).expect("JSON");
    assert_eq!(first["name"], "shelves/s1/books/One");
    send.send(b"{\"title\": 2}\n".to_vec()).await.expect("it is read");
    let rest = reply.bytes().await.expect("the reply ends");
    let last: Value = serde_json::from_slice(&rest).expect("one line");
    assert_eq!((&last["error"]["code"], &last["error"]["status"]), (&json!(3), &Value::Null), "{last}");
    let events =
        gateway.client().request(Method::POST, ECHO).header("accept", "text/event-stream").body("{\"title\": \"A\"}");
    let text = events.send().await.expect("a reply").text().await.expect("a text");
    assert!(text.contains("shelves/s1/books/A") && text.contains("\nevent: end\n"), "{text}");
}

#[tokio::test]
async fn a_caller_that_leaves_a_stream_midway_leaves_nothing_behind_at_the_service() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    let head = format!("POST {ECHO} HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    let leaving = async {
        for _ in 0..STREAMS + 20 {
            let address = gateway.uri.strip_prefix("http://").expect("an address");
            let mut caller = TcpStream::connect(address).await.expect("it listens");
            // A chunk and no end of the body, after which the caller is gone.
            caller.write_all(format!("{head}11\r\n{{\"title\": \"One\"}}\n\r\n").as_bytes()).await.expect("it is read");
            let mut read = Vec::new();
            while !read.windows(5).any(|window| window == b"pages") {
                assert!(caller.read_buf(&mut read).await.expect("a reply") > 0, "{}", String::from_utf8_lossy(&read));
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), leaving).await.expect("the service has streams left");
    let book = gateway.client().request(Method::GET, "/v1/shelves/s1/books/b1").header("x-request-timeout", "20");
    assert_eq!(reply(book).await.status, 200);
}

#[tokio::test]
async fn a_stream_of_requests_that_falls_silent_is_ended_over_grpc_too() {
    let acme = library("acme").await;
    let bounds = ["--default-access", "public", "--deadline-seconds", "1", "--streams-per-caller", "1000"];
    let gateway = Gateway::of_library(&acme.uri, &bounds).await;
    let endpoint = Endpoint::from_shared(gateway.uri.clone()).expect("an address");
    let client = Grpc::new(endpoint.connect().await.expect("it listens"));
    let silent = (0..STREAMS + 20).map(|number| {
        let mut client = client.clone();
        let path = format!("/{SERVICE}/SortBooks").parse().expect("a path");
        // One message, and then neither another one nor the end.
        let messages = stream::iter([GetBookRequest::default()]).chain(stream::pending());
        let codec = ProstCodec::<GetBookRequest, ()>::default();
        let mut request = Request::new(messages);
        // A caller may ask for less time than it gets, and not for more.
        if number % 2 == 0 {
            request.set_timeout(Duration::from_secs(3600));
        }
        async move {
            client.ready().await.expect("it is connected");
            client.client_streaming(request, path, codec).await
        }
    });
    let ended = tokio::time::timeout(Duration::from_secs(60), join_all(silent)).await.expect("all of them end");
    for answer in ended {
        assert_eq!(answer.expect_err("it has no reply").code(), Code::DeadlineExceeded);
    }
    // The service has streams left.
    eventually(WAIT, || async {
        let reply = gateway.client().get("/v1/shelves/s1/books/b1").await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_refusal_reaches_a_caller_that_is_still_sending() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    for (path, status) in [(SORT, "400"), (ECHO, "400"), ("/v1/shelves/s1/books", "413"), ("/v1/nothing", "404")] {
        let address = gateway.uri.strip_prefix("http://").expect("an address");
        let mut caller = TcpStream::connect(address).await.expect("it listens");
        let head = format!("POST {path} HTTP/1.1\r\nHost: shop.example\r\nTransfer-Encoding: chunked\r\n\r\n");
        caller.write_all(format!("{head}9\r\nno JSON.\n\r\n").as_bytes()).await.expect("it is read");
        let chunk = format!("10000\r\n{}\r\n", "{}\n\n".repeat(0x4000));
        for _ in 0..16 {
            caller.write_all(chunk.as_bytes()).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        let mut read = [0; 12];
        caller.read_exact(&mut read).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(String::from_utf8_lossy(&read), format!("HTTP/1.1 {status}"), "{path}");
    }
}

#[tokio::test]
async fn a_message_of_a_connect_stream_that_cannot_be_read_ends_the_call() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    let envelope =
        |message: &str| [&[0, 0, 0, 0, u8::try_from(message.len()).expect("small")], message.as_bytes()].concat();
    let sorted = async |messages: &[&str]| {
        let request = gateway.client().request(Method::POST, &format!("/{SERVICE}/SortBooks"));
        let body: Vec<u8> = messages.iter().flat_map(|message| envelope(message)).collect();
        reply(request.header("content-type", "application/connect+json").body(body)).await.body.to_string()
    };
    let whole = sorted(&["{}", r#"{"parent": "shelves/s1"}"#]).await;
    assert!(whole.contains("\\\"count\\\":2"), "{whole}");
    let broken = sorted(&["{}", r#"{"parent": 1}"#]).await;
    assert!(broken.contains("invalid_argument") && !broken.contains("count"), "{broken}");
}

#[tokio::test]
async fn a_path_without_a_body_has_no_stream_and_the_document_has_the_others() {
    let acme = library("acme").await;
    let gateway = gateway(&acme.uri).await;
    assert_eq!(gateway.client().delete("/v1/books").await.status, 404);
    assert_eq!(gateway.count("an RPC that takes a stream of requests is called by its name"), 1);
    let document = gateway.client().get("/openapi.json").await.expect(200);
    assert!(document["paths"].get("/v1/books").is_none(), "{document}");
    let content = &document["paths"]["/v1/books:sort"]["post"]["requestBody"]["content"];
    assert!(content["application/x-ndjson"]["schema"]["properties"].get("parent").is_some(), "{content}");
}
