//! Where requests do not go: by their form, by their address, by a redirect.

use super::{PUBLIC, Shop, receiver::Answer};
use kit::shop::fields;
use serde_json::json;
use std::{io::ErrorKind, net::TcpListener};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_at_an_address_that_is_not_public_is_refused() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[PUBLIC]);
    let public = shop.endpoint_at("https://1.1.1.1/hook", &["client.created"]).await;
    assert!(public["secret"].as_str().is_some_and(|secret| secret.starts_with("whsec_")), "{public}");
    for url in [
        "https://127.0.0.1/",
        "https://localhost/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://192.168.1.1/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "https://[::1]/",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0x7f.1/",
        "http://1.1.1.1/",
        "https://user@1.1.1.1/",
        "ftp://1.1.1.1/",
        "https://name-that-is-nowhere.invalid/",
    ] {
        let body = json!({ "url": url, "eventTypes": ["order.confirmed"] });
        let reply = shop.admin.post("/v1/webhooks/endpoints", body).await;
        assert_eq!((reply.status, fields(&reply)), (400, vec!["url".to_owned()]), "{url}: {reply:?}");
    }
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_no_longer_admitted_is_not_connected_to() {
    let shop = Shop::open().await;
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it can be asked");
    let port = listener.local_addr().expect("an address").port();
    let webhooks = shop.serve(&[]);
    let mut endpoints = Vec::new();
    for url in [format!("https://localhost:{port}/"), format!("https://127.0.0.1:{port}/")] {
        endpoints.push(shop.endpoint_at(&url, &["order.confirmed"]).await);
    }
    webhooks.stop(kit::shop::TIMEOUT).await.expect("webhooks drains");
    let webhooks = shop.serve(&[PUBLIC]);
    shop.order().await;
    for endpoint in &endpoints {
        shop.failing(endpoint, &[("PENDING", "ADDRESS_FORBIDDEN")]).await;
    }
    let accepted = listener.accept().expect_err("nobody has connected");
    assert_eq!(accepted.kind(), ErrorKind::WouldBlock);
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    shop.receiver.answer("order.confirmed", [Answer::Redirect(shop.receiver.url("/inside"))]);
    shop.order().await;
    let delivered = shop.settled(&endpoint, &[("order.confirmed", "DELIVERED")]).await;
    assert_eq!(delivered[0]["attempts"], 2, "the redirect counts as a failure: {delivered:?}");
    let paths: Vec<String> = shop.receiver.taken().into_iter().map(|taken| taken.path).collect();
    assert_eq!(paths, ["/hook", "/hook"]);
    shop.close(webhooks).await;
}
