//! One request to a receiver: to an address that the policy admits, without redirects, within a time, and little of its answer.

use crate::{
    domain::Outcome,
    network::{Policy, Refusal, Resolver, has_tls},
};
use reqwest::{Certificate, Client, redirect};
use std::{error::Error, sync::Arc, time::Duration};

/// Bytes of an answer that are read: nothing of them is kept, but a connection whose answer has ended can be used again.
const ANSWER_BYTES: usize = 4096;

/// How long a connection is kept that nothing is sent over. A name is resolved, and its addresses looked at, for a new one.
const IDLE: Duration = Duration::from_secs(30);

/// What is sent.
pub struct Message<'a> {
    pub id: &'a str,
    pub seconds: i64,
    pub signature: String,
    pub body: String,
}

pub struct Poster {
    policy: Policy,
    /// For https and for http: what the resolver admits depends on it.
    clients: [Client; 2],
    /// How long a request may take, from the connection to the end of the answer.
    pub limit: Duration,
}

impl Poster {
    /// Trusts these authorities beside those of the web.
    pub fn new(policy: &Policy, authorities: Vec<Certificate>, limit: Duration) -> Result<Self, reqwest::Error> {
        let client = |has_tls: bool| {
            let builder = Client::builder()
                .timeout(limit)
                .no_proxy()
                .redirect(redirect::Policy::none())
                .referer(false)
                .user_agent(concat!("comptoir-webhooks/", env!("CARGO_PKG_VERSION")))
                .pool_idle_timeout(IDLE)
                .https_only(has_tls)
                .dns_resolver(Arc::new(Resolver { policy: policy.clone(), has_tls }));
            authorities.iter().cloned().fold(builder, reqwest::ClientBuilder::add_root_certificate).build()
        };
        Ok(Self { policy: policy.clone(), clients: [client(true)?, client(false)?], limit })
    }

    pub async fn post(&self, url: &str, message: Message<'_>) -> Outcome {
        let Ok(url) = Policy::parse(url) else { return Outcome::Failed("ADDRESS_FORBIDDEN") };
        if self.policy.literal(&url).is_err() {
            return Outcome::Failed("ADDRESS_FORBIDDEN");
        }
        let [https, http] = &self.clients;
        let request = if has_tls(&url) { https } else { http }.post(url).body(message.body);
        let request = request
            .header("content-type", "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.seconds)
            .header("webhook-signature", message.signature);
        match request.send().await {
            Ok(mut reply) => {
                let status = reply.status();
                let mut left = ANSWER_BYTES;
                while let Ok(Some(chunk)) = reply.chunk().await
                    && chunk.len() < left
                {
                    left -= chunk.len();
                }
                if status.is_success() { Outcome::Taken(status.as_u16()) } else { Outcome::Refused(status.as_u16()) }
            }
            Err(error) => Outcome::Failed(code(&error)),
        }
    }
}

/// Why there was no answer.
fn code(error: &reqwest::Error) -> &'static str {
    let mut causes = std::iter::successors(Some(error as &(dyn Error + 'static)), |cause: &&(dyn Error + 'static)| {
        (*cause).source()
    });
    if causes.any(|cause| cause.downcast_ref::<Refusal>() == Some(&Refusal::Forbidden)) {
        return "ADDRESS_FORBIDDEN";
    }
    if error.is_timeout() { "TIMEOUT" } else { "UNREACHABLE" }
}
