//! Sign-in with another issuer: an OpenID provider that is not ours, whose tokens are exchanged for ours.

mod provider;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bson::{Document, doc};
use kit::shop::{TIMEOUT, id, reason};
use kit::{Client, Process, Reply, Stack, StackOptions, eventually, reply};
use provider::Provider;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A system that takes the tokens of the provider.
async fn system(provider: &Provider) -> (Stack, Process) {
    let mut stack = Stack::start(StackOptions::default()).await;
    stack.stop().await;
    stack.restart_with(kit::all_but(&["users"])).await;
    let users = stack.serve_with("users", &[("COMPTOIR_FOREIGN_ISSUERS", &provider.setting())]);
    eventually(TIMEOUT, || comptoir::healthcheck::grpc(stack.grpc("users"))).await;
    (stack, users)
}

async fn exchange(stack: &Stack, assertion: &str) -> Reply {
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    reply(Client::anonymous(stack).request(Method::POST, "/oauth2/token").form(&form)).await
}

/// Who signs in with the token, and what they were given.
async fn signed_in(stack: &Stack, assertion: &str) -> (Client, Value) {
    let token = exchange(stack, assertion).await.expect(200);
    assert_eq!(token.get("refresh_token"), None, "the issuer stays the one that says who may sign in");
    let client = Client::at(stack.gateway()).with_token(Some(id(&token, "access_token")));
    let claims = claims(id(&token, "access_token"));
    let account = client.get(&format!("/v1/users/{}", id(&claims, "sub"))).await.expect(200);
    (client, account)
}

pub fn claims(token: &str) -> Value {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("three parts")).expect("base64");
    serde_json::from_slice(&payload).expect("JSON")
}

fn alice(groups: &[&str]) -> Value {
    json!({
        "email": "alice@example.com", "email_verified": true, "name": "Alice Example", "locale": "fr", "groups": groups,
    })
}

fn bob(groups: &[&str]) -> Value {
    json!({ "email": "bob@example.com", "email_verified": true, "groups": groups })
}

