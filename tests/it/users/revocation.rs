//! Access tokens that have not expired and count no more: of accounts that were locked, deleted or have lost a role. Asked at the
//! gateway, and over gRPC at a service that is not the one of the accounts.

use crate::users::sign_in::free;
use anyhow::ensure;
use contracts::orders::v1::{GetOrderRequest, order_service_client::OrderServiceClient};
use kit::shop::{TIMEOUT, reason};
use kit::{Client, DEMO_PASSWORD, Process, Stores, eventually, shared};
use rpc::{Channel, Signer};
use serde_json::{Value, json};
use std::time::Duration;
use tonic::{Code, Request};

/// How soon a token has ended everywhere.
pub const SECONDS: Duration = Duration::from_secs(5);

const ABSENT: &str = "/v1/orders/ord_absent";

fn path(user: &Value, verb: &str) -> String {
    format!("/v1/users/{}{verb}", user["userId"].as_str().expect("an id"))
}

/// The HTTP status at the gateway, and the code at the orders service, of who asks for an order that is not there.
pub async fn doors(gateway: &Client, orders: &Channel) -> (u16, Code) {
    let shown = gateway.get(ABSENT).await;
    let mut request = Request::new(GetOrderRequest { order_id: "ord_absent".to_owned() });
    let header = format!("Bearer {}", gateway.token().expect("a token"));
    request.metadata_mut().insert("authorization", header.parse().expect("ASCII"));
    let read = OrderServiceClient::new(orders.clone()).get_order(request).await;
    (shown.status, read.map_or_else(|status| status.code(), |_| Code::Ok))
}

pub const ADMITTED: (u16, Code) = (404, Code::NotFound);
pub const REFUSED: (u16, Code) = (401, Code::Unauthenticated);

