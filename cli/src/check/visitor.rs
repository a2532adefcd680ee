//! JSON over HTTP to the gateway, as somebody.

use anyhow::{Context, bail};
use reqwest::{Method, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest time for one request: an order waits for 20 s.
const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Clone)]
pub struct Visitor {
    http: reqwest::Client,
    gateway: Url,
    token: Option<String>,
}

impl Visitor {
    /// One who takes any certificate, or believes the authorities of the web.
    pub fn new(gateway: &str, takes_any_certificate: bool) -> anyhow::Result<Self> {
        let gateway = Url::parse(gateway).with_context(|| format!("{gateway} is not a URL; use http://HOST:PORT"))?;
        let http = reqwest::Client::builder().timeout(DEADLINE).no_proxy();
        let http = http.danger_accept_invalid_certs(takes_any_certificate).build()?;
        Ok(Self { http, gateway, token: None })
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// With the token that a password gives.
    pub async fn sign_in(&self, username: &str, password: &str) -> anyhow::Result<Self> {
        let body = json!({ "grant_type": "password", "username": username, "password": password });
        let reply = self.post("/oauth2/token", body).await?;
        Ok(self.with_token(reply["access_token"].as_str().context("the reply has no access_token")?))
    }

    /// Whether the gateway and what is behind it are ready.
    pub async fn ready(&self) -> anyhow::Result<String> {
        self.get("/readyz").await?;
        Ok(self.gateway.to_string())
    }

    /// GET of what must be there.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        taken(&Method::GET, path, self.send(Method::GET, path, |request| request).await?)
    }

    /// GET of what may be there.
    pub async fn find(&self, path: &str) -> anyhow::Result<Option<Value>> {
        match self.send(Method::GET, path, |request| request).await? {
            (StatusCode::NOT_FOUND, _) => Ok(None),
            reply => taken(&Method::GET, path, reply).map(Some),
        }
    }

    /// POST of JSON, under a key of its own.
    pub async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let key = format!("check-{:032x}", rand::random::<u128>());
        let reply = self.send(Method::POST, path, |request| request.header("idempotency-key", key).json(&body)).await?;
        taken(&Method::POST, path, reply)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        shape: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> anyhow::Result<(StatusCode, String)> {
        let url = self.gateway.join(path).with_context(|| format!("{path} is not a path"))?;
        let mut request = shape(self.http.request(method.clone(), url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let reply = request.send().await.with_context(|| format!("{method} {path}"))?;
        Ok((reply.status(), reply.text().await.unwrap_or_default()))
    }
}

/// What a reply brings, unless it is an error.
fn taken(method: &Method, path: &str, (status, text): (StatusCode, String)) -> anyhow::Result<Value> {
    if !status.is_success() {
        bail!("{method} {path} answers {status}: {}", text.trim());
    }
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
