//! The gateway over TLS: the real binary, real sockets, certificates that are made here.

pub mod authority;
mod calls;
mod client;
mod metrics;
mod refusals;
mod renewal;
mod settings;
mod upstream;

use super::foreign::{
    Gateway, WAIT,
    library::{Running, library},
    library_set,
};
use anyhow::ensure;
use authority::{Authority, Issued};
use client::Tls;
use kit::{Directory, eventually};
use std::{net::SocketAddr, path::Path};

const BOOK: &str = "/v1/shelves/s1/books/b1";

/// A gateway that serves the library over TLS.
struct Served {
    gateway: Gateway,
    authority: Authority,
    /// What it began with.
    issued: Issued,
    _library: Running,
}

impl Served {
    async fn start(arguments: &[&str]) -> Self {
        let (authority, directory) = (Authority::new(), Directory::new());
        let issued = authority.issue();
        issued.write(&directory.0);
        Self::with(directory, authority, issued, arguments).await
    }

    /// With the files `tls.crt` and `tls.key` of `directory`.
    async fn with(directory: Directory, authority: Authority, issued: Issued, arguments: &[&str]) -> Self {
        let library = library("acme").await;
        let set = directory.0.join("library.binpb");
        std::fs::write(&set, library_set(&directory.0, |text| text)).expect("the directory can be written");
        let [set, certificate, key] =
            [set, directory.0.join("tls.crt"), directory.0.join("tls.key")].map(|path| path.display().to_string());
        let own = ["--descriptors", &set, "--upstream", &library.uri, "--default-access", "public"];
        let tls = ["--tls-certificate", &certificate, "--tls-key", &key];
        let gateway = Gateway::spawn(directory, &[&own[..], &tls, arguments].concat()).await;
        let served = Served { gateway, authority, issued, _library: library };
        eventually(WAIT, || async {
            let reply = served.tls().get("/readyz").await?;
            ensure!(reply.starts_with("HTTP/1.1 200 "), "{reply}");
            Ok(())
        })
        .await;
        served
    }

    fn address(&self) -> SocketAddr {
        self.gateway.uri.strip_prefix("http://").expect("an address").parse().expect("an address")
    }

    fn directory(&self) -> &Path {
        &self.gateway.directory.0
    }

    /// A client that trusts the authority and speaks HTTP/1.1.
    fn tls(&self) -> Tls {
        Tls::new(self.address(), &self.authority)
    }
}
