//! Upstreams over https.

use super::{Authority, BOOK};
use crate::gateway::foreign::{
    Gateway, WAIT,
    dam::Dam,
    library::{Library, Running, serve_over},
    library_set,
};
use anyhow::ensure;
use kit::{Client, Directory, binary, eventually};
use std::{
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};
use tokio::time::{sleep, timeout};
use tonic::{
    service::Routes,
    transport::{Identity, Server, ServerTlsConfig},
};
use tonic_reflection::server::Builder;

const OPEN: [&str; 2] = ["--default-access", "public"];

/// A library over TLS, with reflection, whose authority is in `root.pem`.
struct Upstream {
    server: Running,
    directory: Directory,
}

impl Upstream {
    async fn start() -> Self {
        let (authority, directory) = (Authority::new(), Directory::new());
        let issued = authority.issue();
        std::fs::write(directory.0.join("root.pem"), authority.root()).expect("it can be written");
        let set = library_set(&directory.0, |text| text);
        std::fs::write(directory.0.join("library.binpb"), &set).expect("it can be written");
        let reflection = Builder::configure().register_encoded_file_descriptor_set(&set).build_v1();
        let routes = Routes::new(Library("acme")).add_service(reflection.expect("a reflection"));
        let tls = ServerTlsConfig::new().identity(Identity::from_pem(issued.chain, issued.key));
        let server = serve_over(Server::builder().tls_config(tls).expect("a pair"), routes).await;
        Upstream { server, directory }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    fn uri(&self) -> String {
        self.server.uri.replace("http://", "https://")
    }

    /// The arguments that name its authority.
    fn authority(&self) -> [String; 2] {
        ["--upstream-ca".to_owned(), self.file("root.pem").display().to_string()]
    }

    /// A gateway before it, with these arguments; it may never be ready.
    async fn gateway(&self, source: [&str; 2], arguments: &[String]) -> Gateway {
        let arguments = arguments.iter().map(String::as_str);
        let all: Vec<&str> = source.into_iter().chain(OPEN).chain(arguments).collect();
        Gateway::spawn(Directory::new(), &all).await
    }
}

/// Waits until the book is there.
async fn is_served(client: &Client) {
    eventually(WAIT, || async {
        let reply = client.get(BOOK).await;
        ensure!(reply.status == 200 && reply.body["title"] == "of acme", "{reply:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_upstream_over_https_is_believed_when_its_authority_is_named() {
    let upstream = Upstream::start().await;
    let set = upstream.file("library.binpb").display().to_string();
    let named = ["--upstream".to_owned(), upstream.uri()];
    let gateway = upstream.gateway(["--descriptors", &set], &[named.clone(), upstream.authority()].concat()).await;
    is_served(&gateway.client()).await;
    gateway.ready().await;

    let stranger = upstream.gateway(["--descriptors", &set], &named).await;
    let reply = stranger.client().get(BOOK).await;
    assert_eq!((reply.status, reply.body["code"].as_u64()), (503, Some(14)), "{reply:?}");
    let told = "the certificate of an upstream is refused; COMPTOIR_UPSTREAM_CA (or --upstream-ca)";
    assert!(stranger.count(told) == 1 && stranger.count("UnknownIssuer") == 1, "{}", stranger.process.tail(3));

    // The server is not the one of the address.
    let other = ["--upstream".to_owned(), upstream.uri().replace("127.0.0.1", "[::ffff:127.0.0.1]")];
    let misled = upstream.gateway(["--descriptors", &set], &[other, upstream.authority()].concat()).await;
    assert_eq!(misled.client().get(BOOK).await.status, 503);
    assert_eq!(misled.count("not valid for name"), 1, "{}", misled.process.tail(3));
}

/// The handshake of TLS is what a connection takes time for; the caller who leaves is the one who has begun it.
#[tokio::test]
async fn a_caller_who_leaves_while_the_connection_is_made_ends_it_for_nobody_else() {
    let upstream = Upstream::start().await;
    let dam = Dam::before(&upstream.uri()).await;
    dam.is_open.send_replace(false);
    let set = upstream.file("library.binpb").display().to_string();
    let named = ["--upstream".to_owned(), dam.uri.clone()];
    let gateway = upstream.gateway(["--descriptors", &set], &[named, upstream.authority()].concat()).await;
    let (client, other) = (gateway.client(), gateway.client());
    let leaves = timeout(Duration::from_millis(600), client.get(BOOK));
    let stays = async {
        eventually(WAIT, || async {
            ensure!(dam.connections() > 0, "the gateway has not connected");
            Ok(())
        })
        .await;
        other.get(BOOK).await
    };
    let opens = async {
        sleep(Duration::from_millis(1_200)).await; // the first caller is gone by now, and a connect may take 3 s
        dam.is_open.send_replace(true);
    };
    let (left, stayed, ()) = tokio::join!(leaves, stays, opens);
    left.expect_err("nothing answers it");
    stayed.expect(200);
    assert_eq!(dam.connections(), 1, "it is the connection that was begun");
}

#[tokio::test]
async fn reflection_over_https_is_believed_when_its_authority_is_named() {
    let upstream = Upstream::start().await;
    let gateway = upstream.gateway(["--reflect", &upstream.uri()], &upstream.authority()).await;
    is_served(&gateway.client()).await;
    let stranger = upstream.gateway(["--reflect", &upstream.uri()], &[]).await;
    stranger.logged("its certificate is refused: UnknownIssuer; --upstream-ca names", 1).await;

    let routes = async |arguments: &[String]| -> Output {
        let mut command = Command::new(binary());
        command.args(["gateway", "routes", "--reflect", &upstream.uri()]).args(OPEN).args(arguments).env_clear();
        tokio::task::spawn_blocking(move || command.output()).await.expect("it ends").expect("the binary runs")
    };
    let told = routes(&upstream.authority()).await;
    assert!(String::from_utf8_lossy(&told.stdout).contains("GetBook"), "{told:?}");
    let refused = routes(&[]).await;
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--upstream-ca"), "{refused:?}");
}

#[test]
fn a_file_without_authorities_ends_the_start_with_64_and_is_named() {
    let directory = Directory::new();
    let file = directory.0.join("root.pem");
    for (content, why) in [
        ("", "root.pem has no certificate in PEM form"),
        (
            "-----BEGIN CERTIFICATE-----\nbm90IERFUg==\n-----END CERTIFICATE-----\n",
            "root.pem has a certificate that cannot be read",
        ),
    ] {
        std::fs::write(&file, content).expect("it can be written");
        let own = ["serve", "gateway", "--jwks-file", "/dev/null", "--upstream-ca"];
        let output = Command::new(binary()).args(own).arg(&file).env_clear().output().expect("the binary runs");
        let line = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), line.lines().count()), (Some(64), 1), "{line}");
        assert!(line.contains("COMPTOIR_UPSTREAM_CA") && line.contains(why), "{why}: {line}");
    }
}
