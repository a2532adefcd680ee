//! What a call says about its peer, by real connections.

use crate::cli::settings::limits;
use axum::{Router, routing::post};
use http::{Request, Response, StatusCode};
use rpc::{Port, breaker::Outcome};
use std::time::Duration;
use tokio::{io::AsyncReadExt, net::TcpListener};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::ServiceExt;

async fn listener() -> (TcpListener, Channel) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let uri = format!("http://{}", listener.local_addr().expect("bound"));
    (listener, Endpoint::from_shared(uri).expect("an address").connect_lazy())
}

async fn call(channel: &Channel, path: &str) -> Outcome {
    let request = Request::post(path).header("grpc-timeout", "2S").body(Body::empty()).expect("a request");
    Outcome::of(&channel.clone().oneshot(request).await)
}

#[tokio::test]
async fn a_port_that_is_closed_is_unreachable_and_a_connection_that_breaks_is_lost() {
    let (closed, channel) = listener().await;
    drop(closed);
    assert_eq!(call(&channel, "/a").await, Outcome::Unreachable);
    let (breaking, channel) = listener().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = breaking.accept().await {
            // The preface and the head of the request, and then no more.
            let _ = stream.read(&mut [0; 4096]).await;
        }
    });
    assert_eq!(call(&channel, "/a").await, Outcome::Lost);
}

#[tokio::test]
async fn what_a_service_answers_is_no_failure_and_what_a_proxy_says_for_it_is() {
    let (listener, channel) = listener().await;
    let unavailable = || async { rpc::status::unavailable("A_REASON", "said by a service").into_http::<Body>() };
    let bare = |code| move || async move { Status::new(code, "said by a proxy").into_http::<Body>() };
    let http = |status| {
        move || async move {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            response
        }
    };
    let app = Router::new()
        .route("/details", post(unavailable))
        .route("/bare", post(bare(Code::Unavailable)))
        .route("/deadline", post(bare(Code::DeadlineExceeded)))
        .route("/internal", post(bare(Code::Internal)))
        .route("/502", post(http(StatusCode::BAD_GATEWAY)))
        .route("/503", post(http(StatusCode::SERVICE_UNAVAILABLE)))
        .route("/404", post(http(StatusCode::NOT_FOUND)))
        .route("/panic", post(|| async { panic!("a handler that panics") as () }))
        .route("/silent", post(|| tokio::time::sleep(Duration::from_secs(60))));
    let stop = CancellationToken::new();
    tokio::spawn(Port::grpc("peer", listener, limits()).serve(app, stop.clone()));
    let _stop = stop.drop_guard();
    for (path, outcome) in [
        ("/details", Outcome::Reached),
        ("/bare", Outcome::Lost),
        ("/deadline", Outcome::Unknown),
        ("/internal", Outcome::Reached),
        ("/502", Outcome::Lost),
        ("/503", Outcome::Lost),
        ("/404", Outcome::Reached),
        ("/panic", Outcome::Unknown),
        ("/silent", Outcome::Unknown),
    ] {
        assert_eq!(call(&channel, path).await, outcome, "{path}");
    }
}
