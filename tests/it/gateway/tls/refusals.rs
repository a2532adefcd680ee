//! Whoever comes to the port and speaks no TLS, or none that is spoken there.

use super::{Served, client::Tls};
use crate::gateway::foreign::WAIT;
use kit::eventually;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::rustls::version::TLS13;

/// The header timeout of these gateways.
const SHORT: [&str; 2] = ["--header-timeout-seconds", "1"];

/// Begin of a TLS record of 512 bytes with a client's hello.
const HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";

/// What comes until the other end closes; a reset is an end.
async fn rest(mut stream: impl AsyncReadExt + Unpin) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(WAIT, stream.read_to_end(&mut rest)).await.expect("the connection ends in time");
    rest
}

#[tokio::test]
async fn silence_half_a_handshake_and_no_request_end_within_the_header_timeout() {
    let served = Served::start(&SHORT).await;
    for (case, bytes) in [("silence", &b""[..]), ("a byte", b"\x16"), ("half a hello", HELLO)] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(served.address()).await.expect("the port is open");
        stream.write_all(bytes).await.expect("it takes bytes");
        eventually(WAIT, || async { served.tls().get("/healthz").await.map(drop) }).await;
        assert_eq!(rest(stream).await, b"", "{case}");
        assert!(began.elapsed() >= Duration::from_secs(1), "{case} was not given its time");
    }
    let began = Instant::now();
    let stream = served.tls().connect().await.expect("they agree");
    assert_eq!(rest(stream).await, b"", "no request");
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_hello_that_comes_byte_by_byte_gets_no_longer() {
    let served = Served::start(&SHORT).await;
    let (reader, mut writer) = TcpStream::connect(served.address()).await.expect("the port is open").into_split();
    let writing = tokio::spawn(async move {
        for byte in HELLO.iter().chain(&[0; 400]) {
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    rest(reader).await;
    writing.abort();
}

#[tokio::test]
async fn plain_http_to_the_port_is_closed_without_a_reply_and_without_a_warning() {
    let served = Served::start(&[]).await;
    let warnings = || served.gateway.count("\"WARN\"") + served.gateway.count("\"ERROR\"");
    let before = warnings();
    for request in ["GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(served.address()).await.expect("the port is open");
        stream.write_all(request.as_bytes()).await.expect("it takes bytes");
        let reply = rest(stream).await;
        assert!(!String::from_utf8_lossy(&reply).contains("HTTP/"), "{reply:?}");
    }
    let alien = Tls::of(served.address(), &served.authority, &[&TLS13], &["spdy/3"]);
    let error = alien.connect().await.expect_err("there is nothing to agree on").to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
    let stranger = Tls::new(served.address(), &super::Authority::new());
    assert!(stranger.connect().await.is_err(), "a client that trusts others turns away");
    assert!(served.tls().get("/healthz").await.is_ok());
    assert_eq!(warnings(), before, "{}", served.gateway.process.tail(3));
}
