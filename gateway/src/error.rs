//! Why the gateway cannot start or go on, and why one request failed.

use http::StatusCode;
use tonic::Status;

/// Why the gateway cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The contracts have bindings that cannot be served.
    #[error("the contracts cannot be served over HTTP: {0}")]
    Routes(#[from] transcode::BuildError),
    /// The key set is not one.
    #[error("the key set of the gateway: {0}")]
    Keys(#[from] rpc::token::Error),
    /// The address of an upstream is not one.
    #[error("upstream of {package}: {uri:?} is not the address of a gRPC server such as http://127.0.0.1:9001")]
    Upstream {
        /// Protobuf package.
        package: String,
        /// The address.
        uri: String,
        /// What is wrong with it.
        #[source]
        source: tonic::transport::Error,
    },
    /// The listener failed.
    #[error("the gateway cannot accept connections: {0}")]
    Serve(#[from] std::io::Error),
}

/// Why one request failed: a gRPC status, and the HTTP status where it is not the one that the code maps to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub status: Status,
    pub http: Option<StatusCode>,
    /// Methods for the header `Allow`.
    pub allow: Vec<String>,
}

impl Failure {
    /// A failure whose HTTP status is not that of its code.
    pub(crate) fn with_http(http: StatusCode, status: Status) -> Self {
        Failure { status, http: Some(http), allow: Vec::new() }
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Failure { status, http: None, allow: Vec::new() }
    }
}

impl From<transcode::Error> for Failure {
    fn from(error: transcode::Error) -> Self {
        if let transcode::Error::Reply { rpc, source } = &error {
            tracing::error!(rpc, error = %source, "a reply does not fit its contract");
        }
        let (status, http) = (error.status(), StatusCode::from_u16(error.http_status()).ok());
        let allow = match error {
            transcode::Error::MethodNotAllowed { allowed } => allowed,
            transcode::Error::NotFound
            | transcode::Error::MediaType(_)
            | transcode::Error::Invalid(_)
            | transcode::Error::Reply { .. } => Vec::new(),
        };
        Failure { status, http, allow }
    }
}
