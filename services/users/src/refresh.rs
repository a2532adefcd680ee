//! Refresh tokens in MongoDB: each is exchanged once, and using one again later ends its family.
//!
//! A family is what one sign-in leads to. `{_id: SHA-256 of the token, family, user_id, password_version, expires_at, used_at,
//! salt}`. The
//! successor of a token is computed from the token itself and a salt that is stored when it is first used. So within the
//! grace whoever presents the token again, such as a second tab or a client whose reply was lost, is given the same
//! successor by any replica; a reader of the database, who has the salt and not the token, can compute nothing.

use crate::error::Error;
use ::store::{Index, Time, now, secret};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bson::{Document, doc};
use hmac::{Hmac, KeyInit, Mac};
use mongodb::{Collection, Database, IndexModel, options::IndexOptions, options::ReturnDocument};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::time::Duration;

const COLLECTION: &str = "refresh_tokens";

/// Life of a refresh token: 30 days.
const LIFE_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How often the end of families is repeated while rotations under way still add to it.
const ROUNDS: u32 = 8;

/// Why a refresh token is refused; the same for unknown, expired and used ones.
const REFUSED: Error = Error::InvalidGrant("the refresh token is not valid; sign in again");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    hash: String,
    family: String,
    user_id: String,
    /// The account's `password_version` at the sign-in.
    #[serde(default)]
    password_version: i64,
    expires_at: Time,
    used_at: Option<Time>,
    /// What its successor is computed with, once it is used; none of tokens that an older version has used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
}

impl Stored {
    /// Whether its first use is within the grace, so that it may be repeated.
    fn is_in_grace(&self, grace: Duration, now: Time) -> bool {
        let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        self.used_at.is_some_and(|used_at| now.timestamp_millis().saturating_sub(used_at.timestamp_millis()) < grace)
    }
}

/// A refresh token that has been used up, now or within the grace.
pub struct Used {
    /// The account that it speaks for.
    pub user_id: String,
    /// The account's `password_version` at the sign-in that it comes from.
    pub password_version: i64,
    hash: String,
    family: String,
    successor: String,
}

/// Indexes of the collection, apart from the one that lets tokens expire.
pub fn indexes() -> [Index; 2] {
    ["family", "user_id"].map(|key| Index::new(COLLECTION, doc! { key: 1 }))
}

#[derive(Clone)]
pub struct RefreshTokens {
    tokens: Collection<Stored>,
    grace: Duration,
}

impl RefreshTokens {
    /// Refresh tokens of this database; `grace` is how long after its use a token still answers with its successor.
    pub fn new(database: &Database, grace: Duration) -> Self {
        Self { tokens: database.collection(COLLECTION), grace }
    }

    /// Lets MongoDB delete what has expired. Only housekeeping: an expired token is refused anyway.
    pub async fn expire_by_themselves(&self) {
        let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
        let index = IndexModel::builder().keys(doc! { "expires_at": 1 }).options(options).build();
        if let Err(error) = self.tokens.create_index(index).await {
            tracing::warn!(%error, "expired refresh tokens stay in the database until the next start");
        }
    }

    /// Ends the family of a token. No effect when there is none, or it has ended.
    pub async fn revoke(&self, token: &str) -> Result<(), Error> {
        match self.tokens.find_one(doc! { "_id": secret::digest(token) }).await? {
            Some(found) => self.end(doc! { "family": found.family }).await,
            None => Ok(()),
        }
    }

    /// Whether there is such a token, used or not.
    pub async fn is_there(&self, token: &str) -> Result<bool, Error> {
        Ok(self.tokens.find_one(doc! { "_id": secret::digest(token) }).await?.is_some())
    }

    /// The first token of a new family.
    pub async fn first(&self, user_id: &str, password_version: i64) -> Result<String, Error> {
        let token = secret::random();
        self.insert(&token, secret::random(), user_id, password_version).await?;
        Ok(token)
    }

    /// Uses a token up. Within the grace it may be used again; later that ends its family.
    pub async fn take(&self, token: &str) -> Result<Used, Error> {
        let (hash, now) = (secret::digest(token), now());
        let usable = doc! { "_id": &hash, "used_at": null, "expires_at": { "$gt": now } };
        let used = doc! { "$set": { "used_at": now, "salt": secret::random() } };
        // One atomic update decides which of two users of a token is the first; the grace decides about the other.
        let taken = self.tokens.find_one_and_update(usable, used).return_document(ReturnDocument::After).await?;
        telemetry::crash_point("users.refresh.used");
        let (found, may_go_on) = match taken {
            Some(taken) => (taken, true),
            None => {
                let found = self.tokens.find_one(doc! { "_id": &hash }).await?.ok_or(REFUSED)?;
                let is_in_grace = found.is_in_grace(self.grace, now);
                (found, is_in_grace)
            }
        };
        match (&found.salt, found.used_at) {
            (Some(salt), _) if may_go_on => {
                let successor = successor(token, salt);
                let Stored { hash, family, user_id, password_version, .. } = found;
                Ok(Used { user_id, password_version, hash, family, successor })
            }
            (_, Some(_)) => {
                tracing::warn!(user_id = %found.user_id, "a refresh token was used again; its family ends");
                self.end(doc! { "family": found.family }).await?;
                Err(REFUSED)
            }
            (_, None) => Err(REFUSED), // it has expired unused
        }
    }

    /// The next token of a family, the same however often it is asked for. Refused when the family has ended since `used`
    /// was taken.
    pub async fn next(&self, used: Used) -> Result<String, Error> {
        self.insert(&used.successor, used.family, &used.user_id, used.password_version).await?;
        // Looked up after the insert: a family that ended in between has lost its predecessor, and would have kept
        // this token.
        if self.tokens.find_one(doc! { "_id": &used.hash }).await?.is_some() {
            return Ok(used.successor);
        }
        self.tokens.delete_one(doc! { "_id": secret::digest(&used.successor) }).await?;
        Err(REFUSED)
    }

    /// Ends all families of an account.
    pub async fn delete_of(&self, user_id: &str) -> Result<(), Error> {
        self.end(doc! { "user_id": user_id }).await
    }

    /// Deletes these, which are whole families, until a round finds nothing: a token that is inserted later finds its
    /// predecessor gone.
    async fn end(&self, these: Document) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            if self.tokens.delete_many(these.clone()).await?.deleted_count == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Stores a token; no effect when it is there.
    async fn insert(&self, token: &str, family: String, user_id: &str, password_version: i64) -> Result<(), Error> {
        let expires_at = Time::from_millis(now().timestamp_millis() + LIFE_MILLIS);
        let (hash, user_id) = (secret::digest(token), user_id.to_owned());
        let stored = Stored { hash, family, user_id, password_version, expires_at, used_at: None, salt: None };
        match self.tokens.insert_one(stored).await.map_err(::store::Error::from) {
            Ok(_) | Err(::store::Error::Duplicate) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// The token that follows on `token`, which is as random as `token` is to everybody else.
fn successor(token: &str, salt: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(salt.as_bytes());
    URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}
