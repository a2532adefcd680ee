//! Connections that are kept and not used: what every port bears of them, and who goes on being served.

mod flood;
mod grpc;

use crate::cli::settings::limits;
use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures::{StreamExt, stream};
use kit::eventually;
use rpc::{Limits, Port};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, mpsc},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long anything may take.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A limit that passes within a test, and one that does not.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(600);

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
const WAIT: &[u8] = b"GET /wait HTTP/1.1\r\nhost: test\r\n\r\n";

/// A port with an app: `/` answers, `/wait` answers when rung, `/endless` never ends and tells when it is cut off.
struct Served {
    address: SocketAddr,
    ring: Arc<Notify>,
    cut: mpsc::Receiver<()>,
    _stop: DropGuard,
}

async fn serve(limits: Limits) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (ring, stop) = (Arc::new(Notify::new()), CancellationToken::new());
    let (cut, was_cut) = mpsc::channel(8);
    let rung = ring.clone();
    let wait = move || async move {
        let chunks = stream::once(async { "begun" }).chain(stream::once(async move {
            rung.notified().await;
            "rung"
        }));
        Body::from_stream(chunks.map(Ok::<_, std::convert::Infallible>))
    };
    let endless = move || async move {
        let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
        let on_drop = DropSender(cut);
        Body::from_stream(stream::repeat(chunk).map(move |chunk| {
            let _ = &on_drop;
            Ok::<_, std::convert::Infallible>(chunk)
        }))
    };
    let app = Router::new().route("/", get(async || "here")).route("/wait", get(wait)).route("/endless", get(endless));
    tokio::spawn(Port::http("test", listener, limits).serve(app, stop.clone()));
    Served { address, ring, cut: was_cut, _stop: stop.drop_guard() }
}

struct DropSender(mpsc::Sender<()>);

impl Drop for DropSender {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// Connects and sends `bytes`.
async fn connect(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("the port is open");
    stream.write_all(bytes).await.expect("it takes bytes");
    stream
}

/// Reads until `text` is there.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let mut buffer = [0; 1024];
        let count = tokio::time::timeout(TIMEOUT, stream.read(&mut buffer)).await.expect("an answer in time");
        let count = count.expect("the connection is whole");
        assert!(count > 0, "the connection ended after {read:?}");
        read.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    read
}

/// Waits for the end of a connection; a reset is one.
async fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(TIMEOUT, stream.read_to_end(&mut rest)).await.expect("the connection ends in time");
}

