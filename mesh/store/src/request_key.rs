//! The identity of a request that may be repeated: who asks, under which key, and a digest of what is asked.

use prost::Message;
use sha2::{Digest, Sha256};

/// A caller's key of a request, and the digest that tells its repeat from another request under the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    name: String,
    digest: String,
}

impl RequestKey {
    /// The key of `actor` (a user id or a service); `None` without a `request_id`: then nothing repeats the request.
    /// `content` is what a repeat must have in common with it; secrets are not in it, because the digest is stored.
    pub fn new(actor: &str, request_id: &str, content: &impl Message) -> Option<Self> {
        (!request_id.is_empty()).then(|| Self { name: Self::name_of(actor, request_id), digest: digest(content) })
    }

    /// The stored form of an actor's `request_id`.
    pub fn name_of(actor: &str, request_id: &str) -> String {
        format!("{actor}/{request_id}")
    }

    /// The stored form of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Whether `stored` is the digest of this request. An empty one is of a time before there were digests, and is that of
    /// every request.
    pub fn repeats(&self, stored: &str) -> bool {
        stored.is_empty() || stored == self.digest
    }
}

/// SHA-256 of a message as it is encoded, in hex.
pub fn digest(content: &impl Message) -> String {
    Sha256::digest(content.encode_to_vec()).iter().map(|byte| format!("{byte:02x}")).collect()
}
