//! Values of settings that have a form of their own.

use http::HeaderName;
use std::str::FromStr;
use transcode::{Access, Options};

/// Who may call an RPC whose contract does not say it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DefaultAccess(pub Access);

impl FromStr for DefaultAccess {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut access = Access::default();
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        for word in &words {
            match (*word, word.strip_prefix("role:")) {
                ("none", _) => {}
                ("public", _) => access.public = true,
                ("user", _) => access.user = true,
                (_, Some(role)) if !role.is_empty() => access.roles.push(role.to_owned()),
                _ => return Err(format!("{word:?} is not none, public, user or role:NAME")),
            }
        }
        if words.len() > 1 && (access.public || words.contains(&"none")) {
            return Err("none and public stand alone".to_owned());
        }
        Ok(DefaultAccess(access))
    }
}

/// How replies are written as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonOutput(pub Options);

impl FromStr for JsonOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Options { shows_defaults: false, keeps_names: false, numbers_enums: false };
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        for word in &words {
            match *word {
                "none" if words.len() == 1 => {}
                "none" => return Err("none stands alone".to_owned()),
                "defaults" => options.shows_defaults = true,
                "proto-names" => options.keeps_names = true,
                "enum-numbers" => options.numbers_enums = true,
                _ => return Err(format!("{word:?} is not defaults, proto-names, enum-numbers or none")),
            }
        }
        Ok(JsonOutput(options))
    }
}

/// Headers that go along to services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForwardedHeaders(pub Vec<HeaderName>);

/// Headers that the gateway itself writes, or that are about one connection (RFC 9110, section 7.6.1) or one body.
const NEVER_FORWARDED: [&str; 21] = [
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-request-id",
    "accept-encoding",
    "http2-settings",
];

impl FromStr for ForwardedHeaders {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let checked = |name: &str| match HeaderName::try_from(name) {
            Err(_) => Err(format!("{name:?} is not the name of a header")),
            Ok(name) if NEVER_FORWARDED.contains(&name.as_str()) || name.as_str().starts_with("grpc-") => {
                Err(format!("{name} is what the gateway writes itself, or about one connection"))
            }
            Ok(name) => Ok(name),
        };
        names.map(checked).collect::<Result<_, _>>().map(Self)
    }
}

/// Names of query parameters, and starts of names with `*`, separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredParameters(pub Vec<String>);

impl IgnoredParameters {
    /// Those of the large advertisers, of analytics and mailing programs, and the `_` that jQuery adds against caches.
    pub const USUAL: &str = "utm_*,gclid,gclsrc,gbraid,wbraid,dclid,gad_*,_gl,_ga,srsltid,fbclid,msclkid,mc_cid,mc_eid,\
         ttclid,twclid,li_fat_id,igshid,igsh,yclid,_hsenc,_hsmi,_kx,epik,_";
}

impl FromStr for IgnoredParameters {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let checked = |name: &str| match name.find('*') {
            Some(at) if at == 0 || at + 1 < name.len() => Err(format!("in {name:?} a * is not the end of a name")),
            _ => Ok(name.to_owned()),
        };
        names.map(checked).collect::<Result<_, _>>().map(Self)
    }
}
