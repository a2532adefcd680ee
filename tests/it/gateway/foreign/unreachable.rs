//! Upstreams that cannot be reached: which calls are refused at once, with what, and until when.

use super::{
    Gateway, LIBRARY, WAIT, compiled,
    library::{Book, GetBookRequest, Library, SERVICE, library, serve_on},
    library_set,
};
use anyhow::ensure;
use kit::{Directory, Reply, eventually, reply, shop::reason};
use reqwest::Method;
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};
use tokio::net::{TcpListener, TcpSocket};
use tonic::{Status, client::Grpc, service::Routes, transport::Endpoint};
use tonic_prost::ProstCodec;

const PUBLIC: [&str; 2] = ["--default-access", "public"];
const BOOK: &str = "/v1/shelves/s1/books/b1";

/// What a call is told that was not made.
const REFUSED: &str = "could not be reached several times";

/// A port that is taken and on which nobody listens.
fn closed() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    let uri = format!("http://{}", socket.local_addr().expect("bound"));
    (socket, uri)
}

/// Calls until a call is refused.
async fn opened(gateway: &Gateway) {
    eventually(WAIT, || async {
        let reply = gateway.client().get(BOOK).await;
        ensure!(is_refused(&reply), "{reply:?}");
        Ok(())
    })
    .await;
}

fn is_refused(reply: &Reply) -> bool {
    reply.body["message"].as_str().is_some_and(|message| message.contains(REFUSED))
}

#[tokio::test]
async fn after_five_failures_no_more_than_one_call_a_second_makes_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = connections.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            drop(stream);
        }
    });
    let gateway = Gateway::of_absent_library(&uri, &PUBLIC).await;
    let (began, mut replies) = (Instant::now(), Vec::new());
    for _ in 0..60 {
        replies.push(gateway.client().get(BOOK).await);
    }
    let tried: Vec<usize> = (0..60).filter(|at| !is_refused(&replies[*at])).collect();
    assert_eq!(tried[..5], [0, 1, 2, 3, 4]);
    assert!(tried.len() <= 6 + began.elapsed().as_secs() as usize, "{tried:?}");
    // A call whose connection ends between its handshake and its use may make another one.
    assert!(connections.load(Ordering::Relaxed) <= 2 * tried.len(), "{connections:?} connections of {tried:?}");
    for reply in replies {
        assert_eq!((reply.status, reason(&reply).as_str()), (503, "UPSTREAM_UNAVAILABLE"), "{reply:?}");
        assert_eq!(reply.headers["retry-after"], "1");
    }
}

