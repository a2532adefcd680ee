//! How a client proves who it is at the endpoints of OAuth (RFC 6749, section 2.3.1): HTTP Basic, or parameters of the body.

use crate::error::Error;
use base64::{Engine, engine::general_purpose::STANDARD};
use tonic::metadata::MetadataMap;

/// What a client says it is, and its secret. Not printable.
pub struct Presented {
    pub id: String,
    pub secret: String,
}

/// What the `authorization` header presents. Another scheme than Basic is no authentication of a client: what it brings counts as
/// nothing, as a bearer token does that a caller sends with every request.
pub fn basic(headers: &MetadataMap) -> Result<Option<Presented>, Error> {
    let values = headers.get_all("authorization");
    let split = |text: &str| {
        let (scheme, credentials) = text.trim().split_once([' ', '\t']).unwrap_or((text, ""));
        scheme.eq_ignore_ascii_case("basic").then(|| credentials.trim().to_owned())
    };
    let found = values.iter().find_map(|value| split(value.to_str().unwrap_or_default()));
    match found {
        None => Ok(None),
        Some(_) if values.iter().nth(1).is_some() => {
            Err(Error::InvalidRequest("there is more than one authorization header".to_owned()))
        }
        Some(credentials) => decode(&credentials).map(Some).ok_or(Error::InvalidClient),
    }
}

/// The one authentication of a request: by its header, or by `client_id` and `client_secret` of its body. A `client_id` alone is
/// that of a client without a secret, which names itself and proves nothing.
pub fn presented(header: Option<Presented>, id: &str, secret: &str) -> Result<Option<Presented>, Error> {
    let refused = |text: &str| Err(Error::InvalidRequest(text.to_owned()));
    match header {
        Some(_) if !secret.is_empty() => {
            refused("the client authenticates itself twice: by its header and in the body")
        }
        Some(own) if !id.is_empty() && id != own.id => {
            refused("client_id is not the client of the authorization header")
        }
        Some(own) => Ok(Some(own)),
        None if secret.is_empty() => Ok(None),
        None if id.is_empty() => refused("client_secret has no client_id"),
        None => Ok(Some(Presented { id: id.to_owned(), secret: secret.to_owned() })),
    }
}

/// `base64(form(id) ":" form(secret))`: each part is encoded as a field of a form is, and has no colon of its own.
fn decode(credentials: &str) -> Option<Presented> {
    let text = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let (id, secret) = (form(id)?, form(secret)?);
    (!id.is_empty()).then_some(Presented { id, secret })
}

/// A field of `application/x-www-form-urlencoded`, decoded.
fn form(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}
