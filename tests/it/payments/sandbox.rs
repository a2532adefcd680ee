//! The sandbox provider as a foreign system, over its HTTP: keys, amounts, behaviours, report.

use kit::{Stack, eventually, shared};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use std::time::Duration;

/// A caller of the sandbox.
pub struct Sandbox {
    http: Client,
    url: String,
    key: String,
}

impl Sandbox {
    pub fn of(stack: &Stack) -> Self {
        let http = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        Self { http, url: stack.state().sandbox_psp.clone(), key: stack.state().provider_key.clone() }
    }

    /// Status and body; none when the reply broke off.
    async fn send(&self, method: Method, path: &str, key: &str, body: Option<Value>) -> Option<(u16, Value)> {
        let request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        let request = request.header("idempotency-key", key);
        let request = body.into_iter().fold(request, |request, body| request.json(&body));
        let reply = request.send().await.ok()?;
        let status = reply.status().as_u16();
        Some((status, reply.json().await.ok()?))
    }

    pub async fn open(&self, key: &str, amount: i64, token: &str) -> Option<(u16, Value)> {
        let body = json!({ "currency": "EUR", "amount": amount, "token": token });
        self.send(Method::POST, "/v1/charges", key, Some(body)).await
    }

    pub async fn operate(&self, charge: &str, verb: &str, key: &str, body: Value) -> (u16, Value) {
        let path = format!("/v1/charges/{charge}/{verb}");
        self.send(Method::POST, &path, key, Some(body)).await.expect("the sandbox answers")
    }

    pub async fn find(&self, key: &str) -> (u16, Value) {
        self.send(Method::GET, &format!("/v1/charges?key={key}"), "", None).await.expect("the sandbox answers")
    }
}

fn fresh() -> String {
    format!("test-{:032x}", rand::random::<u128>())
}

fn code(reply: &(u16, Value)) -> (u16, &str) {
    (reply.0, reply.1["error"]["code"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_key_does_something_once_and_another_body_under_it_is_an_error() {
    let (sandbox, key) = (Sandbox::of(shared().await), fresh());
    let first = sandbox.open(&key, 1_000, "tok_visa").await.unwrap();
    assert_eq!((first.0, &first.1["status"]), (200, &json!("authorized")));
    assert_eq!(sandbox.open(&key, 1_000, "tok_visa").await.unwrap(), first);
    assert_eq!(code(&sandbox.open(&key, 1_001, "tok_visa").await.unwrap()), (409, "KEY_REUSED"));
    let (charge, capture) = (first.1["id"].as_str().unwrap(), fresh());
    let taken = sandbox.operate(charge, "captures", &capture, json!({ "amount": 400 })).await;
    let voided = sandbox.operate(charge, "voids", &fresh(), json!({})).await;
    assert_eq!((&taken.1["captured"], &voided.1["voided"]), (&json!(400), &json!(600)));
    let repeated = sandbox.operate(charge, "captures", &capture, json!({ "amount": 400 })).await;
    assert_eq!(repeated, taken, "the stored reply, although the charge has moved on");
    let other = sandbox.operate(charge, "captures", &capture, json!({ "amount": 401 })).await;
    assert_eq!(code(&other), (409, "KEY_REUSED"));
}

#[tokio::test]
async fn it_gives_back_no_more_than_was_taken_and_takes_no_more_than_was_authorized() {
    let sandbox = Sandbox::of(shared().await);
    let opened = sandbox.open(&fresh(), 1_000, "tok_visa").await.unwrap().1;
    let charge = opened["id"].as_str().unwrap();
    let operate =
        async |verb: &str, amount: i64| sandbox.operate(charge, verb, &fresh(), json!({ "amount": amount })).await;
    assert_eq!(code(&operate("refunds", 1).await), (402, "MORE_THAN_CAPTURED"));
    assert_eq!(code(&operate("captures", 1_001).await), (402, "MORE_THAN_AUTHORIZED"));
    assert_eq!(code(&operate("captures", 0).await), (402, "NOT_POSITIVE"));
    assert_eq!(operate("captures", 1_000).await.0, 200);
    assert_eq!(operate("refunds", 999).await.0, 200);
    assert_eq!(code(&operate("refunds", 2).await), (402, "MORE_THAN_CAPTURED"));
    assert_eq!(operate("refunds", 1).await.1["refunded"], 1_000);
    assert_eq!(code(&sandbox.open(&fresh(), 0, "tok_visa").await.unwrap()), (400, "NOT_POSITIVE"));
    assert_eq!(code(&sandbox.open(&fresh(), -5, "tok_visa").await.unwrap()), (400, "NOT_POSITIVE"));
}

#[tokio::test]
async fn each_token_fails_in_its_own_way_and_a_repeat_finds_what_was_done() {
    let sandbox = Sandbox::of(shared().await);
    let key = fresh();
    assert_eq!(sandbox.open(&key, 5, "tok_timeout").await, None, "the reply breaks off");
    assert_eq!(sandbox.find(&key).await.1["status"], "authorized", "after the charge");
    let key = fresh();
    assert_eq!(sandbox.open(&key, 5, "tok_timeout_before").await, None);
    assert_eq!(sandbox.find(&key).await.0, 404, "before the charge");
    assert_eq!(sandbox.open(&key, 5, "tok_timeout_before").await.unwrap().0, 200);
    let key = fresh();
    assert_eq!(sandbox.open(&key, 5, "tok_error_after").await.unwrap().0, 500);
    assert_eq!(sandbox.open(&key, 5, "tok_error_after").await.unwrap().1["status"], "authorized");
    let declined = [
        ("tok_declined", "CARD_DECLINED"),
        ("tok_chargeDeclined", "CARD_DECLINED"),
        ("tok_chargeDeclinedInsufficientFunds", "INSUFFICIENT_FUNDS"),
        ("tok_unheard_of", "INVALID_TOKEN"),
    ];
    for (token, reason) in declined {
        let charge = sandbox.open(&fresh(), 5, token).await.unwrap().1;
        assert_eq!((&charge["status"], &charge["reason"]), (&json!("declined"), &json!(reason)), "{token}");
    }
    for (token, reason) in [("tok_expires", "EXPIRED"), ("tok_action_expires", "ACTION_EXPIRED")] {
        let key = fresh();
        sandbox.open(&key, 5, token).await.unwrap();
        eventually(Duration::from_secs(10), || async {
            let charge = sandbox.find(&key).await.1;
            anyhow::ensure!(charge["reason"] == reason, "{charge}");
            Ok(())
        })
        .await;
    }
    let charge = sandbox.open(&fresh(), 5, "tok_dispute").await.unwrap().1;
    let taken = sandbox.operate(charge["id"].as_str().unwrap(), "captures", &fresh(), json!({})).await.1;
    assert_eq!((&taken["captured"], &taken["chargedBack"]), (&json!(5), &json!(5)));
}

#[tokio::test]
async fn who_has_not_its_key_is_not_answered() {
    let stranger = Sandbox { key: "somebody's".to_owned(), ..Sandbox::of(shared().await) };
    assert_eq!(code(&stranger.open(&fresh(), 5, "tok_visa").await.unwrap()), (401, "UNKNOWN_KEY"));
}
