//! Cross-origin calls of browsers: what pages of which origins are told.

use super::before;
use comptoir::settings::{Flags, resolve};
use gateway::Config;
use kit::shop::{place, product};
use kit::{Client, Reply, Stack, reply, shared};
use reqwest::Method;
use std::time::Duration;
use tokio_util::sync::DropGuard;

const SHOP: &str = "https://shop.example";

/// A gateway for pages of these origins.
async fn open_to(stack: &Stack, origins: &str) -> (Client, DropGuard) {
    let cors_origins = origins.parse().expect("origins");
    let max_age = Duration::from_secs(60);
    let (uri, stop) = before(stack, |config| Config { cors_origins, cors_max_age: max_age, ..config }).await;
    (Client::at(&uri), stop)
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.headers.get(name).map(|value| value.to_str().expect("ascii"))
}

fn vary(reply: &Reply) -> Vec<&str> {
    reply.headers.get_all("vary").iter().map(|value| value.to_str().expect("ascii")).collect()
}

async fn send(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = client.request(method, path);
    reply(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

async fn preflight(client: &Client, path: &str, origin: &str, method: &str) -> Reply {
    let asked = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization,content-type,idempotency-key,sentry-trace"),
    ];
    send(client, Method::OPTIONS, path, &asked).await
}

#[tokio::test]
async fn without_configured_origins_no_page_of_another_origin_may_call() {
    let stack = shared().await;
    let client = Client::anonymous(stack);
    let answers = [
        preflight(&client, "/v1/products", SHOP, "GET").await,
        send(&client, Method::GET, "/v1/products?pageSize=1", &[("origin", SHOP)]).await,
    ];
    for answer in answers {
        let cross_origin = |name: &str| name.starts_with("access-control-");
        assert!(!answer.headers.keys().any(|name| cross_origin(name.as_str())), "{answer:?}");
        assert!(!vary(&answer).contains(&"origin"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_preflight_tells_the_methods_that_the_path_answers_to() {
    let stack = shared().await;
    let (client, _stop) = open_to(stack, "http://localhost:5173, https://shop.example").await;
    for (path, methods) in [
        ("/v1/users/usr_1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/v1/orders", "GET, HEAD, OPTIONS, POST"),
        ("/v1/orders/ord_1:cancel", "OPTIONS, POST"),
        ("/v1/orders/ord_1:watch", "GET, HEAD, OPTIONS"),
        ("/oauth2/token", "OPTIONS, POST"),
        ("/healthz", "GET, HEAD, OPTIONS"),
    ] {
        let told = preflight(&client, path, SHOP, "POST").await;
        assert_eq!((told.status, header(&told, "access-control-allow-methods")), (204, Some(methods)), "{path}");
        assert_eq!(header(&told, "access-control-allow-origin"), Some(SHOP), "{path}");
        let allowed = header(&told, "access-control-allow-headers");
        assert_eq!(allowed, Some("authorization,content-type,idempotency-key,sentry-trace"), "{path}");
        assert_eq!(header(&told, "access-control-max-age"), Some("60"), "{path}");
        assert_eq!(header(&told, "access-control-allow-credentials"), None, "{path}");
        assert_eq!(
            (vary(&told), header(&told, "allow")),
            (vec!["origin", "access-control-request-headers"], Some(methods))
        );
    }
    assert_eq!(preflight(&client, "/v1/nothing", SHOP, "GET").await.status, 404);
    let plain = send(&client, Method::OPTIONS, "/v1/orders", &[("origin", SHOP)]).await;
    assert_eq!((plain.status, header(&plain, "access-control-allow-methods")), (204, None), "it is no preflight");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_read_replies_refusals_and_their_headers() {
    let stack = shared().await;
    let (client, _stop) = open_to(stack, SHOP).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    let origin = ("origin", SHOP);
    let list = "/v1/products?pageSize=1";
    for (path, more, status) in [
        (path.as_str(), ("accept", "*/*"), 200),
        (path.as_str(), ("if-none-match", "\"1\""), 304),
        (path.as_str(), ("if-match", "\"2\""), 412),
        (list, ("accept-encoding", "gzip"), 200),
        ("/v1/orders", ("accept", "*/*"), 401),
        ("/v1/nothing", ("accept", "*/*"), 404),
        ("/healthz", ("accept", "*/*"), 200),
    ] {
        let answer = send(&client, Method::GET, path, &[origin, more]).await;
        assert_eq!((answer.status, header(&answer, "access-control-allow-origin")), (status, Some(SHOP)), "{path}");
        let exposed = header(&answer, "access-control-expose-headers").expect("it is there").to_lowercase();
        for name in [
            "etag",
            "x-request-id",
            "retry-after",
            "location",
            "www-authenticate",
            "allow",
            "grpc-status",
            "grpc-message",
        ] {
            assert!(exposed.split(", ").any(|one| one == name), "{path}: {name}");
        }
        assert_eq!(header(&answer, "access-control-allow-credentials"), None, "{path}");
        assert!(vary(&answer).contains(&"origin"), "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_origin_is_told_nothing_and_caches_know_why() {
    let stack = shared().await;
    let (client, _stop) = open_to(stack, "https://shop.example,http://localhost:5173").await;
    for origin in ["https://shop.example:8443", "http://shop.example", "https://evil.example", "null", "*", ""] {
        let told = preflight(&client, "/v1/products", origin, "GET").await;
        let read = send(&client, Method::GET, "/v1/products?pageSize=1", &[("origin", origin)]).await;
        for answer in [told, read] {
            assert_eq!(header(&answer, "access-control-allow-origin"), None, "{origin}");
            assert_eq!(header(&answer, "access-control-allow-methods"), None, "{origin}");
            assert!(vary(&answer).contains(&"origin"), "{origin}");
        }
    }
    let no_page = send(&client, Method::GET, "/v1/products?pageSize=1", &[]).await;
    assert_eq!((header(&no_page, "access-control-allow-origin"), vary(&no_page).contains(&"origin")), (None, true));
}

#[tokio::test]
async fn a_star_lets_every_page_call_and_never_with_credentials() {
    let stack = shared().await;
    let (client, _stop) = open_to(stack, "*").await;
    for origin in ["https://anywhere.example", "null"] {
        let told = preflight(&client, "/v1/products", origin, "GET").await;
        let read = send(&client, Method::GET, "/v1/products?pageSize=1", &[("origin", origin)]).await;
        for answer in [told, read] {
            assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"), "{origin}");
            assert_eq!(header(&answer, "access-control-allow-credentials"), None, "{origin}");
            assert!(!vary(&answer).contains(&"origin"), "what everybody is told does not vary");
        }
    }
}

#[tokio::test]
async fn a_page_may_watch() {
    let stack = shared().await;
    let (gateway, _stop) = open_to(stack, SHOP).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product(stack, 5).await, 1)], "tok_declined").await;
    let path = format!("/v1/orders/{}:watch", kit::shop::id(&order, "orderId"));
    let page = gateway.with_token(customer.token());
    let watched = send(&page, Method::GET, &path, &[("origin", SHOP), ("accept", "text/event-stream")]).await;
    assert_eq!((watched.status, header(&watched, "access-control-allow-origin")), (200, Some(SHOP)));
}

#[test]
fn origins_that_no_page_has_are_refused_at_start() {
    let config = |origins: &str| {
        let flags = [("jwks-file", "/dev/null".to_owned()), ("cors-origins", origins.to_owned())];
        let settings = resolve("gateway", &Flags(flags.into()), &Default::default()).expect("known flags");
        Config::resolve(&settings).map(|config| config.cors_origins)
    };
    assert_eq!(config("https://shop.example").expect("an origin"), "https://shop.example".parse().expect("an origin"));
    for wrong in ["shop.example", "https://shop.example/", "*,https://shop.example", "null"] {
        let refused = config(wrong).expect_err(wrong).to_string();
        assert!(refused.contains("COMPTOIR_CORS_ORIGINS"), "{wrong}: {refused}");
    }
}

#[tokio::test]
async fn a_page_may_read_the_headers_that_the_contract_of_its_call_names() {
    let stack = shared().await;
    let (client, _stop) = open_to(stack, "*").await;
    let client = client.with_token(Client::customer(stack).await.token());
    let method =
        "/comptoir.orderhistory.v1.OrderHistoryService/ListOrderHistories?connect=v1&encoding=json&message=%7B%7D";
    for (path, is_named) in [("/v1/order-history", true), (method, true), ("/v1/orders", false)] {
        let answer = send(&client, Method::GET, path, &[("origin", SHOP)]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let mut exposed = answer.headers.get_all("access-control-expose-headers").iter();
        assert_eq!(exposed.any(|names| names == "x-projection-lag-ms"), is_named, "{answer:?}");
        assert_eq!(answer.headers.contains_key("x-projection-lag-ms"), is_named, "{answer:?}");
    }
}
