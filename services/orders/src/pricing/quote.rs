//! Quotes: the prices of an order, signed, so that an order within the next minutes has the same prices. Nothing is stored.
//!
//! A quote id is a signature with its content: the expiry, a digest of user and basket, and the prices and rates of that
//! moment. From these the amounts are computed again.

#[cfg(test)]
mod tests;

use crate::{domain::Delivery, error::Error, pricing::taxes::Rate};
use ::store::{Time, TokenSigner};
use contracts::{money::Money, orders::v1::OrderDraftItem};
use prost::Message;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// Life of a quote: time for a checkout, and short enough that a change of prices does not lag behind for long.
pub const QUOTE_TTL: Duration = Duration::from_secs(15 * 60);

/// Bytes of the digest of a basket in a quote id: half of SHA-256, for the signature guards it and ids should be short.
const DIGEST_BYTES: usize = 16;

/// The content of an order to be; a quote is of one basket.
#[derive(Debug, Clone, Copy)]
pub struct Basket<'a> {
    pub user_id: &'a str,
    pub items: &'a [OrderDraftItem],
    /// The country that the order goes to, ISO 3166-1 alpha-2.
    pub country_code: &'a str,
    /// The coupon's code; empty without one.
    pub coupon_code: &'a str,
    /// The currency to pay in; empty for that of the main prices.
    pub currency_code: &'a str,
}

/// The price of one unit of a line, with the rate of its tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedPrice {
    pub price: Money,
    pub rate: Rate,
}

/// The prices and tax rates that a quote fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotedPrices {
    pub lines: Vec<QuotedPrice>,
    pub delivery: Delivery,
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
    lines: Vec<SignedPrice>,
    #[prost(message, required, tag = "5")]
    delivery: SignedPrice,
}

#[derive(Clone, PartialEq, Message)]
struct SignedPrice {
    #[prost(int64, tag = "1")]
    minor: i64,
    #[prost(uint32, tag = "2")]
    millionths: u32,
    #[prost(bool, tag = "3")]
    is_included: bool,
}

impl SignedPrice {
    fn rate(&self) -> Rate {
        Rate { millionths: self.millionths, is_included: self.is_included }
    }
}

impl QuoteSigner {
    /// `secret` is the same in every replica.
    pub fn new(secret: &str) -> Self {
        Self(TokenSigner::new(secret, "quote\0"))
    }

    /// The id of a quote that holds until `expires_at`.
    pub fn sign(&self, basket: Basket<'_>, quoted: &QuotedPrices, expires_at: Time) -> Result<String, Error> {
        let signed = |money: &Money, rate: Rate| {
            let minor = i64::try_from(money.minor()).map_err(|_| contracts::money::Error::Overflow)?;
            Ok::<_, Error>(SignedPrice { minor, millionths: rate.millionths, is_included: rate.is_included })
        };
        let lines = quoted.lines.iter().map(|line| signed(&line.price, line.rate));
        let content = Content {
            expire_millis: expires_at.timestamp_millis(),
            basket: digest(basket),
            currency: quoted.delivery.amount.currency.clone(),
            lines: lines.collect::<Result<_, _>>()?,
            delivery: signed(&quoted.delivery.amount, quoted.delivery.rate)?,
        };
        Ok(self.0.sign(b"", &content.encode_to_vec()))
    }

    /// The prices of a quote that is of this basket and holds at `now`.
    pub fn open(&self, quote_id: &str, basket: Basket<'_>, now: Time) -> Result<QuotedPrices, Error> {
        let content = self.0.open(b"", quote_id).map_err(|_| Error::QuoteInvalid)?;
        let content = Content::decode(content.as_slice()).map_err(|_| Error::QuoteInvalid)?;
        if content.basket != digest(basket) || content.lines.len() != basket.items.len() {
            return Err(Error::QuoteMismatch);
        }
        if now.timestamp_millis() >= content.expire_millis {
            return Err(Error::QuoteExpired);
        }
        let money = |signed: &SignedPrice| Money::from_minor(&content.currency, signed.minor.into());
        let line = |signed: &SignedPrice| Ok::<_, Error>(QuotedPrice { price: money(signed)?, rate: signed.rate() });
        let delivery = Delivery { amount: money(&content.delivery)?, rate: content.delivery.rate() };
        Ok(QuotedPrices { lines: content.lines.iter().map(line).collect::<Result<_, _>>()?, delivery })
    }
}

fn digest(basket: Basket<'_>) -> Vec<u8> {
    let mut digest = Sha256::new();
    // A byte that no text contains ends each text, so that the end of one is not the start of the next.
    for text in [basket.user_id, basket.country_code, basket.coupon_code] {
        digest.update(text.as_bytes());
        digest.update(b"\0");
    }
    for item in basket.items {
        digest.update(item.encode_length_delimited_to_vec());
    }
    // None without a currency, as in the quotes of releases that know none. No item has a letter where its first tag is.
    digest.update(basket.currency_code.as_bytes());
    digest.finalize()[..DIGEST_BYTES].to_vec()
}
