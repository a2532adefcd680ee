//! What a token of another issuer says.

use super::issuers::ForeignIssuer;
use crate::error::Error;
use ::store::Time;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use contracts::role::Role;
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, jwk::Jwk};
use serde_json::{Map, Value};

/// What is told of a token that is refused: an attacker learns nothing more.
pub const REFUSED: Error = Error::InvalidGrant("the assertion is not valid");

/// How far the clocks of the issuer may be from ours.
const LEEWAY_SECONDS: u64 = 30;

/// Signatures that only the issuer can make; with `HS256` whoever has the public key could.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The person whom a token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    pub issuer: String,
    pub subject: String,
    pub email: String,
    pub email_verified: bool,
    pub name: String,
    pub language: String,
    pub issued_at: Time,
    /// The roles that the issuer gives, if it is its to give them.
    pub roles: Option<Vec<String>>,
}

type Claims = Map<String, Value>;

/// The issuer that a token names. Nothing is proved by it.
pub fn issuer(token: &str) -> Option<String> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    Some(text(&claims, "iss")).filter(|issuer| !issuer.is_empty())
}

/// Who the token is for, when `key` has signed it.
pub fn verify(token: &str, header: &Header, key: &Jwk, issuer: &ForeignIssuer) -> Result<Claimed, Error> {
    // RFC 7515, section 4.1.11: what must be understood, and is not.
    if header.crit.is_some() || !ALGORITHMS.contains(&header.alg) {
        return Err(REFUSED);
    }
    if key.common.key_algorithm.is_some_and(|algorithm| format!("{algorithm:?}") != format!("{:?}", header.alg)) {
        return Err(REFUSED);
    }
    let mut validation = Validation::new(header.alg);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_nbf = true;
    validation.set_audience(&[&issuer.audience]);
    validation.set_issuer(&[&issuer.issuer]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let key = DecodingKey::from_jwk(key).map_err(|_| REFUSED)?;
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|_| REFUSED)?.claims;
    // A token for several is for the one that asked for it (OpenID Connect Core, section 3.1.3.7).
    let is_for_others = claims.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
    let party = claims.get("azp").and_then(Value::as_str);
    if party.map_or(is_for_others, |party| party != issuer.audience) {
        return Err(REFUSED);
    }
    claimed(&claims, issuer)
}

fn claimed(claims: &Claims, issuer: &ForeignIssuer) -> Result<Claimed, Error> {
    let issued_at = claims.get("iat").and_then(Value::as_f64).ok_or(REFUSED)?;
    let [subject, email, name, language] = ["sub", "email", "name", "locale"].map(|claim| text(claims, claim));
    if subject.is_empty() || subject.len() > 255 {
        return Err(REFUSED);
    }
    Ok(Claimed {
        issuer: issuer.issuer.clone(),
        subject,
        email,
        email_verified: issuer.emails_verified || claims.get("email_verified") == Some(&Value::Bool(true)),
        issued_at: Time::from_millis((issued_at * 1000.0) as i64),
        name,
        language,
        roles: issuer.role_claim.as_ref().map(|claim| roles(claims.get(claim), issuer)),
    })
}

/// The highest role that the values of the claim stand for.
fn roles(claim: Option<&Value>, issuer: &ForeignIssuer) -> Vec<String> {
    let values: Vec<&str> = match claim {
        Some(Value::String(value)) => vec![value],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let stands_for = values.into_iter().filter_map(|value| issuer.roles.get(value)?.parse::<Role>().ok());
    stands_for.max().map(|role| role.to_string()).into_iter().collect()
}

fn text(claims: &Claims, name: &str) -> String {
    claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
