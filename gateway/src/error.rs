//! Why the gateway cannot start, and why one request failed.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::ALLOW};
use tonic::Status;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the contracts cannot be served over HTTP: {0}")]
    Routes(#[from] transcode::BuildError),
    #[error("the contracts cannot be described: {0}")]
    Document(#[from] openapi::Error),
    #[error("the key set of the gateway: {0}")]
    Keys(#[from] rpc::token::Error),
    #[error("rate limit of {0}: there is no such RPC; `comptoir gateway routes` lists them")]
    Limit(String),
    #[error("NATS, which counts the rate limits: {0}")]
    Nats(#[from] limit::ConnectError),
    #[error("upstream of {package}: {uri:?} is not the address of a gRPC server such as http://127.0.0.1:9001")]
    Upstream {
        package: String,
        uri: String,
        #[source]
        source: tonic::transport::Error,
    },
}

/// Why one request failed: a gRPC status, and the HTTP status where it is not the one that the code maps to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub status: Status,
    pub http: Option<StatusCode>,
    /// What the reply says beside the status, such as `Allow`.
    pub headers: HeaderMap,
}

impl Failure {
    /// A failure whose HTTP status is not that of its code.
    pub(crate) fn with_http(http: StatusCode, status: Status) -> Self {
        Failure { status, http: Some(http), headers: HeaderMap::new() }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure { status, http: None, headers: HeaderMap::new() }
    }
}

impl From<transcode::Error> for Failure {
    fn from(error: transcode::Error) -> Self {
        if let transcode::Error::Reply { rpc, source } = &error {
            tracing::error!(rpc, error = %source, "a reply does not fit its contract");
        }
        let (status, http) = (error.status(), StatusCode::from_u16(error.http_status()).ok());
        let mut headers = HeaderMap::new();
        match error {
            transcode::Error::MethodNotAllowed { allowed } => headers.extend([(ALLOW, allow(&allowed))]),
            transcode::Error::NotFound
            | transcode::Error::MediaType(_)
            | transcode::Error::Invalid(_)
            | transcode::Error::Reply { .. } => {}
        }
        Failure { status, http, headers }
    }
}

pub(crate) fn allow(methods: &[String]) -> HeaderValue {
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static("OPTIONS"))
}
