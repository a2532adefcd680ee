//! Tokens of mails in MongoDB: `{_id: user_id/purpose, digest, generation, expires_at}`. There is one of each purpose at most,
//! the newest.

use crate::{domain::User, error::Error, recovery::domain::Purpose};
use ::store::{Database, Time, Versioned, now, secret};
use bson::doc;
use mongodb::{Collection, IndexModel, options::IndexOptions};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const COLLECTION: &str = "email_tokens";

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "_id")]
    id: String,
    /// SHA-256 of the token's secret.
    digest: String,
    /// The account's `token_generation` when the token was made.
    generation: i64,
    expires_at: Time,
}

/// What a valid token proves: that its bearer reads the mail of this account.
pub struct Proof {
    pub user_id: String,
    /// The account's `token_generation` when the token was made: a lock or another password raises it.
    pub generation: i64,
}

#[derive(Clone)]
pub struct EmailTokens(Collection<Stored>);

impl EmailTokens {
    pub fn new(database: &Database) -> Self {
        Self(database.collection(COLLECTION))
    }

    /// Lets MongoDB delete what has expired. Only housekeeping: an expired token is refused anyway.
    pub async fn expire_by_themselves(&self) {
        let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
        let index = IndexModel::builder().keys(doc! { "expires_at": 1 }).options(options).build();
        if let Err(error) = self.0.create_index(index).await {
            tracing::warn!(%error, "expired tokens of mails stay in the database until the next start");
        }
    }

    /// A new token, in place of the one before, and when it ends.
    pub async fn create(&self, user: &Versioned<User>, purpose: Purpose) -> Result<(String, Time), Error> {
        let life = i64::try_from(purpose.life().as_millis()).unwrap_or(i64::MAX);
        let expires_at = Time::from_millis(now().timestamp_millis().saturating_add(life));
        let (id, secret) = (key(&user.id, purpose), secret::random());
        let (digest, generation) = (secret::digest(&secret), user.state.token_generation);
        let stored = Stored { id: id.clone(), digest, generation, expires_at };
        self.0.replace_one(doc! { "_id": id }, stored).upsert(true).await?;
        Ok((format!("{}.{secret}", user.id), expires_at))
    }

    /// What the token proves.
    pub async fn check(&self, token: &str, purpose: Purpose) -> Result<Proof, Error> {
        let (user_id, secret) = token.split_once('.').ok_or(Error::TokenInvalid)?;
        let found = self.0.find_one(doc! { "_id": key(user_id, purpose) }).await?;
        let found = found.filter(|found| secret::fits(secret, &found.digest) && found.expires_at > now());
        let found = found.ok_or(Error::TokenInvalid)?;
        Ok(Proof { user_id: user_id.to_owned(), generation: found.generation })
    }

    /// Ends the token of this purpose, unless there is another by now.
    pub async fn end(&self, token: &str, purpose: Purpose) -> Result<(), Error> {
        if let Some((user_id, secret)) = token.split_once('.') {
            self.0.delete_one(doc! { "_id": key(user_id, purpose), "digest": secret::digest(secret) }).await?;
        }
        Ok(())
    }

    /// Ends all tokens of an account.
    pub async fn delete_of(&self, user_id: &str) -> Result<(), Error> {
        let ids = [Purpose::PasswordReset, Purpose::EmailVerification].map(|purpose| key(user_id, purpose));
        self.0.delete_many(doc! { "_id": { "$in": ids.to_vec() } }).await?;
        Ok(())
    }
}

fn key(user_id: &str, purpose: Purpose) -> String {
    format!("{user_id}/{}", purpose.name())
}
