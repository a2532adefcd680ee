//! Cross-origin calls of browsers (CORS, the Fetch standard): which pages may read replies. None may, unless configured.
//!
//! Tokens travel in `Authorization`, which a page sets itself, and the gateway reads no cookies; so
//! `Access-Control-Allow-Credentials` is never sent, for no origin.

#[cfg(test)]
mod tests;

use axum::response::Response;
use http::{
    HeaderMap, HeaderValue, Method, Request, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN, VARY,
    },
};
use std::{str::FromStr, time::Duration};
use transcode::Rpc;

/// The headers of replies that a page may read, beside those that it always may. Those of gRPC are how a call over gRPC-Web
/// tells that it failed at once.
const EXPOSED: &str = "Allow, ETag, Grpc-Message, Grpc-Status, Grpc-Status-Details-Bin, Location, RateLimit, \
    RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id";

/// The pages whose scripts may call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origins {
    #[default]
    None,
    /// These, as browsers write them: `https://shop.example`, `http://localhost:5173`.
    Listed(Vec<String>),
    All,
}

impl FromStr for Origins {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let entries: Vec<&str> = list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        match entries.as_slice() {
            [] => Ok(Origins::None),
            ["*"] => Ok(Origins::All),
            entries if entries.contains(&"*") => Err("* stands alone".to_owned()),
            entries => entries.iter().map(|entry| origin(entry)).collect::<Result<_, _>>().map(Origins::Listed),
        }
    }
}

/// The origin as browsers write it: scheme and host in small letters, and no port that the scheme implies.
fn origin(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not the origin of a page such as https://shop.example");
    let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
    let (scheme, authority) = (scheme.to_ascii_lowercase(), authority.to_ascii_lowercase());
    let uri: Uri = format!("{scheme}://{authority}").parse().map_err(|_| wrong())?;
    let is_bare = uri.authority().is_some_and(|parsed| parsed.as_str() == authority) && !authority.contains(['@', '*']);
    let implied = match scheme.as_str() {
        "http" => Some(":80"),
        "https" => Some(":443"),
        _ => None,
    };
    let host = implied.and_then(|port| authority.strip_suffix(port)).unwrap_or(&authority);
    if is_bare && !host.is_empty() { Ok(format!("{scheme}://{host}")) } else { Err(wrong()) }
}

/// The headers of one reply that a page may read beside those.
#[derive(Clone)]
struct Exposed(HeaderValue);

/// Lets pages read what the contract of `rpc` has its replies tell in headers.
pub(crate) fn expose(rpc: &Rpc, response: &mut Response) {
    if let Ok(names) = HeaderValue::try_from(rpc.access.reply_headers.join(", "))
        && !names.is_empty()
    {
        response.extensions_mut().insert(Exposed(names));
    }
}

/// What browsers are told.
#[derive(Debug)]
pub(crate) struct Cors {
    pub origins: Origins,
    /// How long a browser keeps the reply to a preflight.
    pub max_age: Duration,
}

/// What a page asks.
pub(crate) struct Page {
    /// What `Access-Control-Allow-Origin` says to it; none when it may not call.
    allowed: Option<HeaderValue>,
    preflight: Option<Preflight>,
}

/// The preflight of a call: what the page wants to send.
struct Preflight {
    headers: Option<HeaderValue>,
}

impl Page {
    /// Reads the head of a request.
    pub(crate) fn of<B>(cors: &Cors, request: &Request<B>) -> Self {
        if cors.origins == Origins::None {
            return Page { allowed: None, preflight: None };
        }
        Page { allowed: cors.allowed(request.headers().get(ORIGIN)), preflight: preflight(request) }
    }

    /// Adds to a reply what the browser of the page asks for.
    pub(crate) fn tell(self, cors: &Cors, response: &mut Response) {
        let is_found = response.status() == StatusCode::NO_CONTENT;
        let more = response.extensions_mut().remove::<Exposed>();
        let headers = response.headers_mut();
        if matches!(cors.origins, Origins::Listed(_)) {
            headers.append(VARY, HeaderValue::from(ORIGIN));
        }
        let Some(origin) = self.allowed else { return };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        match self.preflight.filter(|_| is_found) {
            Some(preflight) => preflight.answer(headers, cors.max_age),
            None => {
                headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
                if let Some(Exposed(names)) = more {
                    headers.append(ACCESS_CONTROL_EXPOSE_HEADERS, names);
                }
            }
        }
    }
}

fn preflight<B>(request: &Request<B>) -> Option<Preflight> {
    let headers = request.headers();
    let is_preflight = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    is_preflight.then(|| Preflight { headers: headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned() })
}

impl Cors {
    /// What `Access-Control-Allow-Origin` says to a page of this origin; none when the page may not call.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        match &self.origins {
            Origins::None => None,
            Origins::All => Some(HeaderValue::from_static("*")),
            Origins::Listed(listed) => {
                origin.filter(|origin| listed.iter().any(|one| one.as_bytes() == origin.as_bytes())).cloned()
            }
        }
    }
}

impl Preflight {
    /// Adds to the reply to OPTIONS, whose `Allow` tells the methods of the path. A page may send any header: those that
    /// the gateway does not know go no further than it.
    fn answer(self, headers: &mut HeaderMap, max_age: Duration) {
        if let Some(methods) = headers.get(ALLOW).cloned() {
            headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(asked) = self.headers {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked);
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from(max_age.as_secs()));
        headers.append(VARY, HeaderValue::from(ACCESS_CONTROL_REQUEST_HEADERS));
    }
}
