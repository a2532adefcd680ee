//! Content codings both ways: replies as `Accept-Encoding` asks, requests as `Content-Encoding` says.

use async_compression::tokio::{
    bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder},
    write::{BrotliEncoder, GzipEncoder, ZstdEncoder},
};
use futures::future::join_all;
use kit::shop::{TIMEOUT, product, reason};
use kit::{Client, DEMO_PASSWORD, Reply, eventually, reply, shared};
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

async fn encode(coding: &str, plain: &[u8]) -> Vec<u8> {
    macro_rules! through {
        ($encoder:ident) => {{
            let mut encoder = $encoder::new(Vec::new());
            encoder.write_all(plain).await.expect("a vector takes everything");
            encoder.shutdown().await.expect("a vector takes everything");
            encoder.into_inner()
        }};
    }
    match coding {
        "gzip" => through!(GzipEncoder),
        "br" => through!(BrotliEncoder),
        "zstd" => through!(ZstdEncoder),
        other => panic!("{other} is no coding"),
    }
}

async fn decode(coding: &str, coded: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let read = match coding {
        "gzip" => GzipDecoder::new(coded).read_to_end(&mut plain).await,
        "br" => BrotliDecoder::new(coded).read_to_end(&mut plain).await,
        "zstd" => ZstdDecoder::new(coded).read_to_end(&mut plain).await,
        other => panic!("{other} is no coding"),
    };
    read.expect("the coding is that of the header");
    plain
}

/// A reply as it comes: status, headers, bytes.
async fn get(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, HeaderMap, Vec<u8>) {
    let request =
        headers.iter().fold(client.request(method, path), |request, (name, value)| request.header(*name, *value));
    let answer = request.send().await.expect("the gateway answers");
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.bytes().await.expect("the reply is whole").to_vec())
}

async fn post(client: &Client, path: &str, coding: &str, body: Vec<u8>) -> Reply {
    let request = client.request(Method::POST, path).header("content-type", "application/json");
    reply(request.header("content-encoding", coding).body(body)).await
}

/// The path of a product whose JSON is some kilobytes, and its reply without a coding.
async fn large_product() -> (Client, String, Vec<u8>) {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    let description = "Twelve plates of stoneware, each with a blue rim. ".repeat(30);
    staff.patch(&path, json!({ "description": description.trim() })).await.expect(200);
    let (_, headers, plain) = get(&staff, Method::GET, &path, &[]).await;
    assert_eq!((headers.get("content-encoding"), &headers["etag"]), (None, &"\"2\"".parse().expect("ascii")));
    assert_eq!(headers["vary"], "accept-encoding", "also of a reply without a coding");
    (staff, path, plain)
}

fn new_user() -> Value {
    let email = format!("coded-{:016x}@example.com", rand::random::<u64>());
    json!({ "email": email, "name": "Coded", "password": DEMO_PASSWORD })
}

#[tokio::test]
async fn a_reply_has_the_coding_that_the_caller_likes_best() {
    let (client, path, plain) = large_product().await;
    for (accepted, expected) in [
        ("gzip", Some("gzip")),
        ("br", Some("br")),
        ("zstd", Some("zstd")),
        ("X-GZIP", Some("gzip")),
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, deflate, br", Some("br")),
        ("gzip;q=1.0, br;q=0.8, zstd;q=0.1", Some("gzip")),
        ("zstd;q=0, br; q=0.5, gzip;q=0.4, *;q=0.1", Some("br")),
        ("deflate", None),
        ("identity, gzip;q=0.5", None),
        ("gzip;q=0", None),
        ("gzip;q=2", None),
        ("", None),
    ] {
        let (status, headers, body) = get(&client, Method::GET, &path, &[("accept-encoding", accepted)]).await;
        let coding = headers.get("content-encoding").map(|coding| coding.to_str().expect("ascii"));
        assert_eq!((status, coding), (200, expected), "{accepted}");
        assert_eq!(headers["vary"], "accept-encoding", "{accepted}");
        let decoded = match coding {
            Some(coding) => decode(coding, &body).await,
            None => body.clone(),
        };
        assert!(decoded == plain, "{accepted}");
        assert!(coding.is_none() || body.len() * 2 < plain.len(), "{accepted}: {} bytes", body.len());
    }
}

#[tokio::test]
async fn a_coded_reply_has_an_etag_of_its_own_and_either_names_its_version() {
    let (client, path, _) = large_product().await;
    for coding in CODINGS {
        let accept = ("accept-encoding", coding);
        let own = format!("\"2-{coding}\"");
        for method in [Method::GET, Method::HEAD] {
            let (_, headers, _) = get(&client, method.clone(), &path, &[accept]).await;
            assert_eq!(
                (&headers["etag"], &headers["content-encoding"]),
                (&own.parse().expect("ascii"), &coding.parse().expect("ascii"))
            );
            let (status, headers, body) = get(&client, method.clone(), &path, &[accept, ("if-none-match", &own)]).await;
            assert_eq!((status, headers["etag"].to_str().expect("ascii"), body.len()), (304, own.as_str(), 0));
            assert_eq!(
                (headers.get("content-encoding"), &headers["vary"]),
                (None, &"accept-encoding".parse().expect("ascii"))
            );
            let other = get(&client, method.clone(), &path, &[accept, ("if-none-match", "\"2\"")]).await;
            assert_eq!(other.0, 200, "other bytes than those that the caller has");
            assert_eq!(get(&client, method, &path, &[accept, ("if-match", &own)]).await.0, 200);
        }
        let stale = client.request(Method::PATCH, &path).header("if-match", format!("\"1-{coding}\""));
        assert_eq!(reply(stale.json(&json!({ "name": "Never" }))).await.status, 412, "{coding}");
        let unwanted = client.request(Method::PATCH, &path).header("if-none-match", own);
        assert_eq!(reply(unwanted.json(&json!({ "name": "Never" }))).await.status, 412, "{coding}");
    }
    let fresh = client.request(Method::PATCH, &path).header("if-match", "\"2-br\", \"2\"");
    assert_eq!(reply(fresh.json(&json!({ "name": "Changed" }))).await.expect(200)["etag"], "3");
}

