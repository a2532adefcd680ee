//! Bearer tokens: EdDSA JWTs (RFC 8037) of users and of services, verified against a pinned JWKS.
//!
//! The key id decides what a token can say: `user-tokens`, and while keys change `user-tokens-…`, speak for users; the key of a
//! service speaks for that service alone. A service signs its own short-lived tokens, so that no call depends on a token server (ADR 2).

use crate::{Issuer, Principal, Revocations, issuer::speaks_for_users};
use contracts::role::Role;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind, jwk::JwkSet};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

pub use crate::issuer::USER_TOKENS;

/// Audience of all tokens.
const AUDIENCE: &str = "comptoir";

/// Life of a service's own token.
const SERVICE_TOKEN_LIFE: Duration = Duration::from_secs(300);

/// Verified tokens that are kept, so that a signature is checked once and not per call.
const CACHE_ENTRIES: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the JWKS cannot be read: {0}")]
    KeySet(#[source] jsonwebtoken::errors::Error),
    #[error("the JWKS is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the signing key is not an Ed25519 key in PKCS#8 PEM: {0}")]
    SigningKey(#[source] jsonwebtoken::errors::Error),
    #[error("the token was signed by a key that is not known here")]
    UnknownKey,
    /// This process would sign tokens that nobody takes.
    #[error("the JWKS does not list the key {0:?}, which signs: list it for every verifier first")]
    NotListed(String),
    #[error("the token has expired")]
    Expired,
    /// The account was locked, deleted or lost a role since.
    #[error("the token was revoked; sign in again")]
    Revoked,
    #[error("the token is not valid")]
    Invalid(#[source] jsonwebtoken::errors::Error),
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    /// Generation of the account's tokens; 0 until some were revoked.
    #[serde(rename = "gen", default)]
    generation: i64,
    /// Of a client's token, the client (RFC 9068, section 2.2); it is the subject too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
}

/// The account, or the client, that a token speaks for.
#[derive(Debug, Clone, Copy)]
pub struct Account<'a> {
    pub id: &'a str,
    /// Names of its roles beyond that of a customer.
    pub roles: &'a [String],
    /// A revocation ends the tokens of lower generations.
    pub generation: i64,
    pub is_client: bool,
}

/// Public keys by id, and the tokens that they have vouched for.
#[derive(Clone)]
pub struct KeySet {
    keys: Arc<HashMap<String, DecodingKey>>,
    /// Who may issue the tokens of users.
    issuers: [Issuer; 2],
    seen: Arc<Mutex<Seen>>,
    revocations: Revocations,
}

/// Verified tokens by their digests.
type Seen = HashMap<[u8; 32], Verified>;

/// What a token says whose signature is good.
#[derive(Clone)]
struct Verified {
    principal: Principal,
    generation: i64,
    expiry: u64,
}

impl KeySet {
    pub fn from_jwks(source: &str) -> Result<Self, Error> {
        let set: JwkSet = serde_json::from_str(source)?;
        let mut keys = HashMap::new();
        for jwk in &set.keys {
            let id = jwk.common.key_id.clone().unwrap_or_default();
            keys.insert(id, DecodingKey::from_jwk(jwk).map_err(Error::KeySet)?);
        }
        let (keys, revocations) = (Arc::new(keys), Revocations::default());
        Ok(Self { keys, issuers: Default::default(), seen: Arc::default(), revocations })
    }

    /// The same keys, whose tokens of users this one may issue too.
    pub fn issued_by(mut self, issuer: &Issuer) -> Self {
        self.issuers = [Issuer::default(), issuer.clone()];
        self
    }

    /// Refuses a signer of tokens of users whose tokens these keys do not vouch for.
    pub fn vouch_for(&self, signer: &Signer) -> Result<(), Error> {
        let token = signer.user_token("start", &[], SERVICE_TOKEN_LIFE)?;
        self.check(&token).map(drop).map_err(|_| Error::NotListed(signer.id.clone()))
    }

    /// The list of revoked tokens that this one checks, which somebody has to keep.
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Who the token speaks for.
    pub fn verify(&self, token: &str) -> Result<Principal, Error> {
        let Verified { principal, generation, .. } = self.signed(token)?;
        match principal.subject() {
            Some(id) if self.revocations.covers(id, generation) => Err(Error::Revoked),
            _ => Ok(principal),
        }
    }

    /// What the token says, when it is signed and has not expired.
    fn signed(&self, token: &str) -> Result<Verified, Error> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = unix_seconds();
        if let Some(verified) = self.seen.lock().expect("no holder panics").get(&digest) {
            return if verified.expiry > now { Ok(verified.clone()) } else { Err(Error::Expired) };
        }
        let verified = self.check(token)?;
        let mut seen = self.seen.lock().expect("no holder panics");
        if seen.len() >= CACHE_ENTRIES {
            // Forgetting all of them costs each caller one check of a signature; an order of use would cost every
            // call.
            seen.clear();
        }
        seen.insert(digest, verified.clone());
        Ok(verified)
    }

    fn check(&self, token: &str) -> Result<Verified, Error> {
        let header = jsonwebtoken::decode_header(token).map_err(Error::Invalid)?;
        // RFC 7515, section 4.1.11: what must be understood, and is not.
        if header.crit.is_some() {
            return Err(Error::Invalid(ErrorKind::InvalidToken.into()));
        }
        let id = header.kid.unwrap_or_default();
        let key = self.keys.get(&id).ok_or(Error::UnknownKey)?;
        // The key decides who may be the issuer: a service cannot make a token of a user, nor of another service.
        let is_of_users = speaks_for_users(&id);
        let issuers = if is_of_users { self.issuers.each_ref().map(Issuer::as_str) } else { [id.as_str(); 2] };
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.leeway = 0;
        validation.validate_nbf = true;
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&issuers);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Error::Expired,
                _ => Error::Invalid(error),
            })?
            .claims;
        if claims.exp <= unix_seconds() {
            return Err(Error::Expired); // RFC 7519, section 4.1.4: on or after
        }
        if claims.sub.is_empty() {
            return Err(Error::Invalid(ErrorKind::InvalidSubject.into()));
        }
        let (generation, expiry) = (claims.generation, claims.exp);
        let principal = if is_of_users { claims.principal()? } else { Principal::Service(id) };
        Ok(Verified { principal, generation, expiry })
    }
}

