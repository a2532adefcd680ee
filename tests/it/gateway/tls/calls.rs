//! Calls over TLS.

use super::{
    BOOK, Served,
    client::{Tls, get},
};
use crate::gateway::foreign::library::{CountBooksRequest, CountBooksResponse, SERVICE};
use http_body_util::{BodyExt, Empty};
use hyper::{Request, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::binary;
use std::process::Command;
use tokio_rustls::rustls::{
    HandshakeKind, ProtocolVersion,
    version::{TLS12, TLS13},
};
use tonic::{
    client::Grpc,
    transport::{Certificate, ClientTlsConfig, Endpoint},
};
use tonic_prost::ProstCodec;

#[tokio::test]
async fn a_json_call_is_answered_over_either_version_of_tls_and_of_http() {
    let served = Served::start(&[]).await;
    for version in [&TLS12, &TLS13] {
        let h1 = Tls::of(served.address(), &served.authority, &[version], &["http/1.1"]);
        let mut stream = h1.connect().await.expect("they agree");
        let agreed = stream.get_ref().1;
        assert_eq!(agreed.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(agreed.protocol_version(), Some(version.version));
        let reply = get(&mut stream, BOOK).await.expect("it answers");
        assert!(reply.starts_with("HTTP/1.1 200 OK") && reply.contains("\"of acme\""), "{reply}");

        let h2 = Tls::of(served.address(), &served.authority, &[version], &["http/1.1", "h2"]);
        let stream = h2.connect().await.expect("they agree");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the better one, whatever the order");
        let (mut requests, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.expect("HTTP/2");
        tokio::spawn(connection);
        let request = Request::get(format!("https://localhost{BOOK}")).body(Empty::<&[u8]>::new()).expect("a request");
        let reply = requests.send_request(request).await.expect("it answers");
        assert_eq!(reply.status(), 200);
        let body = reply.into_body().collect().await.expect("a body").to_bytes();
        assert!(String::from_utf8_lossy(&body).contains("\"of acme\""), "{body:?}");
    }
}

#[tokio::test]
async fn a_grpc_call_is_answered_over_tls() {
    let served = Served::start(&[]).await;
    let root = Certificate::from_pem(served.authority.root());
    let endpoint = Endpoint::from_shared(format!("https://{}", served.address())).expect("a URI");
    let endpoint = endpoint.tls_config(ClientTlsConfig::new().ca_certificate(root)).expect("a root");
    let mut client = Grpc::new(endpoint.connect().await.expect("they agree"));
    client.ready().await.expect("connected");
    let path = format!("/{SERVICE}/CountBooks").parse().expect("a path");
    let codec = ProstCodec::<CountBooksRequest, CountBooksResponse>::default();
    let reply = client.unary(tonic::Request::new(CountBooksRequest {}), path, codec).await.expect("a count");
    assert_eq!(reply.into_inner().count, 3);
}

#[tokio::test]
async fn a_client_that_comes_again_resumes_its_session() {
    let served = Served::start(&[]).await;
    for version in [&TLS12, &TLS13] {
        let client = Tls::of(served.address(), &served.authority, &[version], &[]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = client.connect().await.expect("they agree");
            // The ticket comes with the first bytes of the reply.
            get(&mut stream, "/healthz").await.expect("it answers");
            kinds.push(stream.get_ref().1.handshake_kind());
        }
        let name = if version.version == ProtocolVersion::TLSv1_2 { "1.2" } else { "1.3" };
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)], "{name}");
    }
}

#[tokio::test]
async fn probes_are_answered_over_tls_whoever_signed_the_certificate() {
    let served = Served::start(&[]).await;
    for path in ["", "/readyz", "/healthz"] {
        let address = format!("https://{}{path}", served.address());
        let mut command = Command::new(binary());
        command.args(["healthcheck", "--addr", &address]).env_clear();
        let output = tokio::task::spawn_blocking(move || command.output()).await.expect("it ends");
        let output = output.expect("the binary runs");
        assert!(output.status.success(), "{address}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
