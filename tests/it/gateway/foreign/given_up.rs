//! Calls that are given up while a service reads nothing. Their connection is that of all callers, and a server ends one on
//! which it finds more streams reset than it will bear before it has accepted them (CVE-2023-44487).

use super::{
    Gateway,
    dam::Dam,
    library::{SERVICE, STREAMS, library},
};
use crate::http2::{GOAWAY, HEADERS, PREFACE, RST_STREAM, answered, call, request, reset, streams};
use futures::{StreamExt, future::join_all, stream};
use kit::reply;
use reqwest::{Body, Method};
use std::{convert::Infallible, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch};

/// Calls that are given up at once: more than a server bears, and fewer than it has streams.
const GIVEN_UP: usize = 64;

/// Calls of others behind them.
const OTHERS: usize = 16;

const STUCK: &str = "/v1/shelves/s1/books/stuck";

/// A gateway before a service that is shut off, with the frames of calls that it has sent so far.
async fn shut_off() -> (Gateway, Dam, usize) {
    let dam = Dam::of(library("acme").await).await;
    let gateway = Gateway::of_library(&dam.uri, &["--default-access", "public"]).await;
    gateway.client().get("/v1/shelves/s1/books/b1").await.expect(200);
    dam.is_open.send_replace(false);
    let before = dam.frames(HEADERS);
    (gateway, dam, before)
}

/// The calls have been given up: those of others are answered all the same, on the same connection, and the service learns of
/// each call that nobody waits for it.
async fn others_are_whole(gateway: &Gateway, dam: &Dam) {
    others_are_answered(gateway, dam).await;
    dam.has(RST_STREAM, GIVEN_UP).await;
    gateway.client().get("/v1/shelves/s1/books/b1").await.expect(200);
    assert_eq!(dam.frames(RST_STREAM), GIVEN_UP);
}

async fn others_are_answered(gateway: &Gateway, dam: &Dam) {
    let client = gateway.client();
    let others = join_all((0..OTHERS).map(|_| async { client.get("/v1/shelves/s1/books/b1").await.expect(200) }));
    let opens = async {
        settled().await;
        dam.is_open.send_replace(true);
    };
    tokio::join!(others, opens);
    client.get("/v1/shelves/s1/books/b1").await.expect(200);
}

/// What the gateway does about what it has been sent, it has done by then: nothing outside tells that it has.
async fn settled() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Streams of one caller, whose calls are under way when they are reset.
async fn reset_by_their_caller(head: impl Fn(u32) -> Vec<u8>) {
    let (gateway, dam) = with_reset_streams(head).await;
    others_are_whole(&gateway, &dam).await;
}

async fn with_reset_streams(head: impl Fn(u32) -> Vec<u8>) -> (Gateway, Dam) {
    let (gateway, dam, before) = shut_off().await;
    let mut caller = TcpStream::connect(gateway.uri.trim_start_matches("http://")).await.expect("the port is open");
    let ids: Vec<u32> = streams().take(GIVEN_UP).collect();
    let calls: Vec<u8> = ids.iter().flat_map(|id| head(*id)).collect();
    caller.write_all(&[PREFACE, &calls].concat()).await.expect("the connection is whole");
    dam.has(HEADERS, before + GIVEN_UP).await;
    let resets: Vec<u8> = ids.iter().flat_map(|id| reset(*id)).collect();
    caller.write_all(&resets).await.expect("the connection is whole");
    (gateway, dam)
}

/// A place on the connection is waited for by one call in h2, and by the others before it.
#[tokio::test]
async fn calls_that_wait_for_a_place_on_a_connection_that_ends_are_made_on_the_next_one() {
    let (gateway, dam, before) = shut_off().await;
    dam.is_open.send_replace(true);
    let mut caller = TcpStream::connect(gateway.uri.trim_start_matches("http://")).await.expect("the port is open");
    let stuck: Vec<u8> = streams().take(STREAMS as usize).flat_map(|id| request(id, STUCK)).collect();
    caller.write_all(&[PREFACE, &stuck].concat()).await.expect("the connection is whole");
    dam.has(HEADERS, before + STREAMS as usize).await;
    let client = gateway.client();
    let waiting = join_all((0..OTHERS).map(|_| client.get("/v1/shelves/s1/books/b1")));
    let ends = async {
        settled().await; // they wait
        dam.end.send_replace(());
    };
    let (replies, ()) = tokio::join!(waiting, ends);
    let made = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(made >= OTHERS - 1, "{made} of {OTHERS} are made: {replies:?}");
}

/// Somebody who asks for the readiness of the gateway on many streams.
struct Asker {
    stream: TcpStream,
    ids: Vec<u32>,
    /// Read and not yet a whole frame.
    bytes: Vec<u8>,
}

