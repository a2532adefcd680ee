//! Quotes: what an order would cost, signed, so that for a while it costs that. Nothing is stored.
//!
//! A quote id is a signature and what it signs: until when it holds, a digest of who asked for what, and the prices and
//! rates of that moment. From these the amounts are computed again.

use crate::{error::Error, pricing::taxes::Rate};
use ::store::{Time, TokenSigner};
use contracts::{money::Money, orders::v1::OrderDraftItem};
use prost::Message;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long an order costs what its quote says.
pub const QUOTE_TTL: Duration = Duration::from_secs(15 * 60);

/// Bytes of the digest of a basket in a quote id.
const DIGEST_BYTES: usize = 16;

/// What somebody wants to order; a quote is of one basket.
#[derive(Debug, Clone, Copy)]
pub struct Basket<'a> {
    pub user_id: &'a str,
    pub items: &'a [OrderDraftItem],
    /// The country that the order goes to, ISO 3166-1 alpha-2.
    pub country_code: &'a str,
    /// The coupon's code; empty without one.
    pub coupon_code: &'a str,
}

/// The prices and tax rates that a quote fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedPrices {
    /// Price and rate of each line.
    pub lines: Vec<(Money, Rate)>,
    /// What sending costs, with its rate.
    pub delivery: (Money, Rate),
}

/// Signs quote ids and reads them. Cheap to clone.
#[derive(Clone)]
pub struct QuoteSigner(TokenSigner);

#[derive(Clone, PartialEq, Message)]
struct Content {
    #[prost(int64, tag = "1")]
    expire_millis: i64,
    #[prost(bytes = "vec", tag = "2")]
    basket: Vec<u8>,
    #[prost(string, tag = "3")]
    currency: String,
    #[prost(message, repeated, tag = "4")]
    lines: Vec<Priced>,
    #[prost(message, required, tag = "5")]
    delivery: Priced,
}

#[derive(Clone, PartialEq, Message)]
struct Priced {
    #[prost(int64, tag = "1")]
    minor: i64,
    #[prost(uint32, tag = "2")]
    millionths: u32,
    #[prost(bool, tag = "3")]
    is_included: bool,
}

impl QuoteSigner {
    /// `secret` is the same in every replica.
    pub fn new(secret: &str) -> Self {
        Self(TokenSigner::new(secret, "quote\0"))
    }

    /// The id of a quote that holds until `expires_at`.
    pub fn sign(&self, basket: Basket<'_>, quoted: &QuotedPrices, expires_at: Time) -> Result<String, Error> {
        let priced = |(money, rate): &(Money, Rate)| {
            let minor = i64::try_from(money.minor()).map_err(|_| contracts::money::Error::Overflow)?;
            Ok::<_, Error>(Priced { minor, millionths: rate.millionths, is_included: rate.is_included })
        };
        let content = Content {
            expire_millis: expires_at.timestamp_millis(),
            basket: digest(basket),
            currency: quoted.delivery.0.currency.clone(),
            lines: quoted.lines.iter().map(priced).collect::<Result<_, _>>()?,
            delivery: priced(&quoted.delivery)?,
        };
        Ok(self.0.sign(b"", &content.encode_to_vec()))
    }

    /// What a quote fixes, when it is of this basket and holds at `now`.
    pub fn open(&self, quote_id: &str, basket: Basket<'_>, now: Time) -> Result<QuotedPrices, Error> {
        let content = self.0.open(b"", quote_id).map_err(|_| Error::QuoteInvalid)?;
        let content = Content::decode(content.as_slice()).map_err(|_| Error::QuoteInvalid)?;
        if content.basket != digest(basket) || content.lines.len() != basket.items.len() {
            return Err(Error::QuoteMismatch);
        }
        if now.timestamp_millis() >= content.expire_millis {
            return Err(Error::QuoteExpired);
        }
        let quoted = |priced: &Priced| {
            let rate = Rate { millionths: priced.millionths, is_included: priced.is_included };
            Ok::<_, Error>((Money::from_minor(&content.currency, priced.minor.into())?, rate))
        };
        let lines = content.lines.iter().map(quoted).collect::<Result<_, _>>()?;
        Ok(QuotedPrices { lines, delivery: quoted(&content.delivery)? })
    }
}

fn digest(basket: Basket<'_>) -> Vec<u8> {
    let mut digest = Sha256::new();
    for text in [basket.user_id, basket.country_code, basket.coupon_code] {
        digest.update(text.as_bytes());
        digest.update(b"\0");
    }
    for item in basket.items {
        digest.update(item.encode_length_delimited_to_vec());
    }
    digest.finalize()[..DIGEST_BYTES].to_vec()
}
