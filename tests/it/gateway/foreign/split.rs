//! Bodies in two pieces, whose boundary is at each byte of them in turn.

use super::{
    Gateway,
    library::{Book, SERVICE, library},
};
use async_compression::tokio::write::GzipEncoder;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::{StreamExt, stream};
use prost::Message;
use reqwest::{Body, Method};
use std::convert::Infallible;
use tokio::io::AsyncWriteExt;

/// Calls with the same fault, and how many of them at a time.
const CALLS: usize = 2000;
const AT_ONCE: usize = 8;

/// A request: what it is, its path, its headers and its body.
struct Case {
    what: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
}

fn case(what: &'static str, path: &str, content_type: &'static str, body: impl Into<Vec<u8>>) -> Case {
    Case { what, path: path.to_owned(), headers: vec![("content-type", content_type)], body: body.into() }
}

/// A message in the envelope that gRPC, gRPC-Web and streams of Connect have.
fn envelope(message: &[u8]) -> Vec<u8> {
    [&[0, 0, 0, 0, u8::try_from(message.len()).expect("it is small")], message].concat()
}

async fn gzipped(text: &str) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(text.as_bytes()).await.expect("memory takes it");
    encoder.shutdown().await.expect("memory takes it");
    encoder.into_inner()
}

/// A body for each of the readers that the gateway has, and one that each of the readers of JSON refuses.
async fn cases() -> Vec<Case> {
    const BOOK: &str = "{\"title\": \"Été \\ud83d\\ude00\", \"pages\": \"12\"}";
    const BOOKS: &str = "{\"title\": \"Été\"}\r\n\n {\"title\": \"B\"}";
    let (add, echo, sort) = ("/v1/shelves/s1/books", "/v1/shelves/s1/books:echo", format!("/{SERVICE}/SortBooks"));
    let named = format!("/{SERVICE}/GetBook");
    let message = Book { name: "shelves/s1/books/b1".to_owned(), ..Default::default() }.encode_to_vec();
    let two = [envelope(b"{\"parent\": \"shelves/s1\"}"), envelope(b"{}")].concat();
    let mut coded = case("JSON with gzip", add, "application/json", gzipped(BOOK).await);
    coded.headers.push(("content-encoding", "gzip"));
    vec![
        case("JSON", add, "application/json", BOOK),
        case("JSON that is refused", add, "application/json", "{\"title\": \"\\ud83d\", \"pages\": 1}"),
        case("no Unicode", add, "application/json", b"{\"title\": \"\xc3\x28\"}"),
        coded,
        case("lines", echo, "application/x-ndjson", BOOKS),
        case(
            "a line that is refused",
            "/v1/books:sort",
            "application/x-ndjson",
            "{\"title\": \"A\"}\n{\"title\": 2}\n",
        ),
        case("Connect, JSON", &named, "application/json", "{\"name\": \"shelves/s1/books/b1\"}"),
        case("Connect, protobuf", &named, "application/proto", &*message),
        case("Connect, a stream", &sort, "application/connect+json", two),
        case("gRPC-Web", &named, "application/grpc-web+proto", envelope(&message)),
        case("gRPC-Web, base64", &named, "application/grpc-web-text", STANDARD.encode(envelope(&message))),
    ]
}

/// The reply to a body in these pieces: status, type, and content with what is no ASCII escaped.
async fn answered(gateway: &Gateway, case: &Case, pieces: Vec<Vec<u8>>) -> (u16, String, String) {
    let mut request = gateway.client().request(Method::POST, &case.path);
    for (name, value) in &case.headers {
        request = request.header(*name, *value);
    }
    let body = Body::wrap_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)));
    let reply = request.body(body).send().await.expect("a reply");
    let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
    let content_type = headers.get("content-type").map(|value| format!("{value:?}")).unwrap_or_default();
    (status, content_type, reply.bytes().await.expect("all of the reply").escape_ascii().to_string())
}

#[tokio::test]
async fn input_split_at_every_byte_gives_the_same_result() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    for case in cases().await {
        let whole = answered(&gateway, &case, vec![case.body.clone()]).await;
        let is_refused = case.what.contains("refused") || case.what == "no Unicode";
        assert!(whole.0 < 500 && !whole.2.is_empty(), "{}: {whole:?}", case.what);
        assert_eq!(whole.2.contains("\\\"reason\\\":"), is_refused, "{}: {whole:?}", case.what);
        for at in 1..case.body.len() {
            let (head, tail) = case.body.split_at(at);
            let split = answered(&gateway, &case, vec![head.to_vec(), tail.to_vec()]).await;
            assert_eq!(split, whole, "{} at {at}", case.what);
        }
        let single = case.body.iter().map(|byte| vec![*byte]).collect();
        assert_eq!(answered(&gateway, &case, single).await, whole, "{} byte by byte", case.what);
    }
}

/// The call fails at the service of what is wrong with its messages, and its end may come while the gateway looks for either.
#[tokio::test]
async fn what_is_wrong_with_messages_is_told_and_not_that_the_call_failed_of_it() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public"]).await;
    let wrong = [
        case("a line", "/v1/books:sort", "application/x-ndjson", "{\"title\": \"A\"}\n{\"title\": 2}\n"),
        case("a message", &format!("/{SERVICE}/SortBooks"), "application/connect+json", envelope(b"{\"title\": 2}")),
        case("base64", &format!("/{SERVICE}/GetBook"), "application/grpc-web-text", "AAAA?"),
    ];
    for case in &wrong {
        let told = answered(&gateway, case, vec![case.body.clone()]).await;
        let calls = (0..CALLS).map(|_| async {
            assert_eq!(answered(&gateway, case, vec![case.body.clone()]).await, told, "{}", case.what);
        });
        stream::iter(calls).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}
