//! JSON over HTTP to the gateway, as somebody.

use crate::stack::{DEMO_PASSWORD, Stack};
use comptoir::dev::seed;
use reqwest::{Method, header::HeaderMap};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest time for one request.
const DEADLINE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body; `Value::String` when it is not JSON, `Value::Null` when it is empty.
    pub body: Value,
    /// Headers.
    pub headers: HeaderMap,
}

impl Reply {
    /// The body, when the status is `status`; panics with the whole reply when not.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "the reply is {self:?}");
        self.body
    }
}

/// A caller of the gateway.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    gateway: String,
    token: Option<String>,
}

impl Client {
    /// Without a token.
    pub fn anonymous(stack: &Stack) -> Self {
        Self::at(stack.gateway())
    }

    /// Without a token, of a gateway at `http://host:port`.
    pub fn at(gateway: &str) -> Self {
        let http = reqwest::Client::builder().timeout(DEADLINE).no_proxy().build().expect("the options are valid");
        Self { http, gateway: gateway.to_owned(), token: None }
    }

    /// The same caller with another token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// Signed in with a password.
    pub async fn sign_in(stack: &Stack, email: &str, password: &str) -> Self {
        let anonymous = Self::anonymous(stack);
        let body = json!({ "grant_type": "password", "username": email, "password": password });
        let token = anonymous.post("/oauth2/token", body).await.expect(200);
        anonymous.with_token(token["access_token"].as_str())
    }

    /// A new account, signed in, and its user as JSON.
    pub async fn register(stack: &Stack) -> (Self, Value) {
        let email = format!("test-{:016x}@example.com", rand::random::<u64>());
        let body = json!({ "email": email, "name": "Test Customer", "password": DEMO_PASSWORD });
        let user = Self::anonymous(stack).post("/v1/users", body).await.expect(201);
        (Self::sign_in(stack, &email, DEMO_PASSWORD).await, user)
    }

    /// The seeded member of staff.
    pub async fn staff(stack: &Stack) -> Self {
        Self::sign_in(stack, seed::STAFF, DEMO_PASSWORD).await
    }

    /// The seeded member of support.
    pub async fn support(stack: &Stack) -> Self {
        Self::sign_in(stack, seed::SUPPORT, DEMO_PASSWORD).await
    }

    /// The seeded admin.
    pub async fn admin(stack: &Stack) -> Self {
        Self::sign_in(stack, seed::ADMIN, DEMO_PASSWORD).await
    }

    /// The seeded customer.
    pub async fn customer(stack: &Stack) -> Self {
        Self::sign_in(stack, seed::CUSTOMER, DEMO_PASSWORD).await
    }

    /// The address of the gateway.
    pub fn gateway(&self) -> &str {
        &self.gateway
    }

    /// The bearer token.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        reply(self.request(Method::GET, path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        reply(self.request(Method::POST, path).json(&body)).await
    }

    /// POST of JSON with an Idempotency-Key.
    pub async fn post_with_key(&self, path: &str, body: Value, key: &str) -> Reply {
        reply(self.request(Method::POST, path).header("idempotency-key", key).json(&body)).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: Value) -> Reply {
        reply(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        reply(self.request(Method::DELETE, path)).await
    }

    /// A request to shape further: raw bodies, headers, streams. Send it with [`reply`] or by itself.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.gateway));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

/// Sends a request and reads its answer; panics when the gateway does not answer.
pub async fn reply(request: reqwest::RequestBuilder) -> Reply {
    let answer = request.send().await.unwrap_or_else(|error| panic!("the gateway does not answer: {error:?}"));
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap_or_else(|error| panic!("the answer breaks off: {error:?}"));
    let text = String::from_utf8_lossy(&bytes);
    let body = match bytes.len() {
        0 => Value::Null,
        _ => serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned())),
    };
    Reply { status, body, headers }
}
