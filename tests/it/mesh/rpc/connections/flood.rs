//! Thousands of silent connections at the ports of a whole system that takes orders meanwhile.

use super::connect;
use crate::cli::verify::is_clean;
use kit::shop::{draft, product};
use kit::{Client, Stack, StackOptions};
use std::{net::SocketAddr, path::Path};

/// More than one address may have at a port.
const CONNECTIONS: usize = 3_400;

fn address(uri: &str) -> SocketAddr {
    let host = uri.trim_start_matches("http://").split('/').next().unwrap_or_default();
    host.parse().unwrap_or_else(|error| panic!("{uri}: {error}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_taken_while_every_kind_of_port_is_full_of_silent_connections() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let (customer, _) = Client::register(&stack).await;
    let ports = [stack.gateway(), stack.grpc("orders"), &stack.state().webhook_url].map(address);
    let mut silent = Vec::new();
    for (port, half) in ports.into_iter().zip([b"GET /v1/orders HTTP/1.1\r\n".as_slice(), b"PRI * HTTP/2.0\r\n", b""]) {
        for _ in 0..CONNECTIONS {
            silent.push(connect(port, half).await);
        }
    }
    for _ in 0..3 {
        let order = customer.post("/v1/orders?wait=25s", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
        assert_eq!(order["state"], "CONFIRMED");
    }
    let log = std::fs::read_to_string(&stack.state().log).expect("the log");
    for port in ["gateway", "orders", "payments webhooks"] {
        let lines =
            log.lines().filter(|line| line.contains(&format!("port=\"{port}\"")) && line.contains("room_needed"));
        assert_eq!(lines.count(), 1, "one line for {port}, not one for each connection");
    }
    drop(silent);
    is_clean(&stack).await;
}

#[test]
fn every_port_of_the_system_is_served_by_the_one_accept_loop() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository");
    let mut files = Vec::new();
    for folder in ["cli/src", "gateway", "mesh", "services"] {
        sources(&root.join(folder), &mut files);
    }
    assert!(files.len() > 150, "the sources are there");
    let others = files.iter().filter(|file| {
        let text = std::fs::read_to_string(file).expect("a source is text");
        !file.ends_with("mesh/rpc/src/listen.rs")
            && ["axum::serve(", "transport::Server", ".accept()"].iter().any(|way| text.contains(way))
    });
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&std::path::PathBuf>::new());
}

fn sources(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.file_stem().is_some_and(|stem| stem == "tests") {
            continue; // tests of a crate play servers that the product has not
        }
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
