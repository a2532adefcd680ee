//! Rate limits: who is counted, by whom, and what the caller is told.

use super::{alone, before, named::buf_curl};
use crate::cli::settings::gateway_config;
use gateway::{Config, Nats, RateLimits};
use kit::shop::reason;
use kit::{Client, Reply, Stores, reply, shared};
use reqwest::Method;
use serde_json::json;
use settings::Secret;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A window in which nothing becomes free while a test runs.
const DAY: u32 = 86_400;

const SIGN_IN: &str = "/comptoir.users.v1.TokenService/IssueToken";

fn limits(text: &str) -> RateLimits {
    text.parse().expect("limits")
}

/// A gateway without services, which counts at the NATS of `stores` when they are given. It believes what it is told of a
/// caller's address.
async fn limited(rate_limits: &str, stores: Option<&Stores>) -> (String, DropGuard) {
    let trusted_proxies = "127.0.0.1".parse().expect("a network");
    let (rate_limits, nats) = (limits(rate_limits), stores.map(nats));
    alone(|config| Config { rate_limits, nats, trusted_proxies, ..config }).await
}

/// The gateway's own user of NATS, with its permissions.
fn nats(stores: &Stores) -> Nats {
    let lines = std::fs::read_to_string(stores.data().join("serve/gateway.env")).expect("the variables of the gateway");
    let value = |name: &str| {
        let line = lines.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("{name} in {lines}")).to_owned()
    };
    let (url, password) = (value("COMPTOIR_NATS_URL"), Secret::new(value("COMPTOIR_NATS_PASSWORD")));
    // A count that is late on a busy machine must not be taken for one that is away.
    Nats { url, user: "gateway".to_owned(), password, patience: Duration::from_secs(4) }
}

/// Asks for a product from this address.
async fn ask(gateway: &str, address: &str) -> Reply {
    let client = Client::at(gateway);
    reply(client.request(Method::GET, "/v1/products/prd_1").header("x-forwarded-for", address)).await
}

/// How many of `count` requests from this address are admitted, each sent to the next one of the gateways.
async fn admitted(gateways: &[&str], address: &str, count: usize) -> usize {
    let mut admitted = 0;
    for gateway in gateways.iter().cycle().take(count) {
        // 503: there is no service behind it.
        admitted += usize::from(ask(gateway, address).await.status == 503);
    }
    admitted
}

fn header<'r>(reply: &'r Reply, name: &str) -> &'r str {
    reply.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn two_replicas_count_one_rate_limit() {
    let stores = Stores::start().await;
    let limit = format!("address=15/{DAY}");
    let (first, _first) = limited(&limit, Some(&stores)).await;
    let (second, _second) = limited(&limit, Some(&stores)).await;
    assert_eq!(admitted(&[&first, &second], "192.0.2.1", 40).await, 15);
    // At once, where both ask for the same count.
    let both = [first.as_str(), second.as_str()];
    let asked = (0..40).map(|at| ask(both[at % 2], "192.0.2.2"));
    let replies = futures::future::join_all(asked).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 503).count(), 15);
}

#[tokio::test]
async fn replicas_exceed_a_large_limit_by_no_more_than_a_twentieth_each() {
    let stores = Stores::start().await;
    let limit = format!("address=200/{DAY}");
    let (first, _first) = limited(&limit, Some(&stores)).await;
    let (second, _second) = limited(&limit, Some(&stores)).await;
    let admitted = admitted(&[&first, &second, &second], "192.0.2.1", 300).await;
    // What a replica has taken and not spent is not admitted elsewhere.
    assert!((190..=200).contains(&admitted), "{admitted}");
}

#[tokio::test]
async fn without_nats_each_replica_counts_for_itself_and_together_again_later() {
    let stores = Stores::start().await;
    let limit = format!("address=5/{DAY}");
    let (first, _first) = limited(&limit, Some(&stores)).await;
    let (second, _second) = limited(&limit, Some(&stores)).await;
    let both = [first.as_str(), second.as_str()];
    assert_eq!(admitted(&both, "192.0.2.1", 12).await, 5);
    stores.kill_nats().await;
    assert_eq!(admitted(&both, "192.0.2.2", 24).await, 10);
    stores.restart_nats().await;
    let open = async {
        for next in 0.. {
            // An address of its own for each look: a bucket that is open counts it once for both.
            if admitted(&both, &format!("198.51.100.{}", next % 250), 12).await == 5 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), open).await.expect("the replicas count together again");
}