impl Claims {
    /// The user or the client that a token of users is for.
    fn principal(self) -> Result<Principal, Error> {
        let Claims { sub: id, roles, generation, client_id, .. } = self;
        let (role, acts_for_all) = (Role::highest(&roles), false);
        match client_id {
            None => Ok(Principal::User { id, role, acts_for_all }),
            Some(client_id) if client_id == id => Ok(Principal::Client { id, role, generation, acts_for_all }),
            Some(_) => Err(Error::Invalid(ErrorKind::InvalidSubject.into())),
        }
    }
}

/// A private key and what it may say.
#[derive(Clone)]
pub struct Signer {
    id: String,
    key: EncodingKey,
    /// Of tokens of users.
    issuer: Issuer,
    own: Arc<Mutex<Option<(String, u64)>>>,
}

impl Signer {
    /// From PKCS#8 PEM; `id` is the key's id in the JWKS.
    pub fn new(id: &str, pkcs8_pem: &str) -> Result<Self, Error> {
        let key = EncodingKey::from_ed_pem(pkcs8_pem.as_bytes()).map_err(Error::SigningKey)?;
        Ok(Self { id: id.to_owned(), key, issuer: Issuer::default(), own: Arc::default() })
    }

    /// The same key, whose tokens of users have this issuer.
    pub fn issued_by(mut self, issuer: Issuer) -> Self {
        self.issuer = issuer;
        self
    }

    /// A token of who has no account, such as an operator: no revocation ends it.
    pub fn user_token(&self, id: &str, roles: &[String], life: Duration) -> Result<String, Error> {
        self.account_token(Account { id, roles, generation: 0, is_client: false }, life)
    }

    pub fn account_token(&self, account: Account<'_>, life: Duration) -> Result<String, Error> {
        self.sign(self.issuer.as_str(), account, life)
    }

    /// This service's own token; the same one until a minute before it ends.
    pub fn service_token(&self) -> Result<String, Error> {
        let mut own = self.own.lock().expect("no holder panics");
        if let Some((token, expiry)) = own.as_ref()
            // A minute is longer than a call waits on its way: no token expires before it is checked.
            && *expiry > unix_seconds() + 60
        {
            return Ok(token.clone());
        }
        let own_account = Account { id: &self.id, roles: &[], generation: 0, is_client: false };
        let token = self.sign(&self.id, own_account, SERVICE_TOKEN_LIFE)?;
        *own = Some((token.clone(), unix_seconds() + SERVICE_TOKEN_LIFE.as_secs()));
        Ok(token)
    }

    fn sign(&self, issuer: &str, account: Account<'_>, life: Duration) -> Result<String, Error> {
        let iat = unix_seconds();
        let claims = Claims {
            iss: issuer.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: account.id.to_owned(),
            iat,
            exp: iat + life.as_secs(),
            roles: account.roles.to_vec(),
            generation: account.generation,
            client_id: account.is_client.then(|| account.id.to_owned()),
        };
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(Error::SigningKey)
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