/// Waits until both doors answer so.
pub async fn settle(expected: (u16, Code), limit: Duration, (gateway, orders): (&Client, &Channel)) {
    eventually(limit, || async {
        let answers = doors(gateway, orders).await;
        ensure!(answers == expected, "{answers:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_within_seconds_when_its_account_is_locked_deleted_or_loses_a_role() {
    let stack = shared().await;
    let admin = Client::admin(stack).await;
    let orders = Channel::new(stack.grpc("orders"), None).expect("an address").with_deadline(TIMEOUT);
    let (other, _) = Client::register(stack).await;
    for end in ["lock", "delete", "role"] {
        let (_, user) = Client::register(stack).await;
        let email = user["email"].as_str().expect("an address");
        if end == "role" {
            admin.post(&path(&user, ":setRoles"), json!({ "roles": ["staff"] })).await.expect(200);
        }
        let me = Client::sign_in(stack, email, DEMO_PASSWORD).await;
        assert_eq!(doors(&me, &orders).await, ADMITTED, "{end}");
        match end {
            "lock" => admin.post(&path(&user, ":lock"), json!({ "reason": "a test" })).await.expect(200),
            "delete" => admin.delete(&path(&user, "")).await.expect(200),
            _ => admin.post(&path(&user, ":setRoles"), json!({})).await.expect(200),
        };
        settle(REFUSED, SECONDS, (&me, &orders)).await;
        if end == "lock" {
            admin.post(&path(&user, ":unlock"), json!({})).await.expect(200);
            assert_eq!(doors(&me, &orders).await, REFUSED, "an old token does not come back");
        }
        if end != "delete" {
            let again = Client::sign_in(stack, email, DEMO_PASSWORD).await;
            assert_eq!(doors(&again, &orders).await, ADMITTED, "{end}: a new one counts at once");
        }
    }
    assert_eq!(doors(&other, &orders).await, ADMITTED, "another account is none of theirs");
}

/// A system of processes of its own: users, orders and a gateway.
pub struct Own {
    pub stores: Stores,
    pub orders_at: String,
    orders: Channel,
}

impl Own {
    pub async fn new() -> Self {
        let orders_at = free();
        let orders = Channel::new(&format!("http://{orders_at}"), None).expect("an address").with_deadline(SECONDS);
        Own { stores: Stores::start().await, orders_at, orders }
    }

    pub fn start(&self, name: &str) -> Process {
        match name {
            // At an address of its own: the gateway has no orders behind it, and what it refuses it refuses itself.
            "orders" => self.stores.serve("orders", &[("COMPTOIR_LISTEN", &self.orders_at)]),
            _ => self.stores.serve_at_its_address(name, &[]),
        }
    }

    pub fn signed(&self, id: &str, roles: &[&str]) -> Client {
        let pem = std::fs::read_to_string(self.stores.data().join("keys/user-tokens.pem")).expect("the key");
        let roles: Vec<String> = roles.iter().map(|role| (*role).to_owned()).collect();
        let signer = Signer::new(rpc::token::USER_TOKENS, &pem).expect("a key");
        let token = signer.user_token(id, &roles, Duration::from_secs(600)).expect("it signs");
        Client::at(self.stores.gateway()).with_token(Some(&token))
    }

    /// The token of `me`, once the gateway and orders have `expected` for it. Orders are behind no gateway here: it answers 503.
    pub async fn settle(&self, expected: (u16, Code), me: &Client) {
        settle(expected, TIMEOUT, (me, &self.orders)).await;
    }

    /// A new account, as the gateway has it once all is there.
    pub async fn register(&self) -> Value {
        let anonymous = Client::at(self.stores.gateway());
        let email = format!("revoked-{:016x}@example.com", rand::random::<u64>());
        let body = json!({ "email": email, "name": "Test", "password": DEMO_PASSWORD });
        eventually(TIMEOUT, || async {
            ensure!(tokio::net::TcpStream::connect(anonymous.gateway().trim_start_matches("http://")).await.is_ok());
            let made = anonymous.post("/v1/users", body.clone()).await;
            ensure!(made.status == 201, "{made:?}");
            Ok(made.body)
        })
        .await
    }
}

/// What both doors say to a token that counts where the gateway reaches no orders.
pub const COUNTS: (u16, Code) = (503, Code::NotFound);

#[tokio::test]
async fn a_revocation_outlives_broker_and_restart_and_one_made_meanwhile_comes_later() {
    let own = Own::new().await;
    let (_users, gateway, orders) = (own.start("users"), own.start("gateway"), own.start("orders"));
    let (before, during) = (own.register().await, own.register().await);
    let support = own.signed("usr_support", &["support"]);
    let tokens = [&before, &during].map(|user| own.signed(user["userId"].as_str().expect("an id"), &[]));
    let lock = async |user: &Value| support.post(&path(user, ":lock"), json!({ "reason": "a test" })).await.expect(200);
    for token in &tokens {
        own.settle(COUNTS, token).await;
    }
    lock(&before).await;
    own.settle(REFUSED, &tokens[0]).await;

    own.stores.kill_nats().await;
    lock(&during).await;
    assert_eq!(doors(&tokens[0], &own.orders).await, REFUSED, "what is known stays");
    assert_eq!(doors(&tokens[1], &own.orders).await, COUNTS, "nobody could tell");
    own.stores.restart_nats().await;
    own.settle(REFUSED, &tokens[1]).await;

    for process in [gateway, orders] {
        process.kill().await;
    }
    let (_gateway, _orders) = (own.start("gateway"), own.start("orders"));
    let first = eventually(TIMEOUT, || async {
        let listens = tokio::net::TcpStream::connect(own.stores.gateway().trim_start_matches("http://")).await;
        ensure!(listens.is_ok());
        let answers = doors(&tokens[1], &own.orders).await;
        ensure!(!matches!(answers.1, Code::Unavailable | Code::DeadlineExceeded), "{answers:?}");
        Ok(answers)
    });
    assert_eq!(first.await, REFUSED, "from its first answer on");
}

/// A new account with these roles, and who signs in with it.
async fn with_roles(own: &Own, admin: &Client, roles: &[&str]) -> (Client, Value) {
    let user = own.register().await;
    admin.post(&path(&user, ":setRoles"), json!({ "roles": roles })).await.expect(200);
    let anonymous = Client::at(own.stores.gateway());
    let grant = json!({ "grant_type": "password", "username": user["email"], "password": DEMO_PASSWORD });
    let token = anonymous.post("/oauth2/token", grant).await.expect(200);
    (anonymous.with_token(token["access_token"].as_str()), user)
}

#[tokio::test]
async fn without_the_broker_nobody_undoes_with_an_old_token_what_was_done_to_them() {
    let own = Own::new().await;
    let (_users, _gateway) = (own.start("users"), own.start("gateway"));
    let (root, why) = (own.signed("usr_root", &["admin"]), json!({ "reason": "a test" }));
    let (other, spare) = (own.register().await, own.register().await);
    let (staff, locked) = with_roles(&own, &root, &["staff"]).await;
    let (admin, demoted) = with_roles(&own, &root, &["admin"]).await;
    own.stores.kill_nats().await;
    root.post(&path(&locked, ":lock"), why.clone()).await.expect(200);
    root.post(&path(&demoted, ":setRoles"), json!({ "roles": ["staff"] })).await.expect(200);
    root.post(&path(&other, ":lock"), why.clone()).await.expect(200);

    let granted = json!({ "email": "sly@example.com", "name": "Sly", "password": DEMO_PASSWORD, "roles": ["admin"] });
    let refused = [
        staff.post(&path(&locked, ":unlock"), json!({})).await,
        staff.post(&path(&other, ":unlock"), json!({})).await,
        staff.post(&path(&spare, ":lock"), why).await,
        staff.delete(&path(&spare, "")).await,
        admin.post(&path(&demoted, ":setRoles"), json!({ "roles": ["admin"] })).await,
        admin.post(&path(&spare, ":setRoles"), json!({ "roles": ["admin"] })).await,
        admin.post("/v1/users", granted).await,
    ];
    for answer in &refused {
        assert_eq!((answer.status, reason(answer).as_str()), (401, "UNAUTHENTICATED"), "{answer:?}");
    }
    staff.get(&path(&locked, "")).await.expect(200); // so it was not the gate that refused them
    for (user, status, roles) in [(&locked, "LOCKED", "staff"), (&demoted, "ACTIVE", "staff"), (&spare, "ACTIVE", "")] {
        let now = root.get(&path(user, "")).await.expect(200);
        let roles = if roles.is_empty() { json!([]) } else { json!([roles]) };
        assert_eq!((&now["status"], &now["roles"]), (&json!(status), &roles));
    }
    root.post(&path(&locked, ":unlock"), json!({})).await.expect(200);
}

#[tokio::test]
async fn why_an_account_is_locked_is_for_those_who_act_for_all() {
    let own = Own::new().await;
    let (_users, _gateway) = (own.start("users"), own.start("gateway"));
    let support = own.signed("usr_support", &["support"]);
    let user = own.register().await;
    let me = own.signed(user["userId"].as_str().expect("an id"), &[]);
    own.stores.kill_nats().await;
    support.post(&path(&user, ":lock"), json!({ "reason": "a stolen card" })).await.expect(200);
    assert_eq!(support.get(&path(&user, "")).await.expect(200)["lockReason"], "a stolen card");
    let renamed = me.patch(&path(&user, ""), json!({ "name": "Another" })).await.expect(200);
    for shown in [renamed, me.get(&path(&user, "")).await.expect(200)] {
        assert_eq!((&shown["status"], &shown["lockReason"]), (&json!("LOCKED"), &json!("")));
    }
}
