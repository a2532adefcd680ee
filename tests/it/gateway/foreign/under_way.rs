//! How many calls of one upstream are under way at once: what is above the bound is refused.

use super::{
    Gateway, WAIT,
    library::{Book, GetBookRequest, SERVICE, library},
};
use crate::cli::settings::limits;
use anyhow::ensure;
use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use kit::{Reply, eventually, reply, shop::reason};
use prost::Message;
use reqwest::Method;
use rpc::Port;
use std::{convert::Infallible, sync::Arc};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};
use tonic::{Status, body::Body, client::Grpc, transport::Endpoint};
use tonic_prost::ProstCodec;

const BOOK: &str = "/v1/shelves/s1/books/b1";
const WATCH: &str = "/v1/shelves/s1/books/b1:watch";

/// An upstream whose replies begin at once and end when they are let go.
struct Desk {
    uri: String,
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
    _stop: DropGuard,
}

#[derive(Clone)]
struct Shared {
    arrived: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
}

async fn desk() -> Desk {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    let shared = Shared { arrived: Arc::new(Semaphore::new(0)), let_go: Arc::new(Semaphore::new(0)) };
    let app = Router::new()
        .route(&format!("/{SERVICE}/GetBook"), post(answer))
        .route(&format!("/{SERVICE}/WatchBook"), post(answer))
        .fallback(|| async { Status::unimplemented("no such method").into_http::<Body>() })
        .with_state(shared.clone());
    let stop = CancellationToken::new();
    tokio::spawn(Port::grpc("desk", listener, limits()).serve(app, stop.clone()));
    Desk { uri, arrived: shared.arrived, let_go: shared.let_go, _stop: stop.drop_guard() }
}

