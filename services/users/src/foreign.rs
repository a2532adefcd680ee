//! Who signs in elsewhere: tokens of other issuers, which are exchanged for ours (RFC 7523).

pub mod accounts;
mod assertion;
pub mod issuers;
mod keys;

pub use assertion::Claimed;

use crate::error::Error;
use issuers::{ForeignIssuer, ForeignIssuers};
use keys::Keys;
use std::sync::Arc;

/// Issuers whose tokens are taken, each with its keys.
#[derive(Clone)]
pub struct Foreign(Arc<Vec<(ForeignIssuer, Keys)>>);

impl Foreign {
    pub fn new(issuers: ForeignIssuers) -> Result<Self, reqwest::Error> {
        let client = keys::client()?;
        Ok(Self(Arc::new(issuers.0.into_iter().map(|issuer| (issuer, Keys::new(client.clone()))).collect())))
    }

    /// Who the token is for, when one of the issuers has made it for this shop.
    pub async fn identify(&self, token: &str) -> Result<Claimed, Error> {
        let named = assertion::issuer(token).ok_or(assertion::REFUSED)?;
        let issuer = self.0.iter().find(|(issuer, _)| issuer.issuer == named);
        let (issuer, keys) = issuer.ok_or(Error::InvalidGrant("the issuer of the assertion is not known here"))?;
        let header = jsonwebtoken::decode_header(token).map_err(|_| assertion::REFUSED)?;
        let key = keys.key(issuer, header.kid.as_deref()).await?;
        assertion::verify(token, &header, &key, issuer)
    }
}
