//! What the gateway shows of itself: `GET /openapi.json`, `GET /docs`, which renders it, and the documents of `well_known`.
//! Nothing is loaded from elsewhere. A cache asks each time whether a page is still the same, but for those of `well_known`.

use crate::condition;
use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fmt::Write as _};

/// Bytes of the digest in an ETag.
const TAG_BYTES: usize = 16;

/// The policy allows what the viewer needs: its own script and style, pictures inside the style, and calls of this gateway.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Caches keep a page and ask each time: after an upgrade nobody generates a client from the contracts of yesterday.
const ASKING: HeaderValue = HeaderValue::from_static("no-cache");

const HEADERS: [(HeaderName, &str); 3] =
    [(CONTENT_SECURITY_POLICY, POLICY), (REFERRER_POLICY, "no-referrer"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files of the viewer: path, content type, content. gateway/viewer/README.md tells where they come from.
const VIEWER: [(&str, &str, &[u8]); 4] = [
    ("/docs", "text/html; charset=utf-8", include_bytes!("../viewer/index.html")),
    ("/docs/start.js", SCRIPT, include_bytes!("../viewer/start.js")),
    ("/docs/swagger-ui-bundle.js", SCRIPT, include_bytes!("../viewer/swagger-ui-bundle.js")),
    ("/docs/swagger-ui.css", "text/css; charset=utf-8", include_bytes!("../viewer/swagger-ui.css")),
];

/// Pages by their paths.
#[derive(Default)]
pub(crate) struct Pages(BTreeMap<&'static str, Page>);

pub(crate) struct Page {
    content: Bytes,
    content_type: HeaderValue,
    /// How long caches keep it without asking.
    cache_control: HeaderValue,
    /// A digest of the content, in quotes.
    etag: HeaderValue,
}

impl Pages {
    /// The pages that show an OpenAPI document.
    pub(crate) fn new(document: &Value) -> Self {
        let document = Page::new("application/json", document.to_string().into());
        let viewer = VIEWER.map(|(path, content_type, content)| (path, Page::new(content_type, content.into())));
        Pages([("/openapi.json", document)].into_iter().chain(viewer).collect())
    }

    /// Pages that caches keep for a time without asking.
    pub(crate) fn kept(pages: Vec<(&'static str, &'static str, &Value)>, cache_control: &'static str) -> Self {
        let cache_control = HeaderValue::from_static(cache_control);
        let page = |(path, content_type, content): (_, _, &Value)| {
            let page = Page::new(content_type, content.to_string().into());
            (path, Page { cache_control: cache_control.clone(), ..page })
        };
        Pages(pages.into_iter().map(page).collect())
    }

    pub(crate) fn at(&self, path: &str) -> Option<&Page> {
        self.0.get(path)
    }
}

impl Page {
    fn new(content_type: &'static str, content: Bytes) -> Self {
        let digest = Sha256::digest(&content).iter().take(TAG_BYTES).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes what is written");
            text
        });
        let etag = condition::tag(&digest).expect("hexadecimal digits are a tag");
        Page { content, content_type: HeaderValue::from_static(content_type), cache_control: ASKING, etag }
    }

    /// The page as whoever has no version of it gets it.
    pub(crate) fn reply(&self) -> Response {
        let mut response = Response::new(Body::from(self.content.clone()));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(ETAG, self.etag.clone());
        headers.insert(CACHE_CONTROL, self.cache_control.clone());
        headers.extend(HEADERS.map(|(name, value)| (name, HeaderValue::from_static(value))));
        response
    }
}