#[tokio::test]
async fn a_limited_call_tells_its_limits_and_a_refusal_when_to_come_again() {
    let (gateway, _stop) = limited("address=3/60", None).await;
    let reply = ask(&gateway, "192.0.2.1").await;
    assert_eq!(header(&reply, "ratelimit-policy"), "\"address\";q=3;w=60");
    assert_eq!(header(&reply, "ratelimit"), "\"address\";r=2;t=20");
    ask(&gateway, "192.0.2.1").await;
    ask(&gateway, "192.0.2.1").await;
    let refused = ask(&gateway, "192.0.2.1").await;
    assert_eq!(
        (refused.status, header(&refused, "ratelimit").starts_with("\"address\";r=0;")),
        (429, true),
        "{refused:?}"
    );
    let wait: u64 = header(&refused, "retry-after").parse().expect("seconds");
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(reason(&refused), "RATE_LIMITED", "{refused:?}");
    // Others are not affected.
    assert_eq!(ask(&gateway, "192.0.2.2").await.status, 503);
}

#[tokio::test]
async fn a_user_is_counted_whatever_the_address_and_an_rpc_for_each_caller() {
    let stack = shared().await;
    let list = format!("user=4/{DAY},comptoir.orders.v1.OrderService.ListOrders=2/{DAY}");
    let (gateway, _stop) = before(stack, |config| Config { rate_limits: limits(&list), ..config }).await;
    for _ in 0..2 {
        let (client, user) = Client::register(stack).await;
        let client = Client::at(&gateway).with_token(client.token());
        let path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
        let orders = client.get("/v1/orders").await;
        assert_eq!(orders.status, 200);
        assert!(header(&orders, "ratelimit-policy").starts_with("\"user\";q=4;"), "{orders:?}");
        assert_eq!(client.get("/v1/orders").await.status, 200);
        // The third is refused for the RPC, and counted for the user.
        assert_eq!(client.get("/v1/orders").await.status, 429);
        assert_eq!(client.get(&path).await.status, 200);
        assert_eq!(client.get(&path).await.status, 429);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_of_an_address_are_limited_by_default_in_every_protocol() {
    assert_eq!(gateway_config().rate_limits, limits("sign-in=300/60"));
    let (gateway, _stop) = limited(&format!("sign-in=4/{DAY}"), None).await;
    let message = json!({"grant_type": "password", "username": "customer@example.com", "password": "?"});
    let mut refused = Vec::new();
    for protocol in ["grpc", "grpcweb", "connect", "connect", "grpc", "grpcweb", "connect"] {
        let (is_ok, text) = buf_curl(&gateway, protocol, None, SIGN_IN, &message);
        assert!(!is_ok, "{text}");
        refused.push(text.contains("resource_exhausted"));
    }
    assert_eq!(refused, [false, false, false, false, true, true, true]);
    let client = Client::at(&gateway);
    assert_eq!(client.post("/oauth2/token", message).await.status, 429);
    // What is no sign-in is not counted.
    assert_eq!(client.get("/v1/products/prd_1").await.status, 503);
}

#[tokio::test]
async fn an_address_is_counted_before_its_token_is_looked_at() {
    let (gateway, _stop) = limited(&format!("address=2/{DAY}"), None).await;
    let client = Client::at(&gateway).with_token(Some("no.token.atall"));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.get("/v1/orders").await.status);
    }
    assert_eq!(statuses, [401, 401, 429]);
}

#[tokio::test]
async fn a_limit_of_an_rpc_that_is_not_there_refuses_to_start() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let config = Config { rate_limits: limits("comptoir.orders.v1.OrderService.PlaceOrders=2/60"), ..gateway_config() };
    let error = gateway::run(config, listener, CancellationToken::new()).await.expect_err("no such RPC");
    assert!(error.to_string().contains("PlaceOrders"), "{error}");
}

#[test]
fn what_is_no_limit_is_refused_and_a_zero_takes_a_default_away() {
    for text in ["user", "user=5", "users=5/60", "user=0/60", "user=5/0", "user=5/60/1", "=5/60"] {
        assert!(text.parse::<RateLimits>().is_err(), "{text}");
    }
    assert_eq!(limits(""), limits("sign-in=300/60"));
    assert_ne!(limits("sign-in=0"), limits(""));
    assert_eq!(limits("sign-in=0,user=5/60"), limits("user=5/60,sign-in=0"));
}
