//! Connections to a gRPC port that are kept and not used: channels between services and watches over them outlive idle time.

use super::{LONG, SHORT, TIMEOUT, connect, ended};
use crate::{
    cli::settings::limits,
    http2::{DATA, END_STREAM, PREFACE, answered, call, frame, reset, streams},
};
use rpc::{Channel, KeySet, Limits, Server, server::Readiness};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::service::Routes;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};

const NAME: &str = "test.v1.Test";

const CHECK: &str = "/grpc.health.v1.Health/Check";

/// A gRPC server with one name, which is ready.
async fn serve(limits: Limits) -> (SocketAddr, Readiness, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let (address, stop) = (listener.local_addr().expect("bound"), CancellationToken::new());
    let keys = KeySet::from_jwks(r#"{"keys":[]}"#).expect("a key set");
    let server = Server::new(keys, &[NAME], Routes::default()).expect("the contracts are sound");
    let readiness = server.readiness();
    readiness.set(true);
    let stopped = stop.clone();
    tokio::spawn(async move { server.serve("test", listener, limits, stopped).await });
    (address, readiness, stop.drop_guard())
}

fn health(address: SocketAddr) -> HealthClient<Channel> {
    HealthClient::new(Channel::new(&format!("http://{address}"), None).expect("an address"))
}

/// Passes connections on to `address`; where, and how many there were.
async fn counted(address: SocketAddr) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, count) =
        (TcpListener::bind("127.0.0.1:0").await.expect("a free port"), Arc::new(AtomicUsize::new(0)));
    let (entrance, counter) = (listener.local_addr().expect("bound"), Arc::clone(&count));
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let mut to = TcpStream::connect(address).await?;
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    (entrance, count)
}

fn name(name: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: name.to_owned() }
}

#[tokio::test]
async fn a_channel_that_was_idle_for_longer_than_the_limits_loses_no_call() {
    let idle = Duration::from_millis(50);
    let limits = Limits { idle_timeout: idle, header_timeout: idle, ..limits() };
    let (address, _readiness, _stop) = serve(limits).await;
    let (entrance, connections) = counted(address).await;
    let mut client = health(entrance);
    for number in 0..60 {
        client.check(name(NAME)).await.unwrap_or_else(|status| panic!("call {number}: {status:?}"));
        // The pause is what is tested: from a little before the limit to a little after.
        tokio::time::sleep(idle - Duration::from_millis(5) + Duration::from_micros(number * 200)).await;
    }
    let beyond = connect(address, PREFACE).await;
    ended(beyond).await; // more than either limit has passed
    client.check(name(NAME)).await.expect("the channel is as it was");
    // A call that is sent while the server says goodbye would be lost; so the server never does.
    assert_eq!(connections.load(Ordering::Relaxed), 1, "a connection was ended for being idle");
}

#[tokio::test]
async fn an_http2_connection_ends_that_sends_no_request_or_answers_no_ping() {
    let request = [PREFACE, b"\0\0\x09\x01\x05\0\0\0\x01\x82\x86\x84\x41\x04test"].concat();
    let patient = Limits { idle_timeout: SHORT, header_timeout: Duration::from_secs(2), ..limits() };
    let (address, _readiness, _stop) = serve(patient).await;
    let began = Instant::now();
    ended(connect(address, PREFACE).await).await;
    assert!(began.elapsed() < Duration::from_secs(4), "it was told to go before the first ping");
    let strict = Limits { idle_timeout: LONG, header_timeout: SHORT, ..limits() };
    let (address, _readiness, _stop) = serve(strict).await;
    for silent in [PREFACE, &request] {
        ended(connect(address, silent).await).await;
    }
}

#[tokio::test]
async fn a_watch_outlives_every_timeout_and_tells_what_changes_after_them() {
    let limits = Limits { idle_timeout: SHORT, header_timeout: SHORT, ..limits() };
    let (address, readiness, _stop) = serve(limits).await;
    let mut watch = health(address).watch(name(NAME)).await.expect("a watch").into_inner();
    let first = watch.message().await.expect("a message").expect("the first");
    assert_eq!(first.status(), ServingStatus::Serving);
    for _ in 0..5 {
        ended(connect(address, b"").await).await; // each takes the header timeout
    }
    readiness.set(false);
    let next = tokio::time::timeout(TIMEOUT, watch.message()).await.expect("in time");
    assert_eq!(next.expect("the connection is whole").expect("one more").status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn a_grpc_port_ends_what_is_silent_half_sent_or_another_protocol() {
    let limits = Limits { header_timeout: SHORT, idle_timeout: LONG, ..limits() };
    let (address, _readiness, _stop) = serve(limits).await;
    for bytes in [b"".as_slice(), b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
    {
        let stream = connect(address, bytes).await;
        health(address).check(name(NAME)).await.expect("others are served");
        ended(stream).await;
    }
}

#[tokio::test]
async fn silent_connections_of_one_address_leave_a_services_channel_alone() {
    let limits = Limits { connections_per_address: 20, header_timeout: LONG, ..limits() };
    let (address, _readiness, _stop) = serve(limits).await;
    let mut client = health(address);
    let mut watch = client.watch(name(NAME)).await.expect("a watch").into_inner();
    watch.message().await.expect("a message").expect("the first");
    let mut silent = Vec::new();
    for _ in 0..200 {
        silent.push(connect(address, b"").await);
        client.check(name(NAME)).await.expect("the channel is served");
    }
    let still_open = tokio::time::timeout(Duration::ZERO, watch.message()).await;
    assert!(still_open.is_err(), "the watch goes on: {still_open:?}");
}

/// All callers of a gateway share one connection.
#[tokio::test]
async fn streams_reset_before_they_are_accepted_end_no_connection_between_services() {
    let (address, _readiness, _stop) = serve(limits()).await;
    let mut ids = streams();
    let burst: Vec<u8> = ids.by_ref().take(1_000).flat_map(|id| [call(id, CHECK), reset(id)].concat()).collect();
    let mut stream = connect(address, &[PREFACE, &burst].concat()).await;
    let other = ids.next().expect("endless");
    let empty = frame(DATA, END_STREAM, other, &[0; 5]);
    stream.write_all(&[call(other, CHECK), empty].concat()).await.expect("the connection is whole");
    tokio::time::timeout(TIMEOUT, answered(&mut stream, &mut Vec::new(), &[other])).await.expect("in time");
}