/// A head, one message, and the trailers once a call is let go.
async fn answer(State(Shared { arrived, let_go }): State<Shared>) -> Response<axum::body::Body> {
    arrived.add_permits(1);
    let message = Book { name: "b1".to_owned(), ..Book::default() }.encode_to_vec();
    let length = u32::try_from(message.len()).expect("it is small").to_be_bytes();
    let message = Frame::data(Bytes::from([&[0], length.as_slice(), &message].concat()));
    let ended = async move {
        let_go.acquire().await.expect("it is open").forget();
        let status = (Status::GRPC_STATUS, HeaderValue::from_static("0"));
        Frame::trailers(HeaderMap::from_iter([status]))
    };
    let frames = stream::iter([message]).chain(stream::once(ended)).map(Ok::<_, Infallible>);
    let mut response = Response::new(axum::body::Body::new(StreamBody::new(frames)));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

impl Desk {
    /// A gateway that lets two calls of the desk be under way.
    async fn gateway(&self) -> Gateway {
        let bounds = ["--default-access", "public", "--upstream-concurrency", "2"];
        Gateway::of_library(&self.uri, &bounds).await
    }

    /// Waits until so many more calls have come.
    async fn arrived(&self, count: u32) {
        let arrived = tokio::time::timeout(WAIT, self.arrived.acquire_many(count)).await;
        arrived.expect("they come in time").expect("it is open").forget();
    }
}

/// A call by gRPC-Web, whose reply has begun at the desk and not ended.
async fn begun(desk: &Desk, gateway: &Gateway) -> AbortOnDropHandle<reqwest::Response> {
    let call = gateway.client().request(Method::POST, &format!("/{SERVICE}/GetBook"));
    let call = call.header("content-type", "application/grpc-web").body(vec![0_u8; 5]);
    let called = AbortOnDropHandle::new(tokio::spawn(async move { call.send().await.expect("a reply") }));
    desk.arrived(1).await;
    called
}

/// A call that is not let go, when it is not refused.
async fn another(gateway: &Gateway) -> Reply {
    reply(gateway.client().request(Method::GET, BOOK).header("x-request-timeout", "1")).await
}

/// Waits until a call that is let go is answered.
async fn answers_again(desk: &Desk, gateway: &Gateway) {
    eventually(WAIT, || async {
        desk.let_go.add_permits(1);
        let reply = another(gateway).await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(())
    })
    .await;
}

fn is_refused(reply: &Reply) -> bool {
    (reply.status, reason(reply).as_str()) == (503, "UPSTREAM_OVERLOADED")
}

#[tokio::test]
async fn a_call_above_the_bound_is_refused_and_one_that_has_ended_frees_its_place() {
    let desk = desk().await;
    let gateway = desk.gateway().await;
    let client = gateway.client();
    let refused = async {
        desk.arrived(2).await;
        let refused = another(&gateway).await;
        desk.let_go.add_permits(2);
        refused
    };
    let (first, second, refused) = tokio::join!(client.get(BOOK), client.get(BOOK), refused);
    assert!(is_refused(&refused), "{refused:?}");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!((first.status, second.status), (200, 200));
    answers_again(&desk, &gateway).await;
}

#[tokio::test]
async fn a_place_is_taken_until_the_end_of_the_body_and_not_of_the_head() {
    let desk = desk().await;
    let gateway = desk.gateway().await;
    let (first, _second) = (begun(&desk, &gateway).await, begun(&desk, &gateway).await);
    let refused = another(&gateway).await;
    assert!(is_refused(&refused), "{refused:?}");
    desk.let_go.add_permits(1);
    first.await.expect("it runs").bytes().await.expect("the reply ends");
    answers_again(&desk, &gateway).await;
}

#[tokio::test]
async fn a_caller_that_leaves_midway_frees_its_place() {
    let desk = desk().await;
    let gateway = desk.gateway().await;
    let has_place = || {
        eventually(WAIT, || async {
            let reply = another(&gateway).await;
            // It is not let go either.
            ensure!(reply.status == 504, "{reply:?}");
            Ok(())
        })
    };
    let (leaving, _staying) = (begun(&desk, &gateway).await, begun(&desk, &gateway).await);
    assert!(is_refused(&another(&gateway).await));
    drop(leaving);
    has_place().await;
    desk.arrived(1).await;
    let client = gateway.client();
    let waiting = tokio::spawn(async move { client.get(BOOK).await });
    desk.arrived(1).await;
    assert!(is_refused(&another(&gateway).await));
    waiting.abort();
    has_place().await;
}

#[tokio::test]
async fn a_caller_that_takes_nothing_of_its_replies_keeps_no_place() {
    let acme = library("acme").await;
    let gateway = Gateway::of_library(&acme.uri, &["--default-access", "public", "--upstream-concurrency", "2"]).await;
    let endpoint = Endpoint::from_shared(gateway.uri.clone()).expect("an address").initial_stream_window_size(0);
    let mut client = Grpc::new(endpoint.connect().await.expect("it listens"));
    let mut untaken = Vec::new();
    for _ in 0..4 {
        client.ready().await.expect("it is connected");
        let path = format!("/{SERVICE}/GetBook").parse().expect("a path");
        let codec = ProstCodec::<GetBookRequest, ()>::default();
        // Read like a stream, of which the head alone is waited for.
        untaken.push(client.server_streaming(tonic::Request::new(GetBookRequest::default()), path, codec).await);
    }
    assert!(untaken.iter().all(Result::is_ok), "{untaken:?}");
    assert_eq!(gateway.client().get(BOOK).await.status, 200);
}

#[tokio::test]
async fn streams_do_not_take_the_places_of_calls() {
    let desk = desk().await;
    let gateway = desk.gateway().await;
    let watch = async || gateway.client().request(Method::GET, WATCH).send().await.expect("a reply begins");
    let _watching = [watch().await, watch().await];
    let refused = reply(gateway.client().request(Method::GET, WATCH)).await;
    assert!(is_refused(&refused), "{refused:?}");
    let book = another(&gateway).await;
    assert_eq!(book.status, 504, "it is not let go, and not refused: {book:?}");
}
