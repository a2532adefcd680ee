//! Another certificate in the place of the one in use.

use super::{Authority, Served, client::Tls};
use crate::gateway::foreign::{Gateway, WAIT, replace};
use anyhow::ensure;
use kit::{Directory, eventually};
use std::{os::unix::fs::symlink, path::Path};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{client::TlsStream, rustls::pki_types::CertificateDer};

const IN_USE: &str = "new connections get this certificate";
const REFUSED: &str = "the new certificate is refused; the one in use stays";

/// Waits until new connections get this certificate.
async fn is_served(tls: &Tls, certificate: &CertificateDer<'static>) {
    eventually(WAIT, || async {
        ensure!(tls.certificate().await? == *certificate, "it is another one");
        Ok(())
    })
    .await;
}

/// Reads on until a chunk with this text has come.
async fn read_until(stream: &mut TlsStream<TcpStream>, text: &str) {
    let mut read = String::new();
    while !read.contains(text) {
        let mut buffer = [0; 4096];
        let count = tokio::time::timeout(WAIT, stream.read(&mut buffer)).await.expect("it goes on");
        let count = count.expect("the connection is whole");
        assert!(count > 0, "the stream ended after {read}");
        read += &String::from_utf8_lossy(&buffer[..count]);
    }
}

#[tokio::test]
async fn new_connections_get_a_changed_certificate_while_a_stream_goes_on() {
    let served = Served::start(&[]).await;
    let mut watching = served.tls().connect().await.expect("they agree");
    let request = b"GET /v1/shelves/s1/books/b1:watch HTTP/1.1\r\nhost: localhost\r\n\r\n";
    watching.write_all(request).await.expect("it takes bytes");
    read_until(&mut watching, "\"pages\":\"3\"").await;
    assert_eq!(served.tls().certificate().await.expect("one"), served.issued.der);
    let next = served.authority.issue();
    // One after the other, with a look between them that finds a pair that doesn't match.
    replace(&served.directory().join("tls.crt"), next.chain.as_bytes());
    read_until(&mut watching, "\"pages\":\"110\"").await;
    replace(&served.directory().join("tls.key"), next.key.as_bytes());
    is_served(&served.tls(), &next.der).await;
    read_until(&mut watching, "\"pages\":\"250\"").await;
    assert_eq!((served.gateway.count(IN_USE), served.gateway.count(REFUSED)), (2, 0));
}

#[tokio::test]
async fn a_certificate_whose_link_is_swapped_as_kubernetes_does_is_served() {
    let (authority, directory) = (Authority::new(), Directory::new());
    let (first, second) = (authority.issue(), authority.issue());
    let at = |name: &str| directory.0.join(name);
    for (folder, issued) in [("one", &first), ("two", &second)] {
        std::fs::create_dir(at(folder)).expect("it can be made");
        issued.write(&at(folder));
    }
    let link = |to: &str, from: &Path| symlink(to, from).expect("a link");
    link("one", &at("..data"));
    link("..data/tls.crt", &at("tls.crt"));
    link("..data/tls.key", &at("tls.key"));
    let (swapped, data) = (at("..data_tmp"), at("..data"));
    let served = Served::with(directory, authority, first, &[]).await;
    assert_eq!(served.tls().certificate().await.expect("one"), served.issued.der);
    link("two", &swapped);
    std::fs::rename(swapped, data).expect("it is swapped");
    is_served(&served.tls(), &second.der).await;
}

#[tokio::test]
async fn at_sighup_the_files_are_read_again_at_once() {
    let served = Served::start(&[]).await;
    for round in 2..6 {
        let next = served.authority.issue();
        next.write(served.directory());
        served.gateway.hangup();
        served.gateway.logged(IN_USE, round).await;
        assert_eq!(served.tls().certificate().await.expect("one"), next.der, "{round}");
    }
    served.gateway.hangup();
    served.gateway.logged("the certificate is the one in use", 1).await;
}

#[tokio::test]
async fn a_broken_pair_is_refused_with_one_line_and_the_one_before_stays() {
    let served = Served::start(&[]).await;
    let (other, old) = (served.authority.issue(), served.authority.issue_between(2019, 2020));
    let future = served.authority.issue_between(4000, 4001);
    let broken = [
        (b"no certificate".to_vec(), other.key.clone(), "has no certificate in PEM form"),
        (other.chain.clone().into_bytes(), served.issued.key.clone(), "is not that of the certificate in"),
        (old.chain.into_bytes(), old.key, "expired"),
        (future.chain.into_bytes(), future.key, "is not valid before"),
    ];
    for (count, (chain, key, why)) in (1..).zip(broken) {
        replace(&served.directory().join("tls.crt"), &chain);
        replace(&served.directory().join("tls.key"), key.as_bytes());
        // The first one is found by the gateway itself.
        if count > 1 {
            served.gateway.hangup();
        }
        served.gateway.logged(REFUSED, count).await;
        assert_eq!(served.gateway.count(why), 1, "{why}: {}", served.gateway.process.tail(3));
        assert_eq!(served.tls().certificate().await.expect("one"), served.issued.der, "{why}");
    }
    std::fs::remove_file(served.directory().join("tls.key")).expect("it is there");
    served.gateway.logged("cannot read", 1).await;
    other.write(served.directory());
    is_served(&served.tls(), &other.der).await;
    assert_eq!(served.gateway.count(REFUSED), 5, "each once, whatever the looks");
}

#[tokio::test]
async fn sighup_does_not_end_a_gateway_that_has_no_file_to_read_again() {
    let directory = Directory::new();
    let keys = directory.0.join("keys.json");
    std::fs::write(&keys, r#"{"keys": []}"#).expect("it can be written");
    let gateway = Gateway::spawn(directory, &["--jwks-file", &keys.display().to_string()]).await;
    for _ in 0..3 {
        gateway.hangup();
        assert_eq!(gateway.client().get("/healthz").await.status, 200);
    }
}
