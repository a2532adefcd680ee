//! A client that speaks TLS by hand, so that a test sees what was agreed on.

use super::authority::Authority;
use anyhow::Context as _;
use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};

#[derive(Clone)]
pub struct Tls {
    address: SocketAddr,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// One that trusts `authority`, knows both versions and no ALPN, and resumes what it has had.
    pub fn new(address: SocketAddr, authority: &Authority) -> Self {
        Self::of(address, authority, &[&TLS13, &TLS12], &[])
    }

    pub fn of(
        address: SocketAddr,
        authority: &Authority,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&str],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(authority.root().as_bytes()).expect("PEM");
        roots.add(root).expect("a certificate");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_protocol_versions(versions).expect("known versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Tls { address, config: Arc::new(config) }
    }

    pub async fn connect(&self) -> anyhow::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        Ok(TlsConnector::from(self.config.clone()).connect(name, stream).await?)
    }

    /// The reply to a GET over HTTP/1.1, head and body, on a connection of its own.
    pub async fn get(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = self.connect().await?;
        get(&mut stream, path).await
    }

    /// The certificate that a new connection gets.
    pub async fn certificate(&self) -> anyhow::Result<CertificateDer<'static>> {
        let stream = self.connect().await?;
        let chain = stream.get_ref().1.peer_certificates().context("no certificate")?;
        Ok(chain.first().context("no certificate")?.clone().into_owned())
    }
}

/// The reply to a GET over HTTP/1.1, the last one of this connection.
pub async fn get(stream: &mut TlsStream<TcpStream>, path: &str) -> anyhow::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).await?;
    Ok(reply)
}
