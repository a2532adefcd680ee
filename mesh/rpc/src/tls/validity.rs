//! Between which times a certificate is valid (RFC 5280, section 4.1): rustls tells it of no certificate of our own.

use der::{
    Decode, Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, GeneralizedTime, UtcTime},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// In seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    pub not_before: i64,
    pub not_after: i64,
}

/// The validity of an encoded X.509 certificate.
pub(super) fn of(certificate: &[u8]) -> der::Result<Validity> {
    let certificate = AnyRef::from_der(certificate)?;
    let signed = AnyRef::decode(&mut SliceReader::new(certificate.value())?)?;
    let mut fields = SliceReader::new(signed.value())?;
    // Version, serial number, algorithm, issuer. Only the first version, which no client takes, has no number.
    for _ in 0..4 {
        AnyRef::decode(&mut fields)?;
    }
    let validity = AnyRef::decode(&mut fields)?;
    let mut times = SliceReader::new(validity.value())?;
    Ok(Validity { not_before: time(&mut times)?, not_after: time(&mut times)? })
}

fn time<'a>(reader: &mut impl Reader<'a>) -> der::Result<i64> {
    let time = AnyRef::decode(reader)?;
    let since = match time.tag() {
        Tag::UtcTime => time.decode_as::<UtcTime>()?.to_unix_duration(),
        _ => time.decode_as::<GeneralizedTime>()?.to_unix_duration(),
    };
    Ok(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

/// Seconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
