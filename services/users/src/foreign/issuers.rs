//! The configuration of other issuers.

#[cfg(test)]
mod tests;

use contracts::role::Role;
use reqwest::Url;
use serde::Deserialize;
use std::{collections::BTreeMap, str::FromStr};

/// Most issuers.
const MOST: usize = 16;

/// An issuer whose tokens are exchanged for ours.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ForeignIssuer {
    /// Its claim `iss`.
    pub issuer: String,
    /// What its tokens for this shop have in `aud`: with OpenID Connect the id of the client.
    pub audience: String,
    /// Where its keys are; without it, its discovery document tells.
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Whether it has proved the addresses of all of its people, and says so of none.
    #[serde(default)]
    pub emails_verified: bool,
    /// The claim that tells roles, a text or a list of texts. Without it the roles of an account are the shop's to give.
    #[serde(default)]
    pub role_claim: Option<String>,
    /// The role that a value of that claim stands for.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
}

/// All of them, a JSON list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignIssuers(pub Vec<ForeignIssuer>);

impl FromStr for ForeignIssuers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let issuers: Vec<ForeignIssuer> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if issuers.len() > MOST {
            return Err(format!("there are more than {MOST} issuers"));
        }
        for (place, issuer) in issuers.iter().enumerate() {
            issuer.check()?;
            if issuers.iter().take(place).any(|before| before.issuer == issuer.issuer) {
                return Err(format!("the issuer {:?} comes twice", issuer.issuer));
            }
        }
        Ok(Self(issuers))
    }
}

impl ForeignIssuer {
    fn check(&self) -> Result<(), String> {
        let name = &self.issuer;
        url(name)?;
        self.jwks_uri.as_deref().map(url).transpose()?;
        if self.audience.is_empty() {
            return Err(format!("{name}: audience is empty, and so would take tokens for anybody"));
        }
        if self.role_claim.is_none() != self.roles.is_empty() {
            return Err(format!("{name}: roleClaim and roles need each other"));
        }
        let unknown = self.roles.values().find(|role| !role.parse::<Role>().is_ok_and(|role| role > Role::Customer));
        unknown.map_or(Ok(()), |role| Err(format!("{name}: {role:?} is none of the roles support, staff and admin")))
    }
}

/// Keys that come over a connection that others can change prove nothing.
pub fn url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{text:?} is no URL: {error}"))?;
    let is_local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_local => Ok(url),
        _ => Err(format!("{text:?} does not begin with https://")),
    }
}
