//! What an OAuth client is and which changes it allows. Pure.

use crate::domain;
use ::store::Time;
use contracts::role::Role;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// What it is, for people; empty once deleted.
    pub name: String,
    /// Name of what it may do, above that of a customer.
    pub role: String,
    /// Digest of its secret; none once deleted.
    pub secret_digest: Option<String>,
    /// What its tokens carry; a revocation raises it, so that those of before count no more.
    pub token_generation: i64,
    pub created_at: Time,
    /// When its secret was made.
    pub secret_created_at: Time,
}

impl Client {
    pub fn create(name: String, role: &str, secret_digest: String, now: Time) -> Result<Self, domain::Error> {
        if name.trim().is_empty() {
            return Err(domain::Error::Field("name".to_owned(), "is required".to_owned()));
        }
        let known = role.parse::<Role>().ok().filter(|role| *role > Role::Customer);
        let fault = || domain::Error::Field("role".to_owned(), "must be support, staff or admin".to_owned());
        let role = known.ok_or_else(fault)?.to_string();
        let secret_digest = Some(secret_digest);
        Ok(Self { name, role, secret_digest, token_generation: 0, created_at: now, secret_created_at: now })
    }

    /// With another secret, and without the tokens that the old one has brought. None of a deleted one.
    pub fn rotated(&self, secret_digest: String, now: Time) -> Option<Self> {
        let token_generation = self.token_generation + 1;
        let secret_digest = Some(secret_digest);
        (!self.is_deleted()).then(|| Self { secret_digest, token_generation, secret_created_at: now, ..self.clone() })
    }

    /// Without its secret and its tokens, for good. None of a deleted one.
    pub fn deleted(&self) -> Option<Self> {
        let token_generation = self.token_generation + 1;
        (!self.is_deleted()).then(|| Self {
            name: String::new(),
            secret_digest: None,
            token_generation,
            ..self.clone()
        })
    }

    /// Whether a token of this generation can be one of today.
    pub fn bears(&self, generation: i64) -> bool {
        !self.is_deleted() && generation >= self.token_generation
    }

    pub fn is_deleted(&self) -> bool {
        self.secret_digest.is_none()
    }
}
