//! What the gateway must be told.

use std::{collections::BTreeMap, time::Duration};

/// Configuration of the gateway.
#[derive(Clone, Debug)]
pub struct Config {
    /// Protobuf package → address of the service that implements it, such as `http://127.0.0.1:9001`.
    pub upstreams: BTreeMap<String, String>,
    /// JSON Web Key Set (RFC 7517) of those who may sign tokens.
    pub jwks: String,
    /// Largest request body, in bytes.
    pub body_limit_bytes: usize,
    /// How long a call may take unless the caller wants it sooner. Streams have no end.
    pub deadline: Duration,
}

impl Default for Config {
    /// No upstreams and no keys; 1 MiB and 15 s.
    fn default() -> Self {
        Config {
            upstreams: BTreeMap::new(),
            jwks: r#"{"keys":[]}"#.to_owned(),
            body_limit_bytes: 1 << 20,
            deadline: Duration::from_secs(15),
        }
    }
}
