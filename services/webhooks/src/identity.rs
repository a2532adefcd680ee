//! The identifier of a delivery, which follows from its event and its endpoint.

#[cfg(test)]
mod tests;

use ::store::Time;
use contracts::id::Kind;
use sha2::{Digest, Sha256};

/// The identifier of the delivery of this event to this endpoint: always the same one. It has the time of the event, so that
/// deliveries sort by it.
pub fn delivery_id(event_id: &str, endpoint_id: &str, at: Time) -> String {
    let digest = Sha256::digest(format!("{event_id}/{endpoint_id}"));
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&digest[..10]);
    Kind::Delivery.id_of(u64::try_from(at.timestamp_millis()).unwrap_or(0), &bytes)
}