#[tokio::test]
async fn a_call_that_is_refused_is_told_its_reason_in_every_protocol() {
    let (_closed, uri) = closed();
    let gateway = Gateway::of_absent_library(&uri, &PUBLIC).await;
    opened(&gateway).await;
    let post = |method: &str, content_type: &str| {
        gateway.client().request(Method::POST, &format!("/{SERVICE}/{method}")).header("content-type", content_type)
    };
    let empty = [0_u8; 5];
    eventually(WAIT, || async {
        let connect = reply(post("GetBook", "application/json").body("{}")).await;
        ensure!(is_refused(&connect), "{connect:?}");
        assert_eq!((connect.status, &connect.body["code"]), (503, &json!("unavailable")));
        assert!(connect.body["details"].to_string().contains("\"reason\":\"UPSTREAM_UNAVAILABLE\""), "{connect:?}");
        assert_eq!(connect.headers["retry-after"], "1");
        let stream = post("WatchBook", "application/connect+json").body([&[0, 0, 0, 0, 2], b"{}".as_slice()].concat());
        let stream = reply(stream).await.body.to_string();
        ensure!(stream.contains(REFUSED), "{stream}");
        assert!(stream.contains("UPSTREAM_UNAVAILABLE") && stream.contains("unavailable"), "{stream}");
        let web = reply(post("GetBook", "application/grpc-web").body(empty.to_vec())).await;
        let web = Status::from_header_map(&web.headers).expect("a status without a body");
        ensure!(web.message().contains(REFUSED), "{web:?}");
        assert_eq!(
            (web.code(), rpc::status::reason(&web).as_str()),
            (tonic::Code::Unavailable, "UPSTREAM_UNAVAILABLE")
        );
        let endpoint = Endpoint::from_shared(gateway.uri.clone()).expect("an address");
        let mut client = Grpc::new(endpoint.connect_lazy());
        client.ready().await.expect("it listens");
        let path = format!("/{SERVICE}/GetBook").parse().expect("a path");
        let request = tonic::Request::new(GetBookRequest::default());
        let grpc = client.unary(request, path, ProstCodec::<GetBookRequest, Book>::default()).await;
        let grpc = grpc.expect_err("nobody listens");
        ensure!(grpc.message().contains(REFUSED), "{grpc:?}");
        assert_eq!(rpc::status::reason(&grpc), "UPSTREAM_UNAVAILABLE");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_is_back_is_called_again_and_each_change_is_one_line_of_the_log() {
    let (closed, uri) = closed();
    let gateway = Gateway::of_absent_library(&uri, &PUBLIC).await;
    opened(&gateway).await;
    for _ in 0..20 {
        assert_eq!(gateway.client().get(BOOK).await.status, 503);
    }
    let _library = serve_on(closed.listen(16).expect("it listens"), Routes::new(Library("acme")));
    eventually(WAIT, || async {
        let reply = gateway.client().get(BOOK).await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
    assert_eq!(gateway.count("its breaker is open"), 1, "{}", gateway.process.output());
    assert_eq!(gateway.count("its breaker is closed"), 1, "{}", gateway.process.output());
}

#[tokio::test]
async fn a_gateway_that_is_ready_refuses_no_call_of_its_upstreams() {
    let (closed, uri) = closed();
    let gateway = Gateway::of_absent_library(&uri, &PUBLIC).await;
    opened(&gateway).await;
    assert_eq!(gateway.client().get("/readyz").await.status, 503);
    let _library = serve_on(closed.listen(16).expect("it listens"), Routes::new(Library("acme")));
    gateway.ready().await;
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
}

#[tokio::test]
async fn a_service_that_itself_says_unavailable_is_asked_on_and_on() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &PUBLIC).await;
    for _ in 0..20 {
        let away = gateway.client().get("/v1/shelves/s1/books/away").await;
        assert_eq!((away.status, reason(&away).as_str()), (503, "AWAY"), "{away:?}");
    }
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_does_not_touch_the_others() {
    let (acme, (_closed, uri)) = (library("acme").await, closed());
    let directory = Directory::new();
    let museum = LIBRARY.replace("acme.library", "acme.museum").replace("/v1/", "/museum/");
    let sets = [library_set(&directory.0, |text| text), compiled(&directory.0, "museum", &museum)];
    let file = directory.0.join("both.binpb");
    std::fs::write(&file, sets.concat()).expect("it can be written");
    let (file, upstream) = (file.display().to_string(), format!("acme.library={},acme.museum={uri}", acme.uri));
    let arguments = ["--descriptors", &file, "--upstream", &upstream, "--default-access", "public"];
    let gateway = Gateway::spawn(directory, &arguments).await;
    let mut refused = 0;
    for _ in 0..20 {
        let museum = gateway.client().get("/museum/shelves/s1/books/b1").await;
        assert_eq!(museum.status, 503, "{museum:?}");
        refused += usize::from(is_refused(&museum));
        assert_eq!(gateway.client().get(BOOK).await.status, 200);
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn with_a_limit_of_0_failures_every_call_is_tried() {
    let (_closed, uri) = closed();
    let gateway = Gateway::of_absent_library(&uri, &[&PUBLIC[..], &["--breaker-failures", "0"]].concat()).await;
    for _ in 0..20 {
        let reply = gateway.client().get(BOOK).await;
        assert!(reply.status == 503 && !is_refused(&reply), "{reply:?}");
    }
}
