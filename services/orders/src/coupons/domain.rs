//! What a coupon is, what it takes off, and whether an order may use it. Pure.

#[cfg(test)]
mod tests;

use ::store::Time;
use contracts::money::{self, MOST_OF_A_SUM, Money};
use serde::{Deserialize, Serialize};

/// Hundredths of a percent in the whole.
const WHOLE: u32 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CouponState {
    Active,
    Disabled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Benefit {
    /// Hundredths of a percent, 1 to [`WHOLE`].
    Percentage(u32),
    /// Above 0.
    Amount(#[serde(with = "::store::fields::money")] Money),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minimum(#[serde(with = "::store::fields::money")] pub Money);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponTerms {
    pub benefit: Benefit,
    /// Most orders; 0 is no limit.
    pub max_redemptions: i32,
    /// Most orders of one user; 0 is no limit.
    pub max_redemptions_per_user: i32,
    pub minimum: Option<Minimum>,
    pub starts_at: Option<Time>,
    /// The first moment at which the coupon cannot be used any more.
    pub expires_at: Option<Time>,
}

/// A coupon as it is stored, under its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    pub terms: CouponTerms,
    /// Orders that use the coupon: the number of its redemptions in the state Redeemed.
    pub redemption_count: i64,
    pub state: CouponState,
    pub created_at: Time,
    pub updated_at: Time,
    /// Key of the request that made the coupon; the coupon's code when the request had none.
    pub request_key: String,
    /// Digest of that request; empty when there was none, and in coupons that are older than digests.
    #[serde(default)]
    pub request_digest: String,
}

/// What a coupon takes off an order; frozen when the order is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    pub code: String,
    /// How much, from 0 to the subtotal.
    #[serde(with = "::store::fields::money")]
    pub amount: Money,
}

#[derive(Debug, thiserror::Error)]
pub enum TermsError {
    #[error("{0} {1}")]
    Field(&'static str, &'static str),
    /// The field is not an amount of money.
    #[error("{0}: {1}")]
    Money(&'static str, #[source] money::Error),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CouponRefusal {
    #[error("there is no such coupon")]
    Unknown,
    #[error("this coupon has been ended")]
    Disabled,
    #[error("this coupon cannot be used yet")]
    NotStarted,
    #[error("this coupon has expired")]
    Expired,
    #[error("this coupon is for orders in {0}")]
    Currency(String),
    #[error("this coupon is for orders of {0} or more")]
    Minimum(Money),
    #[error("this coupon has been used up")]
    Exhausted,
    #[error("this user has used this coupon up")]
    UserLimit,
    /// The limit is reached, and an order of the user that is not confirmed yet counts towards it.
    #[error("order {order_id} of this user holds this coupon, and is not confirmed yet: pay or cancel it")]
    Held { order_id: String },
    /// A release of the order came first: a late redemption must not count.
    #[error("this order has given the coupon back")]
    Released,
}

impl CouponRefusal {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "COUPON_UNKNOWN",
            Self::Disabled => "COUPON_DISABLED",
            Self::NotStarted => "COUPON_NOT_STARTED",
            Self::Expired => "COUPON_EXPIRED",
            Self::Currency(_) => "COUPON_CURRENCY",
            Self::Minimum(_) => "COUPON_MINIMUM",
            Self::Exhausted => "COUPON_EXHAUSTED",
            Self::UserLimit => "COUPON_USER_LIMIT",
            Self::Held { .. } => "COUPON_HELD",
            Self::Released => "COUPON_RELEASED",
        }
    }

    pub fn metadata(&self) -> Vec<(String, String)> {
        match self {
            Self::Held { order_id } => vec![("order_id".to_owned(), order_id.clone())],
            Self::Unknown
            | Self::Disabled
            | Self::NotStarted
            | Self::Expired
            | Self::Currency(_)
            | Self::Minimum(_)
            | Self::Exhausted
            | Self::UserLimit
            | Self::Released => Vec::new(),
        }
    }
}

