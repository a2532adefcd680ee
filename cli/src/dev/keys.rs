//! Ed25519 keys: one per service and one for user tokens, as PKCS#8 PEM files, and their public halves as a JWKS.

use super::data::DataDir;
use anyhow::{Context, anyhow};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding},
};
use rpc::issuer::speaks_for_users;
use serde_json::json;
use std::{collections::BTreeSet, fs, path::PathBuf};
use topology::Topology;

/// Name, and key id, of the key that signs user tokens.
pub const USER_TOKENS: &str = rpc::token::USER_TOKENS;

const DIRECTORY: &str = "keys";

#[derive(Debug)]
pub struct Keys {
    directory: PathBuf,
    /// Names of those that speak for users; there is one at least.
    of_users: BTreeSet<String>,
}

impl Keys {
    /// Reads them; makes those that are missing. Each `user-tokens-….pem` that is there is listed too, so that keys of users change.
    pub fn open(data: &DataDir) -> anyhow::Result<Self> {
        let directory = data.directory(DIRECTORY)?;
        let mut of_users = BTreeSet::new();
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.file_stem().and_then(|name| name.to_str()).filter(|name| speaks_for_users(name));
            of_users.extend(name.filter(|_| path.extension().is_some_and(|kind| kind == "pem")).map(str::to_owned));
        }
        if of_users.is_empty() {
            of_users.insert(USER_TOKENS.to_owned());
        }
        let names = Topology::get().service.keys().chain(&of_users);
        let mut public = Vec::new();
        for name in names {
            let file = format!("{DIRECTORY}/{name}.pem");
            let text = match data.read(&file)? {
                Some(text) => text,
                None => {
                    let text = generate()?;
                    data.write(&file, &text)?;
                    text
                }
            };
            public.push(jwk(name, &text).with_context(|| format!("read {}", data.join(&file).display()))?);
        }
        let jwks = serde_json::to_string_pretty(&json!({ "keys": public }))?;
        data.write("keys/jwks.json", &jwks)?;
        Ok(Self { directory, of_users })
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.pem"))
    }

    /// The key that signs tokens of users under `comptoir dev`: the first by its name.
    pub fn user_token_file(&self) -> PathBuf {
        self.file(self.of_users.first().map_or(USER_TOKENS, String::as_str))
    }

    /// File of the public halves, a JWKS (RFC 7517, RFC 8037).
    pub fn jwks_file(&self) -> PathBuf {
        self.directory.join("jwks.json")
    }
}

/// A new key. Version 1 of PKCS#8, without the public half, is what every reader takes.
fn generate() -> anyhow::Result<String> {
    let pair = KeypairBytes { secret_key: rand::random(), public_key: None };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).map_err(|error| anyhow!("encode a new key: {error}"))?;
    Ok(pem.to_string())
}

fn jwk(id: &str, pem: &str) -> anyhow::Result<serde_json::Value> {
    let key = SigningKey::from_pkcs8_pem(pem).map_err(|error| anyhow!("not an Ed25519 key in PKCS#8 PEM: {error}"))?;
    let x = BASE64_URL_SAFE_NO_PAD.encode(key.verifying_key().as_bytes());
    Ok(json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x }))
}
