//! Identifiers that follow from what they are of: a mail's from its event, a bounced address's from the address.

#[cfg(test)]
mod tests;

use crate::domain::Template;
use ::store::Time;
use contracts::id::Kind;
use sha2::{Digest, Sha256};

/// Characters of an address's digest, which is SHA-256 in hexadecimal.
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// The identifier of the mail that this event asks for: always the same one, so that there is one mail for each event and
/// template. It has the time of the event, so that mails sort by it.
pub fn email_id(event_id: &str, template: Template, at: Time) -> String {
    let digest = Sha256::digest(format!("{event_id}/{}", template.name()));
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&digest[..10]);
    Kind::Email.id_of(u64::try_from(at.timestamp_millis()).unwrap_or(0), &bytes)
}

/// What an address is known by once mails to it are suppressed; in whatever case it is written.
pub fn address_digest(address: &str) -> String {
    let digest = Sha256::digest(address.to_lowercase());
    let pair = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from(HEXADECIMAL[usize::from(half)]));
    digest.iter().flat_map(pair).collect()
}
