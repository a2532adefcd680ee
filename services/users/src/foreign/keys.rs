//! The keys of an issuer, as it publishes them.

use super::issuers::ForeignIssuer;
use crate::error::Error;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use reqwest::{Client, redirect::Policy};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;

/// How long keys are used before they are asked for again, for those who come next.
const FRESH_FOR: Duration = Duration::from_secs(600);

/// How long they are used while the issuer does not answer.
const USED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Pause between two questions. Whoever makes up names of keys would have the issuer asked for each.
const PAUSE: Duration = Duration::from_secs(5);

const TIMEOUT: Duration = Duration::from_secs(5);

/// Most bytes of a document of the issuer.
const MAX_DOCUMENT: usize = 256 * 1024;

/// The keys of one issuer.
#[derive(Clone)]
pub struct Keys {
    client: Client,
    known: Arc<Mutex<Option<Known>>>,
    /// When an answer of the issuer ended last. Who waits for the lock waits for an answer, and asks nothing.
    asked: Arc<tokio::sync::Mutex<Option<Instant>>>,
}

/// Keys, and when they were told.
type Known = (Arc<JwkSet>, Instant);

/// What of the discovery document is read.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<Value>,
}

pub fn client() -> Result<Client, reqwest::Error> {
    // A redirect could lead to keys of somebody else.
    Client::builder().timeout(TIMEOUT).redirect(Policy::none()).no_proxy().build()
}

impl Keys {
    pub fn new(client: Client) -> Self {
        Self { client, known: Arc::default(), asked: Arc::default() }
    }

    /// The key of this name, or the only one when the token names none. Only who needs a key that is not known waits for the issuer.
    pub async fn key(&self, issuer: &ForeignIssuer, id: Option<&str>) -> Result<Jwk, Error> {
        if let Some((keys, since)) = self.known()
            && let Some(key) = find(&keys, id)
        {
            if since.elapsed() >= FRESH_FOR {
                drop(self.refresh(issuer)); // goes on by itself
            }
            return Ok(key);
        }
        // In a task: who hangs up meanwhile does not take the answer along.
        let _ = self.refresh(issuer).await;
        match self.known() {
            Some((keys, _)) => find(&keys, id).ok_or(Error::InvalidGrant("the assertion was signed by an unknown key")),
            None => Err(Error::IssuerUnavailable),
        }
    }

    /// The keys that still count.
    fn known(&self) -> Option<Known> {
        let known = self.known.lock().expect("no holder panics").clone();
        known.filter(|(_, since)| since.elapsed() < USED_FOR)
    }

    /// Asks the issuer for its keys, unless it was asked a moment ago.
    fn refresh(&self, issuer: &ForeignIssuer) -> JoinHandle<()> {
        let (keys, issuer) = (self.clone(), issuer.clone());
        tokio::spawn(async move {
            let mut asked = keys.asked.lock().await;
            if asked.is_some_and(|asked| asked.elapsed() < PAUSE) {
                return;
            }
            match keys.fetch(&issuer).await {
                Ok(told) => *keys.known.lock().expect("no holder panics") = Some((Arc::new(told), Instant::now())),
                Err(error) => tracing::warn!(issuer = issuer.issuer, %error, "the keys of an issuer cannot be read"),
            }
            *asked = Some(Instant::now());
        })
    }

    async fn fetch(&self, issuer: &ForeignIssuer) -> Result<JwkSet, String> {
        let uri = match &issuer.jwks_uri {
            Some(uri) => uri.clone(),
            None => {
                let base = issuer.issuer.trim_end_matches('/');
                let found: Discovery = self.get(&format!("{base}/.well-known/openid-configuration")).await?;
                if found.issuer != issuer.issuer {
                    return Err(format!("its discovery document is that of {:?}", found.issuer));
                }
                found.jwks_uri
            }
        };
        super::issuers::url(&uri)?;
        let Published { keys } = self.get(&uri).await?;
        // Keys of kinds that are not known here are for others.
        Ok(JwkSet { keys: keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect() })
    }

    async fn get<T: DeserializeOwned>(&self, uri: &str) -> Result<T, String> {
        let told = |error: reqwest::Error| format!("{uri}: {}", error.without_url());
        let mut reply = self.client.get(uri).send().await.map_err(told)?;
        if !reply.status().is_success() {
            return Err(format!("{uri} answers {}", reply.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(told)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_DOCUMENT {
                return Err(format!("{uri} has more than {MAX_DOCUMENT} bytes"));
            }
        }
        serde_json::from_slice(&body).map_err(|error| format!("{uri}: {error}"))
    }
}

fn find(keys: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    let mut signing = keys.keys.iter().filter(|key| key.common.public_key_use != Some(PublicKeyUse::Encryption));
    match id {
        Some(id) => signing.find(|key| key.common.key_id.as_deref() == Some(id)).cloned(),
        None => signing.next().filter(|_| signing.next().is_none()).cloned(),
    }
}