/// The refusal of a token: `error` and `error_description`.
fn refusal(reply: &Reply) -> (u16, &str) {
    (reply.status, reply.body["error"].as_str().unwrap_or_else(|| panic!("{reply:?}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_in_with_a_real_oidc_server_has_an_account_with_the_role_of_their_claim() {
    let mut provider = Provider::start().await;
    let (stack, users) = system(&provider).await;
    provider.accounts(json!({ "alice": alice(&[]), "bob": bob(&["shop-staff", "x"]) }));
    let first = provider.id_token("comptoir", "alice").await;
    let (customer, account) = signed_in(&stack, &first).await;
    assert_eq!(
        (&account["email"], &account["name"], &account["emailVerified"], &account["preferences"]["language"]),
        (&json!("alice@example.com"), &json!("Alice Example"), &json!(true), &json!("fr")),
    );
    assert_eq!(account["roles"], json!([]));
    customer.post("/v1/categories", json!({ "name": "Lamps" })).await.expect(403);
    let older = provider.id_token("comptoir", "bob").await;
    let (staff, other) = signed_in(&stack, &older).await;
    assert_eq!(
        (&other["roles"], &other["name"], &other["emailVerified"]),
        (&json!(["staff"]), &json!("bob@example.com"), &json!(true))
    );
    staff.post("/v1/categories", json!({ "name": "Lamps" })).await.expect(201);
    // The same account again, and what the issuer says of it now.
    provider.accounts(json!({ "alice": alice(&["shop-support"]), "bob": bob(&[]) }));
    let (_, again) = signed_in(&stack, &provider.later_id_token("comptoir", "alice", &first).await).await;
    assert_eq!((&again["userId"], &again["roles"]), (&account["userId"], &json!(["support"])));
    let newer = provider.later_id_token("comptoir", "bob", &older).await;
    let (_, demoted) = signed_in(&stack, &newer).await;
    assert_eq!((&demoted["userId"], &demoted["roles"]), (&other["userId"], &json!([])));
    eventually(TIMEOUT, || async {
        let refused = staff.post("/v1/categories", json!({ "name": "Chairs" })).await;
        anyhow::ensure!(refused.status == 401, "the token of before has lost its role: {refused:?}");
        Ok(())
    })
    .await;
    // A token of before gives nothing back.
    let (_, still) = signed_in(&stack, &older).await;
    assert_eq!(still["roles"], json!([]));
    // Keys change; the provider tells the new ones.
    let before = provider.id_token("comptoir", "alice").await;
    provider.restart("second").await;
    let (_, rotated) = signed_after(&stack, &provider.id_token("comptoir", "alice").await).await;
    assert_eq!(rotated["userId"], account["userId"]);
    assert_eq!(refusal(&exchange(&stack, &before).await), (400, "invalid_grant"), "its key was withdrawn");
    // It is away: what it has told before still counts.
    let late = provider.id_token("comptoir", "alice").await;
    provider.stop().await;
    signed_in(&stack, &late).await;
    users.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

/// The same, once the issuer may be asked for its keys again.
async fn signed_after(stack: &Stack, assertion: &str) -> (Client, Value) {
    tokio::time::sleep(Duration::from_secs(6)).await;
    signed_in(stack, assertion).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_but_one_that_the_issuer_has_made_for_this_shop_is_exchanged() {
    let (provider, stranger) = (Provider::start().await, Provider::start().await);
    let (stack, users) = system(&provider).await;
    for each in [&provider, &stranger] {
        each.accounts(
            json!({ "alice": alice(&["shop-staff"]), "carol": { "name": "Carol" }, "dave": { "email": "no address", "email_verified": true }, "erin": { "email": "erin@example.com" } }),
        );
    }
    let good = provider.id_token("comptoir", "alice").await;
    let parts: Vec<&str> = good.split('.').collect();
    let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let with = |name: &str, value: Value| {
        let mut claims = claims(&good);
        claims[name] = value;
        format!("{}.{}.{}", parts[0], encode(&claims), parts[2])
    };
    let header = |header: Value, signature: &str| format!("{}.{}.{signature}", encode(&header), parts[1]);
    let bad = [
        ("for another client", provider.id_token("another", "alice").await),
        ("of an unknown issuer", stranger.id_token("comptoir", "alice").await),
        ("another subject", with("sub", json!("bob"))),
        ("another role", with("groups", json!(["shop-support"]))),
        ("no expiry", with("exp", Value::Null)),
        ("alg none", header(json!({ "alg": "none" }), "")),
        ("alg none, signed", header(json!({ "alg": "none", "kid": "first" }), parts[2])),
        ("alg HS256", header(json!({ "alg": "HS256", "kid": "first" }), parts[2])),
        ("another alg", header(json!({ "alg": "PS256", "kid": "first" }), parts[2])),
        ("crit", header(json!({ "alg": "RS256", "kid": "first", "crit": ["x"] }), parts[2])),
        ("an unknown key", header(json!({ "alg": "RS256", "kid": "third" }), parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("cut", good[..good.len() - 5].to_owned()),
        ("no token", "nothing".to_owned()),
        ("no address", provider.id_token("comptoir", "carol").await),
        ("an address that nobody has proved", provider.id_token("comptoir", "erin").await),
        ("an address that is none", provider.id_token("comptoir", "dave").await),
    ];
    for (what, token) in &bad {
        assert_eq!(refusal(&exchange(&stack, token).await), (400, "invalid_grant"), "{what}");
    }
    let none =
        reply(Client::anonymous(&stack).request(Method::POST, "/oauth2/token").form(&[("grant_type", JWT_BEARER)]));
    assert_eq!(refusal(&none.await), (400, "invalid_request"));
    assert_eq!(accounts(&stack).await, 0, "nobody has an account by it");
    // Who has a password here keeps the account.
    let own = json!({ "email": "alice@example.com", "name": "Another", "password": kit::DEMO_PASSWORD });
    Client::anonymous(&stack).post("/v1/users", own).await.expect(201);
    let taken = exchange(&stack, &good).await;
    assert_eq!(refusal(&taken), (400, "invalid_grant"));
    assert!(taken.body["error_description"].as_str().is_some_and(|why| why.contains("already")), "{taken:?}");
    users.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

async fn accounts(stack: &Stack) -> u64 {
    let users = stack.db("users").collection::<Document>("users");
    users.count_documents(doc! { "identity": { "$exists": true } }).await.expect("mongod answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_of_another_issuer_has_no_password_is_locked_and_erased_as_any_other() {
    let provider = Provider::start().await;
    let (stack, users) = system(&provider).await;
    provider.accounts(json!({ "alice": alice(&[]) }));
    let token = provider.id_token("comptoir", "alice").await;
    let twice = futures::future::join_all((0..4).map(|_| exchange(&stack, &token))).await;
    assert!(twice.iter().all(|reply| reply.status == 200), "{twice:?}");
    assert_eq!(accounts(&stack).await, 1, "four sign-ins at once make one account");
    let (client, account) = signed_in(&stack, &token).await;
    let anonymous = Client::anonymous(&stack);
    for password in ["", "not a password"] {
        let body = json!({ "grant_type": "password", "username": "alice@example.com", "password": password });
        assert_eq!(anonymous.post("/oauth2/token", body).await.status, 400, "{password:?}");
    }
    anonymous.post("/v1/users:requestPasswordReset", json!({ "email": "alice@example.com" })).await.expect(200);
    let stored = stack.db("users").collection::<Document>("users");
    let asked = stored.find_one(doc! { "email": "alice@example.com" }).await.expect("answers").expect("an account");
    assert!(
        asked.get_document("asked").expect("it is there").get("password_reset").is_none_or(|at| at.as_null().is_some())
    );
    let (admin, path) = (Client::admin(&stack).await, format!("/v1/users/{}", id(&account, "userId")));
    admin.post(&format!("{path}:lock"), json!({ "reason": "a test" })).await.expect(200);
    assert_eq!(refusal(&exchange(&stack, &token).await), (400, "invalid_grant"));
    admin.post(&format!("{path}:unlock"), json!({})).await.expect(200);
    let (client, _) = (signed_in(&stack, &token).await.0, client);
    client.delete(&path).await.expect(200);
    assert_eq!(accounts(&stack).await, 0, "nothing tells who it was");
    let (_, anew) = signed_in(&stack, &token).await;
    assert_ne!(anew["userId"], account["userId"], "a deleted account never comes back");
    assert_eq!(
        reason(
            &anonymous
                .post("/v1/users", json!({ "email": "alice@example.com", "name": "A", "password": kit::DEMO_PASSWORD }))
                .await
        ),
        "EMAIL_TAKEN"
    );
    users.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
