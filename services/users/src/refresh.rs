//! Refresh tokens in MongoDB: each works once, and using one again ends its family.
//!
//! A family is what one sign-in leads to. `{_id: SHA-256 of the token, family, user_id, expires_at, used_at}`.

use crate::error::Error;
use ::store::{Time, now};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bson::{Document, doc};
use mongodb::{Collection, Database, IndexModel, options::IndexOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

const COLLECTION: &str = "refresh_tokens";

/// Life of a refresh token: 30 days.
const LIFE_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

/// How often the end of a family is repeated while rotations under way still add to it.
const ROUNDS: u32 = 8;

/// Why a refresh token is refused; the same for unknown, expired and used ones.
const REFUSED: Error = Error::InvalidGrant("the refresh token is not valid; sign in again");

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    hash: String,
    family: String,
    user_id: String,
    expires_at: Time,
    used_at: Option<Time>,
}

/// A refresh token that has just been used up.
pub struct Used {
    /// The account that it speaks for.
    pub user_id: String,
    hash: String,
    family: String,
}

/// Indexes of the collection, apart from the one that lets tokens expire.
pub fn indexes() -> [(&'static str, Document, bool); 2] {
    [(COLLECTION, doc! { "family": 1 }, false), (COLLECTION, doc! { "user_id": 1 }, false)]
}

/// The refresh tokens.
#[derive(Clone)]
pub struct RefreshTokens(Collection<Stored>);

impl RefreshTokens {
    /// Refresh tokens of this database.
    pub fn new(database: &Database) -> Self {
        Self(database.collection(COLLECTION))
    }

    /// Lets MongoDB delete what has expired. Only housekeeping: an expired token is refused anyway.
    pub async fn expire_by_themselves(&self) {
        let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
        let index = IndexModel::builder().keys(doc! { "expires_at": 1 }).options(options).build();
        if let Err(error) = self.0.create_index(index).await {
            tracing::warn!(%error, "expired refresh tokens stay in the database until the next start");
        }
    }

    /// The first token of a new family.
    pub async fn first(&self, user_id: &str) -> Result<String, Error> {
        self.insert(random(), user_id).await
    }

    /// Uses a token up. A token that was used before ends its family.
    pub async fn take(&self, token: &str) -> Result<Used, Error> {
        let (hash, now) = (hash(token), now());
        let usable = doc! { "_id": &hash, "used_at": null, "expires_at": { "$gt": now } };
        if let Some(stored) = self.0.find_one_and_update(usable, doc! { "$set": { "used_at": now } }).await? {
            return Ok(Used { user_id: stored.user_id, hash: stored.hash, family: stored.family });
        }
        if let Some(stored) = self.0.find_one(doc! { "_id": &hash }).await?
            && stored.used_at.is_some()
        {
            tracing::warn!(user_id = %stored.user_id, "a refresh token was used twice; its family ends");
            self.end(&stored.family).await?;
        }
        Err(REFUSED)
    }

    /// The next token of a family. Refused when the family has ended since `used` was taken.
    pub async fn next(&self, used: &Used) -> Result<String, Error> {
        let token = self.insert(used.family.clone(), &used.user_id).await?;
        if self.0.find_one(doc! { "_id": &used.hash }).await?.is_some() {
            return Ok(token);
        }
        self.0.delete_one(doc! { "_id": hash(&token) }).await?;
        Err(REFUSED)
    }

    /// Deletes all tokens of an account.
    pub async fn delete_of(&self, user_id: &str) -> Result<(), Error> {
        self.0.delete_many(doc! { "user_id": user_id }).await?;
        Ok(())
    }

    /// Deletes a family until a round finds nothing: a token that is inserted later finds its predecessor gone.
    async fn end(&self, family: &str) -> Result<(), Error> {
        for _ in 0..ROUNDS {
            if self.0.delete_many(doc! { "family": family }).await?.deleted_count == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn insert(&self, family: String, user_id: &str) -> Result<String, Error> {
        let token = random();
        let expires_at = Time::from_millis(now().timestamp_millis() + LIFE_MILLIS);
        let stored = Stored { hash: hash(&token), family, user_id: user_id.to_owned(), expires_at, used_at: None };
        self.0.insert_one(stored).await?;
        Ok(token)
    }
}

/// 32 random bytes.
fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

fn hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token.as_bytes()))
}
