//! Why the gateway cannot start, and why one request failed.

use crate::reflect;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::ALLOW};
use std::{error::Error as _, path::PathBuf};
use tonic::Status;

/// Why the gateway cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the descriptors cannot be served over HTTP: {0}")]
    Routes(#[from] transcode::BuildError),
    #[error("the descriptors cannot be described: {0}")]
    Document(#[from] openapi::Error),
    #[error("the key set of the gateway: {0}")]
    Keys(#[from] rpc::token::Error),
    #[error("the certificate of the gateway: {0}")]
    Tls(#[from] rpc::tls::Error),
    #[error("rate limit of {0}: there is no such RPC; `comptoir gateway routes` lists them")]
    Limit(String),
    #[error("NATS, which counts the rate limits: {0}")]
    Nats(#[from] limit::ConnectError),
    #[error("{uri:?} is not the address of a gRPC server such as http://127.0.0.1:9001")]
    Upstream { uri: String },
    #[error("this is no descriptor set: {0}")]
    Undecodable(#[source] prost::DecodeError),
    /// A descriptor set that was emptied, or is of messages alone.
    #[error("the descriptors have no service")]
    NoServices,
    #[error("the descriptors cannot be compiled, which is a defect of Comptoir: {0}")]
    Panic(#[source] tokio::task::JoinError),
    #[error("package {package} has no upstream; COMPTOIR_UPSTREAM (or --upstream) needs {package}=URI")]
    NoUpstream { package: String },
    #[error(
        "{rpc} asks for a token, and there are no keys to check it with; COMPTOIR_JWKS_FILE (or --jwks-file) names them"
    )]
    NoKeys { rpc: String },
    #[error("cannot read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("reflection of {uri}: {source}")]
    Reflection { uri: String, source: reflect::Error },
    #[error("cannot listen for SIGHUP")]
    Signal(#[source] std::io::Error),
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

/// An error with its sources, in one line.
pub(crate) fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        // Some errors have their source in their own text.
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text.replace('\n', " ")
}