impl CouponTerms {
    fn check(&self) -> Result<(), TermsError> {
        let amount = match &self.benefit {
            Benefit::Percentage(part) if !(1..=WHOLE).contains(part) => {
                return Err(TermsError::Field("percentage", "must be above 0 and at most 100"));
            }
            Benefit::Percentage(_) => None,
            Benefit::Amount(amount) => Some(amount),
        };
        for (field, amount) in [("amount", amount), ("minimum_subtotal", self.minimum.as_ref().map(|least| &least.0))] {
            let bounded = amount.map_or(Ok(()), |amount| amount.at_most(MOST_OF_A_SUM));
            bounded.map_err(|cause| TermsError::Money(field, cause))?;
        }
        if amount.is_some_and(|amount| !amount.is_positive()) {
            return Err(TermsError::Field("amount", "must be above 0"));
        }
        let minimum = self.minimum.as_ref().map(|Minimum(minimum)| minimum);
        if minimum.is_some_and(|minimum| !minimum.is_positive()) {
            return Err(TermsError::Field("minimum_subtotal", "must be above 0"));
        }
        if amount.zip(minimum).is_some_and(|(amount, minimum)| amount.currency != minimum.currency) {
            return Err(TermsError::Field("minimum_subtotal", "must be in the currency of amount"));
        }
        if self.starts_at.zip(self.expires_at).is_some_and(|(start, end)| start >= end) {
            return Err(TermsError::Field("expire_time", "must be after start_time"));
        }
        Ok(())
    }
}

impl Coupon {
    pub fn create(terms: CouponTerms, request_key: String, now: Time) -> Result<Self, TermsError> {
        terms.check()?;
        let (redemption_count, state, request_digest) = (0, CouponState::Active, String::new());
        Ok(Self { terms, redemption_count, state, created_at: now, updated_at: now, request_key, request_digest })
    }

    /// Whether one more order may use the coupon, when `uses` orders of its user do already.
    pub fn admit(&self, subtotal: &Money, uses: i64, now: Time) -> Result<(), CouponRefusal> {
        let has_reached = |count: i64, limit: i32| limit > 0 && count >= i64::from(limit);
        if self.state == CouponState::Disabled {
            return Err(CouponRefusal::Disabled);
        }
        if self.terms.starts_at.is_some_and(|start| now < start) {
            return Err(CouponRefusal::NotStarted);
        }
        if self.terms.expires_at.is_some_and(|end| now >= end) {
            return Err(CouponRefusal::Expired);
        }
        // The currency comes before the amounts: sums of two currencies cannot be compared.
        if let Some(currency) = self.currency().filter(|currency| *currency != subtotal.currency) {
            return Err(CouponRefusal::Currency(currency.to_owned()));
        }
        match &self.terms.minimum {
            Some(Minimum(least)) if subtotal.amount < least.amount => Err(CouponRefusal::Minimum(least.clone())),
            _ if has_reached(self.redemption_count, self.terms.max_redemptions) => Err(CouponRefusal::Exhausted),
            _ if has_reached(uses, self.terms.max_redemptions_per_user) => Err(CouponRefusal::UserLimit),
            _ => Ok(()),
        }
    }

    /// The only currency of orders that may use the coupon; none for a bare percentage.
    fn currency(&self) -> Option<&str> {
        match (&self.terms.benefit, &self.terms.minimum) {
            (Benefit::Amount(money), _) | (Benefit::Percentage(_), Some(Minimum(money))) => Some(&money.currency),
            (Benefit::Percentage(_), None) => None,
        }
    }

    /// The discount on a subtotal: a percentage is rounded half-even, an amount is at most the subtotal.
    pub fn discount(&self, subtotal: &Money) -> Result<Money, money::Error> {
        match &self.terms.benefit {
            Benefit::Percentage(part) => subtotal.units(0, *part, WHOLE),
            Benefit::Amount(amount) if amount.amount < subtotal.amount => Ok(amount.clone()),
            Benefit::Amount(_) => Ok(subtotal.clone()),
        }
    }

    pub fn redeemed(&self, now: Time) -> Self {
        Self { redemption_count: self.redemption_count + 1, updated_at: now, ..self.clone() }
    }

    pub fn released(&self, now: Time) -> Self {
        Self { redemption_count: self.redemption_count - 1, updated_at: now, ..self.clone() }
    }

    /// The coupon after its end. `None` when it has ended before.
    pub fn disabled(&self, now: Time) -> Option<Self> {
        let is_active = self.state == CouponState::Active;
        is_active.then(|| Self { state: CouponState::Disabled, updated_at: now, ..self.clone() })
    }
}
