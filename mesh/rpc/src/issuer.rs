//! Who issues the tokens of users, and which keys sign them.

use http::Uri;
use settings::Key;
use std::{fmt, path::Path, str::FromStr};

/// Who issues the tokens of users. Every verifier takes the default too: operators sign with it, and so did users before.
pub const ISSUER: Key = Key::new(
    "issuer",
    "COMPTOIR_ISSUER",
    "Who issues the tokens of users, their claim iss: the public address of the gateway, https://shop.example, or no URL",
)
.default(Issuer::COMPTOIR);

/// Id of the key that signs the tokens of users, and how those of its successors begin: `user-tokens-2027`.
pub const USER_TOKENS: &str = "user-tokens";

/// The claim `iss` of the tokens of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// The name of an issuer without an address.
    pub(crate) const COMPTOIR: &str = "comptoir";

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its address, under which it describes itself, without a slash at its end.
    pub fn url(&self) -> Option<&str> {
        Some(self.as_str()).filter(|text| *text != Self::COMPTOIR)
    }
}

impl Default for Issuer {
    fn default() -> Self {
        Issuer(Self::COMPTOIR.to_owned())
    }
}

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = |uri: &Uri| {
            let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
            let is_web = matches!(scheme, "http" | "https") && !authority.contains('@');
            is_web.then(|| format!("{scheme}://{authority}"))
        };
        let is_origin = text.parse::<Uri>().is_ok_and(|uri| origin(&uri).as_deref() == Some(text));
        if is_origin || text == Self::COMPTOIR {
            return Ok(Issuer(text.to_owned()));
        }
        Err(format!("{text:?} is no address such as https://shop.example, without a path and a slash at its end"))
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Whether the key of this id speaks for users. No service has such a name.
pub fn speaks_for_users(key_id: &str) -> bool {
    let rest = key_id.strip_prefix(USER_TOKENS);
    rest.is_some_and(|rest| rest.is_empty() || (rest.starts_with('-') && rest.len() > 1))
}

/// The id of the key in this file: the file's name, where keys of users have such ids.
pub fn user_key_id(file: &Path) -> &str {
    let name = file.file_stem().and_then(|name| name.to_str());
    name.filter(|name| speaks_for_users(name)).unwrap_or(USER_TOKENS)
}
