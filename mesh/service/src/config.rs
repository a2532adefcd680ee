//! What a service is started with. The command line fills it; `comptoir dev` makes one per service.

use std::{collections::BTreeMap, fmt, net::SocketAddr};

/// A value that is never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(redacted)")
    }
}

/// Configuration of one service.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name in the topology.
    pub name: String,
    /// Address to serve gRPC on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// MongoDB connection string with this service's own user, `mongodb://…/<database>?authSource=<database>`.
    pub mongodb_uri: Secret,
    /// Database; that of the topology unless a test sets another.
    pub database: String,
    /// NATS server, `nats://host:port`.
    pub nats_url: String,
    /// This service's NATS user.
    pub nats_user: String,
    /// Its password.
    pub nats_password: Secret,
    /// Addresses of the peers that it calls, by name, `http://host:port`.
    pub peers: BTreeMap<String, String>,
    /// This service's Ed25519 key in PKCS#8 PEM; signs its own short-lived tokens.
    pub service_key: Secret,
    /// Public keys of all services and of user tokens, a JWKS (RFC 7517, RFC 8037).
    pub jwks: String,
    /// Key that signs user tokens, PKCS#8 PEM; only the users service has it.
    pub user_token_key: Option<Secret>,
    /// Reservations: life of a hold in seconds, 900 unless a test sets another.
    pub hold_seconds: u32,
    /// Copies of its stream; counts when the stream is made.
    pub stream_replicas: u32,
    /// Bounds of each of its ports.
    pub limits: rpc::Limits,
}