#[tokio::test]
async fn small_replies_and_streams_have_no_coding() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let all = ("accept-encoding", "gzip, br, zstd");
    let path = format!("/v1/products/{}", product(stack, 5).await);
    for path in [path.as_str(), "/healthz", "/v1/nothing"] {
        let (_, headers, _) = get(&customer, Method::GET, path, &[all]).await;
        assert!(headers.get("content-encoding").is_none(), "{path}");
        assert!(headers.contains_key("content-length"), "{path}");
    }
    let order = kit::shop::place(&customer, &[(path.trim_start_matches("/v1/products/"), 1)], "tok_declined").await;
    let watch = format!("/v1/orders/{}:watch", kit::shop::id(&order, "orderId"));
    for accept in ["application/x-ndjson", "text/event-stream"] {
        let (status, headers, body) = get(&customer, Method::GET, &watch, &[all, ("accept", accept)]).await;
        assert_eq!((status, headers.get("content-encoding")), (200, None), "{accept}");
        assert!(String::from_utf8(body).expect("text").contains("REJECTED"), "{accept}");
    }
}

#[tokio::test]
async fn a_request_may_be_in_any_of_the_codings() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    for coding in ["gzip", "br", "zstd", "GZip", "x-gzip", "identity, gzip", "identity"] {
        let user = new_user();
        let plain = user.to_string().into_bytes();
        let known = CODINGS.into_iter().find(|known| coding.to_lowercase().ends_with(known));
        let body = match known {
            Some(known) => encode(known, &plain).await,
            None => plain,
        };
        assert_eq!(post(&anonymous, "/v1/users", coding, body).await.expect(201)["email"], user["email"], "{coding}");
    }
    let text = new_user().to_string();
    let (begin, end) = text.as_bytes().split_at(20);
    for coding in ["gzip", "zstd"] {
        let members = [encode(coding, begin).await, encode(coding, end).await].concat();
        let status = post(&anonymous, "/v1/users", coding, members).await.status;
        assert!([201, 409].contains(&status), "members of {coding} are one body: {status}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_in_its_coding_is_400() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let plain = new_user().to_string().into_bytes();
    for coding in CODINGS {
        let coded = encode(coding, &plain).await;
        let cut = coded[..coded.len() - 5].to_vec();
        let more = [coded.as_slice(), b"{\"name\": \"behind\"}"].concat();
        for (case, body) in [("plain", plain.clone()), ("cut off", cut), ("with more behind", more)] {
            let refused = post(&anonymous, "/v1/users", coding, body).await;
            assert_eq!(
                (refused.status, reason(&refused).as_str()),
                (400, "BODY_UNDECODABLE"),
                "{coding} {case}: {refused:?}"
            );
        }
    }
    // A frame with a window of 128 MiB, and with one byte in it.
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x88, 0x09, 0x00, 0x00, b'1'];
    let refused = post(&anonymous, "/v1/users", "zstd", window.to_vec()).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "BODY_UNDECODABLE"));
}

#[tokio::test]
async fn a_body_of_very_many_members_is_400_at_once() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    for coding in CODINGS {
        let empty = encode(coding, b"").await;
        let coded = encode(coding, new_user().to_string().as_bytes()).await;
        let body = [empty.repeat(1_000_000 / empty.len()), coded].concat();
        let refused = post(&anonymous, "/v1/users", coding, body).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, "BODY_UNDECODABLE"), "{coding}: {refused:?}");
    }
}

/// Peak of the resident memory of a process, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells it");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[tokio::test]
async fn a_decompression_bomb_is_413_and_takes_no_memory() {
    let stack = shared().await;
    let address = kit::free_address();
    let gateway = stack.serve_with("gateway", &[("COMPTOIR_LISTEN", address.as_str())]);
    eventually(TIMEOUT, || async { anyhow::Ok(tokio::net::TcpStream::connect(&address).await?) }).await;
    let client = Client::at(&format!("http://{address}"));
    let plain = vec![b' '; 100 << 20];
    let mut bombs = Vec::new();
    for coding in CODINGS {
        bombs.push((coding, encode(coding, &plain).await));
    }
    client.get("/v1/products?pageSize=1").await.expect(200);
    let before = peak_kib(gateway.pid());
    let requests = bombs.iter().cycle().take(48).map(|(coding, bomb)| post(&client, "/v1/users", coding, bomb.clone()));
    for refused in join_all(requests).await {
        assert_eq!((refused.status, reason(&refused).as_str()), (413, "BODY_TOO_LARGE"), "{refused:?}");
    }
    let grown = peak_kib(gateway.pid()) - before;
    assert!(grown < 64 << 10, "it has taken {grown} KiB");
    let fits = encode("gzip", format!("{{{}}}", " ".repeat((1 << 20) - 2)).as_bytes()).await;
    assert_eq!(post(&client, "/v1/users", "gzip", fits).await.status, 400, "a body of the limit is read");
}