/// The gateway has all of the questions.
async fn asking(gateway: &Gateway) -> Asker {
    let mut stream = TcpStream::connect(gateway.uri.trim_start_matches("http://")).await.expect("the port is open");
    let mut ids: Vec<u32> = streams().take(GIVEN_UP + 1).collect();
    let last = ids.pop().expect("there are some");
    let questions = ids.iter().flat_map(|id| request(*id, "/readyz"));
    let all: Vec<u8> = PREFACE.iter().copied().chain(questions).chain(request(last, "/healthz")).collect();
    stream.write_all(&all).await.expect("the connection is whole");
    let mut bytes = Vec::new();
    answered(&mut stream, &mut bytes, &[last]).await; // it came after them
    Asker { stream, ids, bytes }
}

#[tokio::test]
async fn who_leaves_with_a_question_for_readiness_ends_it_for_nobody_else() {
    let (gateway, dam, before) = shut_off().await;
    let (mut leaves, mut stays) = (asking(&gateway).await, asking(&gateway).await);
    settled().await;
    let resets: Vec<u8> = leaves.ids.iter().flat_map(|id| reset(*id)).collect();
    leaves.stream.write_all(&resets).await.expect("the connection is whole");
    others_are_answered(&gateway, &dam).await;
    answered(&mut stays.stream, &mut stays.bytes, &stays.ids).await;
    assert_eq!(dam.frames(HEADERS), before + 1 + OTHERS + 1, "one question, the calls of others, and one more");
}

#[tokio::test]
async fn questions_for_readiness_at_once_are_one_call_of_a_service() {
    let (gateway, dam, before) = shut_off().await;
    let mut asker = asking(&gateway).await;
    settled().await;
    dam.is_open.send_replace(true);
    answered(&mut asker.stream, &mut asker.bytes, &asker.ids).await;
    assert_eq!(dam.frames(HEADERS), before + 1);
    gateway.client().get("/readyz").await.expect(200);
    assert_eq!(dam.frames(HEADERS), before + 2, "an answer that has come is of no use to whoever asks later");
}

/// The service keeps the same deadline, so that some of them end by its answer.
#[tokio::test]
async fn calls_past_their_deadline_while_a_service_is_busy_leave_those_of_others_whole() {
    let (gateway, dam, _) = shut_off().await;
    let client = gateway.client();
    let late = (0..GIVEN_UP).map(|_| async {
        let call = client.request(Method::GET, STUCK).header("x-request-timeout", "500ms");
        reply(call).await.expect(504)
    });
    join_all(late).await;
    others_are_answered(&gateway, &dam).await;
}

#[tokio::test]
async fn calls_given_up_while_a_service_is_busy_leave_those_of_others_whole() {
    reset_by_their_caller(|id| request(id, STUCK)).await;
}

/// A stream that is reset is remembered for a second, and fifty of them.
#[tokio::test]
async fn messages_that_come_late_for_streams_given_up_leave_the_calls_of_others_whole() {
    let (gateway, dam, _) = shut_off().await;
    dam.is_open.send_replace(true);
    let mut caller = TcpStream::connect(gateway.uri.trim_start_matches("http://")).await.expect("the port is open");
    let ids: Vec<u32> = streams().take(STREAMS as usize - 10).collect();
    let watches: Vec<u8> = ids.iter().flat_map(|id| request(*id, "/v1/shelves/s1/books/b1:watch")).collect();
    caller.write_all(&[PREFACE, &watches].concat()).await.expect("the connection is whole");
    answered(&mut caller, &mut Vec::new(), &ids).await;
    dam.is_open.send_replace(false);
    let resets: Vec<u8> = ids.iter().flat_map(|id| reset(*id)).collect();
    caller.write_all(&resets).await.expect("the connection is whole");
    // The service has not heard of it, and sends fifty books a second on each.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let client = gateway.client();
    let other = async { client.get("/v1/shelves/s1/books/b1").await.expect(200) };
    let opens = async { dam.is_open.send_replace(true) };
    tokio::join!(other, opens);
    dam.has(RST_STREAM, ids.len()).await;
    client.get("/v1/shelves/s1/books/b1").await.expect(200);
    assert_eq!(dam.frames(GOAWAY), 0);
}

#[tokio::test]
async fn grpc_calls_given_up_while_a_service_is_busy_leave_those_of_others_whole() {
    reset_by_their_caller(|id| call(id, &format!("/{SERVICE}/GetBook"))).await;
}

#[tokio::test]
async fn lines_refused_while_a_service_is_busy_leave_the_calls_of_others_whole() {
    let (gateway, dam, before) = shut_off().await;
    let (client, (refuse, refused)) = (gateway.client(), watch::channel(false));
    let calls = join_all((0..GIVEN_UP).map(|_| {
        let mut refused = refused.clone();
        let bad = async move {
            refused.wait_for(|refused| *refused).await.expect("it is told");
            "no JSON\n"
        };
        let lines = stream::once(async { "{\"title\": \"A\"}\n" }).chain(stream::once(bad)).map(Ok::<_, Infallible>);
        let call = client.request(Method::POST, "/v1/books:sort");
        let call = call.header("content-type", "application/x-ndjson").body(Body::wrap_stream(lines));
        async { reply(call).await.expect(400) }
    }));
    let refusing = async {
        dam.has(HEADERS, before + GIVEN_UP).await;
        refuse.send_replace(true);
    };
    tokio::join!(calls, refusing);
    others_are_whole(&gateway, &dam).await;
}