/// Whether a request on a new connection is answered.
async fn answers(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let mut read = Vec::new();
    let request = b"GET / HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
    let exchange = async {
        stream.write_all(request).await?;
        stream.read_to_end(&mut read).await
    };
    tokio::time::timeout(TIMEOUT, exchange).await.is_ok_and(|read| read.is_ok()) && read.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let served = serve(Limits { header_timeout: SHORT, idle_timeout: LONG, ..limits() }).await;
    let settings = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let half_headers = [settings.as_slice(), b"\0\x01\0\x01\x05\0\0\0\x01\x82"].concat();
    let cases: [(&str, &[u8]); 7] = [
        ("silence", b""),
        ("half a method", b"PO"),
        ("half a head", b"GET / HTTP/1.1\r\nhost: te"),
        ("a head without its end", b"GET / HTTP/1.1\r\nhost: test\r\n"),
        ("half a preface", b"PRI * HTTP/2.0\r\n"),
        ("a preface and half its settings", &settings[..28]),
        ("half of HTTP/2 headers", &half_headers),
    ];
    for (case, bytes) in cases {
        let began = Instant::now();
        let stream = connect(served.address, bytes).await;
        assert!(answers(served.address).await, "others are served beside {case}");
        ended(stream).await;
        assert!(began.elapsed() >= SHORT, "{case} was not given its time");
    }
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_gets_no_longer() {
    let served = serve(Limits { header_timeout: SHORT, idle_timeout: LONG, ..limits() }).await;
    let (mut reader, mut writer) = connect(served.address, b"GET / HTTP/1.1\r\n").await.into_split();
    let writing = tokio::spawn(async move { while writer.write_all(b"a: b\r\n").await.is_ok() {} });
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(TIMEOUT, reader.read_to_end(&mut rest)).await.expect("it ends in time");
    writing.abort();
    assert!(!String::from_utf8_lossy(&rest).contains("200"), "no request was complete");
}

#[tokio::test]
async fn a_later_head_has_the_header_timeout_and_the_pause_before_it_the_idle_timeout() {
    let served = serve(Limits { header_timeout: SHORT, idle_timeout: LONG, ..limits() }).await;
    let mut idle = connect(served.address, REQUEST).await;
    read_until(&mut idle, "here").await;
    let mut half = connect(served.address, REQUEST).await;
    read_until(&mut half, "here").await;
    half.write_all(&REQUEST[..20]).await.expect("the connection is kept");
    ended(half).await;
    idle.write_all(REQUEST).await.expect("an idle connection is kept for longer than a head");
    read_until(&mut idle, "here").await;
}

#[tokio::test]
async fn an_idle_connection_ends_and_one_with_a_reply_under_way_does_not() {
    let served = serve(Limits { header_timeout: LONG, idle_timeout: SHORT, ..limits() }).await;
    let mut watching = connect(served.address, WAIT).await;
    read_until(&mut watching, "begun").await;
    for _ in 0..2 {
        let mut idle = connect(served.address, REQUEST).await;
        read_until(&mut idle, "here").await;
        ended(idle).await;
    }
    served.ring.notify_one();
    read_until(&mut watching, "rung").await;
}

#[tokio::test]
async fn who_takes_nothing_of_a_reply_is_cut_off() {
    let mut served = serve(Limits { idle_timeout: SHORT, ..limits() }).await;
    let _unread = connect(served.address, b"GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await;
    tokio::time::timeout(TIMEOUT, served.cut.recv()).await.expect("the reply is given up in time");
}

#[tokio::test]
async fn silent_connections_make_room_for_whoever_sends_a_request() {
    let (all, of_one) = (50, 40);
    let limits = Limits { header_timeout: LONG, connections: all, connections_per_address: of_one, ..limits() };
    let served = serve(limits).await;
    let mut kept = connect(served.address, REQUEST).await;
    read_until(&mut kept, "here").await;
    let mut silent = Vec::new();
    for number in 0..400 {
        silent.push(connect(served.address, b"GET /").await);
        if number % 40 == 0 {
            assert!(answers(served.address).await, "after {number} silent ones");
        }
    }
    eventually(TIMEOUT, || async {
        let open = silent.iter().filter(|each| is_open(each)).count();
        anyhow::ensure!(open < of_one, "{open} of one address are open");
        Ok(())
    })
    .await;
    kept.write_all(REQUEST).await.expect("who has sent a request goes after those who have not");
    read_until(&mut kept, "here").await;
}

/// Whether the other end has not closed it. Nothing is ever sent to these.
fn is_open(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0; 16]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

#[tokio::test]
async fn of_idle_connections_the_one_idle_for_longest_goes_first() {
    let served = serve(Limits { connections: 3, ..limits() }).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(served.address, REQUEST).await;
        read_until(&mut stream, "here").await;
        idle.push(stream);
    }
    idle[0].write_all(REQUEST).await.expect("open");
    read_until(&mut idle[0], "here").await;
    assert!(answers(served.address).await);
    ended(idle.remove(1)).await;
    for mut stream in idle {
        stream.write_all(REQUEST).await.expect("the others are kept");
        read_until(&mut stream, "here").await;
    }
}

#[tokio::test]
async fn when_all_have_a_request_under_way_the_next_is_refused_until_one_ends() {
    let served = serve(Limits { connections: 2, ..limits() }).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(served.address, WAIT).await;
        read_until(&mut stream, "begun").await;
        busy.push(stream);
    }
    assert!(!answers(served.address).await, "there is no room");
    drop(busy.pop());
    eventually(TIMEOUT, || async {
        anyhow::ensure!(answers(served.address).await, "there is room again");
        Ok(())
    })
    .await;
    served.ring.notify_one();
    read_until(&mut busy[0], "rung").await;
}

#[tokio::test]
async fn one_address_that_has_all_of_its_connections_leaves_the_others_theirs() {
    let served = serve(Limits { connections_per_address: 2, ..limits() }).await;
    let mut busy = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(served.address, WAIT).await;
        read_until(&mut stream, "begun").await;
        busy.push(stream);
    }
    assert!(!answers(served.address).await, "127.0.0.1 has what it may have");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.2:0".parse().expect("an address")).expect("loopback has many addresses");
    let mut other = socket.connect(served.address).await.expect("the port is open");
    other.write_all(REQUEST).await.expect("it takes bytes");
    read_until(&mut other, "here").await;
}
