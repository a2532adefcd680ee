//! Calls that are given up while a service reads nothing. Their connection is that of all callers, and a server ends one on
//! which it finds more streams reset than it will bear before it has accepted them (CVE-2023-44487).

use super::{
    Gateway, WAIT,
    library::{Running, SERVICE, STREAMS, library},
};
use crate::http2::{GOAWAY, HEADERS, PREFACE, RST_STREAM, answered, call, read, request, reset, streams};
use anyhow::ensure;
use futures::{StreamExt, future::join_all, stream};
use kit::{eventually, reply};
use reqwest::{Body, Method};
use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// Calls that are given up at once: more than a server bears, and fewer than it has streams.
const GIVEN_UP: usize = 64;

/// Calls of others behind them.
const OTHERS: usize = 16;

const STUCK: &str = "/v1/shelves/s1/books/stuck";

/// What stands before a service. While it is shut, what the gateway sends waits, and then arrives at once.
struct Dam {
    uri: String,
    is_open: watch::Sender<bool>,
    /// Told when all connections are to end.
    end: watch::Sender<()>,
    /// What has come on each connection.
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
    _library: Running,
}

impl Dam {
    async fn before(library: Running) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let uri = format!("http://{}", listener.local_addr().expect("bound"));
        let (is_open, opened) = watch::channel(true);
        let (end, ends) = watch::channel(());
        let sent = Arc::new(Mutex::new(Vec::new()));
        let (service, record) = (library.uri.trim_start_matches("http://").to_owned(), sent.clone());
        tokio::spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                let (mut replies, calls) = TcpStream::connect(&service).await.expect("it listens").into_split();
                let (reader, mut writer) = caller.into_split();
                tokio::spawn(async move { copy(&mut replies, &mut writer).await });
                let number = record.lock().expect("no holder panics").len();
                record.lock().expect("no holder panics").push(Vec::new());
                let record = record.clone();
                let note = move |bytes: &[u8]| {
                    record.lock().expect("no holder panics")[number].extend_from_slice(bytes);
                };
                let (opened, mut ends) = (opened.clone(), ends.clone());
                ends.mark_unchanged();
                tokio::spawn(async move {
                    tokio::select! {
                        () = pass(reader, calls, opened, note) => {}
                        _ = ends.changed() => {}
                    }
                });
            }
        });
        Self { uri, is_open, end, sent, _library: library }
    }

    /// How many frames of this kind the gateway has sent on the connection of its calls, beside which it has one for probes.
    fn frames(&self, wanted: u8) -> usize {
        let sent = self.sent.lock().expect("no holder panics");
        assert!(sent.len() <= 2, "the gateway has had to connect again");
        read(&sent[0][24..]).into_iter().filter(|(kind, ..)| *kind == wanted).count()
    }

    /// Waits until there are at least so many.
    async fn has(&self, kind: u8, count: usize) {
        eventually(WAIT, || async {
            let sent = self.frames(kind);
            ensure!(sent >= count, "{sent} of {count} frames of kind {kind}");
            Ok(())
        })
        .await;
    }
}

/// Passes on what one connection of a caller sends, while the dam is open.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut opened: watch::Receiver<bool>,
    note: impl Fn(&[u8]),
) {
    let mut waiting = Vec::new();
    loop {
        let is_open = *opened.borrow_and_update();
        if is_open && to.write_all(&std::mem::take(&mut waiting)).await.is_err() {
            return;
        }
        let from_here = waiting.len();
        tokio::select! {
            changed = opened.changed() => if changed.is_err() { return },
            read = from.read_buf(&mut waiting) => match read {
                Ok(1..) => note(&waiting[from_here..]),
                _ => return,
            },
        }
    }
}

/// A gateway before a service that is shut off, with the frames of calls that it has sent so far.
async fn shut_off() -> (Gateway, Dam, usize) {
    let dam = Dam::before(library("acme").await).await;
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
        tokio::time::sleep(Duration::from_millis(300)).await; // what the gateway does about the calls, it has done by now
        dam.is_open.send_replace(true);
    };
    tokio::join!(others, opens);
    client.get("/v1/shelves/s1/books/b1").await.expect(200);
}

/// Streams of one caller, whose calls are under way when they are reset.
async fn reset_by_their_caller(head: impl Fn(u32) -> Vec<u8>) {
    let (gateway, dam) = with_reset_streams(head, GIVEN_UP).await;
    others_are_whole(&gateway, &dam).await;
}

/// So many calls of the service come of them.
async fn with_reset_streams(head: impl Fn(u32) -> Vec<u8>, calls_made: usize) -> (Gateway, Dam) {
    let (gateway, dam, before) = shut_off().await;
    let mut caller = TcpStream::connect(gateway.uri.trim_start_matches("http://")).await.expect("the port is open");
    let ids: Vec<u32> = streams().take(GIVEN_UP).collect();
    let calls: Vec<u8> = ids.iter().flat_map(|id| head(*id)).collect();
    caller.write_all(&[PREFACE, &calls].concat()).await.expect("the connection is whole");
    dam.has(HEADERS, before + calls_made).await;
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
        tokio::time::sleep(Duration::from_millis(300)).await; // by now they wait
        dam.end.send_replace(());
    };
    let (replies, ()) = tokio::join!(waiting, ends);
    let made = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(made >= OTHERS - 1, "{made} of {OTHERS} are made: {replies:?}");
}

#[tokio::test]
async fn questions_for_readiness_that_are_given_up_leave_the_calls_of_others_whole() {
    let (gateway, dam) = with_reset_streams(|id| request(id, "/readyz"), 1).await;
    others_are_answered(&gateway, &dam).await;
}

#[tokio::test]
async fn questions_for_readiness_at_once_are_one_call_of_a_service() {
    let (gateway, dam, before) = shut_off().await;
    let client = gateway.client();
    let asking = join_all((0..GIVEN_UP).map(|_| async { client.get("/readyz").await.expect(200) }));
    let opens = async {
        dam.has(HEADERS, before + 1).await;
        tokio::time::sleep(Duration::from_millis(300)).await; // all have asked by now
        dam.is_open.send_replace(true);
    };
    tokio::join!(asking, opens);
    assert_eq!(dam.frames(HEADERS), before + 1);
    client.get("/readyz").await.expect(200);
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
