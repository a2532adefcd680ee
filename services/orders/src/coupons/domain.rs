//! What a coupon is, what it takes off, and whether an order may use it. Pure.

use crate::domain::Error;
use ::store::Time;
use contracts::money::{self, MOST_OF_A_SUM, Money};
use serde::{Deserialize, Serialize};

/// Hundredths of a percent in the whole.
const WHOLE: u32 = 10_000;

/// Whether orders may use a coupon, within its times and limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CouponState {
    Active,
    Disabled,
}

/// What a coupon takes off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Benefit {
    /// So many hundredths of a percent, 1 to [`WHOLE`].
    Percentage(u32),
    /// So much, above 0.
    Amount(#[serde(with = "::store::fields::money")] Money),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minimum(#[serde(with = "::store::fields::money")] pub Money);

/// What a coupon does, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CouponTerms {
    pub benefit: Benefit,
    /// How many orders may use it; 0 is no limit.
    pub max_redemptions: i32,
    /// How many orders of one user; 0 is no limit.
    pub max_redemptions_per_user: i32,
    pub minimum: Option<Minimum>,
    /// From when on it may be used.
    pub starts_at: Option<Time>,
    /// From when on no more.
    pub expires_at: Option<Time>,
}

/// A coupon as it is stored, under its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    pub terms: CouponTerms,
    /// How many orders use it: as many as there are redemptions that count.
    pub redemption_count: i64,
    /// Whether orders may use it.
    pub state: CouponState,
    pub created_at: Time,
    pub updated_at: Time,
    /// Identity of the request that made it; its code when there was none.
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

/// Why an order may not use a coupon.
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
    /// It is in another currency than the order.
    #[error("this coupon is for orders in {0}")]
    Currency(String),
    #[error("this coupon is for orders of {0} or more")]
    Minimum(Money),
    #[error("this coupon has been used up")]
    Exhausted,
    /// As many orders of the user use it as may.
    #[error("this user has used this coupon up")]
    UserLimit,
    /// As many orders use it as may, and one of them is the user's own that is not confirmed yet.
    #[error("order {order_id} of this user holds this coupon, and is not confirmed yet: pay or cancel it")]
    Held { order_id: String },
    /// The order has given its use back: it came to its end without the coupon.
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

    /// What it is about, for programs.
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
    fn check(&self) -> Result<(), Error> {
        let amount = match &self.benefit {
            Benefit::Percentage(part) if !(1..=WHOLE).contains(part) => {
                return Err(Error::CouponField("percentage", "must be above 0 and at most 100"));
            }
            Benefit::Percentage(_) => None,
            Benefit::Amount(amount) => Some(amount),
        };
        for (field, amount) in [("amount", amount), ("minimum_subtotal", self.minimum.as_ref().map(|least| &least.0))] {
            let bounded = amount.map_or(Ok(()), |amount| amount.at_most(MOST_OF_A_SUM));
            bounded.map_err(|cause| Error::CouponMoney(field, cause))?;
        }
        if amount.is_some_and(|amount| !amount.is_positive()) {
            return Err(Error::CouponField("amount", "must be above 0"));
        }
        let minimum = self.minimum.as_ref().map(|Minimum(minimum)| minimum);
        if minimum.is_some_and(|minimum| !minimum.is_positive()) {
            return Err(Error::CouponField("minimum_subtotal", "must be above 0"));
        }
        if amount.zip(minimum).is_some_and(|(amount, minimum)| amount.currency != minimum.currency) {
            return Err(Error::CouponField("minimum_subtotal", "must be in the currency of amount"));
        }
        if self.starts_at.zip(self.expires_at).is_some_and(|(start, end)| start >= end) {
            return Err(Error::CouponField("expire_time", "must be after start_time"));
        }
        Ok(())
    }
}

impl Coupon {
    pub fn create(terms: CouponTerms, request_key: String, now: Time) -> Result<Self, Error> {
        terms.check()?;
        let (redemption_count, state, request_digest) = (0, CouponState::Active, String::new());
        Ok(Self { terms, redemption_count, state, created_at: now, updated_at: now, request_key, request_digest })
    }

    /// Whether one more order of this subtotal may use it, when `uses` orders of its user do.
    pub fn admit(&self, subtotal: &Money, uses: i64, now: Time) -> Result<(), CouponRefusal> {
        let has_reached = |count: i64, limit: i32| limit > 0 && count >= i64::from(limit);
        if self.state == CouponState::Disabled {
            Err(CouponRefusal::Disabled)
        } else if self.terms.starts_at.is_some_and(|start| now < start) {
            Err(CouponRefusal::NotStarted)
        } else if self.terms.expires_at.is_some_and(|end| now >= end) {
            Err(CouponRefusal::Expired)
        } else if let Some(currency) = self.currency().filter(|currency| *currency != subtotal.currency) {
            Err(CouponRefusal::Currency(currency.to_owned()))
        } else if let Some(Minimum(minimum)) =
            self.terms.minimum.as_ref().filter(|least| subtotal.amount < least.0.amount)
        {
            Err(CouponRefusal::Minimum(minimum.clone()))
        } else if has_reached(self.redemption_count, self.terms.max_redemptions) {
            Err(CouponRefusal::Exhausted)
        } else if has_reached(uses, self.terms.max_redemptions_per_user) {
            Err(CouponRefusal::UserLimit)
        } else {
            Ok(())
        }
    }

    /// The only currency that it can be used in; none for a bare percentage.
    fn currency(&self) -> Option<&str> {
        match (&self.terms.benefit, &self.terms.minimum) {
            (Benefit::Amount(money), _) | (Benefit::Percentage(_), Some(Minimum(money))) => Some(&money.currency),
            (Benefit::Percentage(_), None) => None,
        }
    }

    /// What it takes off a subtotal: a percentage is rounded half-even, an amount is at most the subtotal.
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

    /// Ended. `None` when it is already.
    pub fn disabled(&self, now: Time) -> Option<Self> {
        let is_active = self.state == CouponState::Active;
        is_active.then(|| Self { state: CouponState::Disabled, updated_at: now, ..self.clone() })
    }
}
