//! Money: `google.type.Money` on the wire, [`Money`] (a decimal with an ISO 4217 currency) everywhere else, its text
//! (`12.50`, the form of Decimal128 too) in stores.
//!
//! Amounts are exact multiples of the currency's minor unit within ±(2⁶³ − 1) units; arithmetic is checked and never mixes
//! currencies. Products are rounded half-even per line, splits sum to the whole. `vectors/money.json` has golden vectors
//! for other languages.

mod currency;
mod share;
#[cfg(test)]
mod tests;

pub use currency::{all as currencies, decimals};

use crate::google::r#type::Money as Wire;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use std::fmt;

/// Most minor units of a price: 100 billion EUR, 10,000 billion JPY. What fits is bounded by minor units and not by units,
/// for a million is a house in one currency and a lunch in another.
pub const MOST_OF_A_PRICE: i128 = 10_000_000_000_000;

/// Most minor units of what is paid at once: with room to spare, sums fit the 64 bits in which others count minor units.
pub const MOST_OF_A_SUM: i128 = 1_000_000_000_000_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// Amount in units of the currency.
    pub amount: Decimal,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("currency code {0:?} is not an active ISO 4217 code such as EUR")]
    Currency(String),
    /// `units` and `nanos` disagree in sign, or `nanos` is out of range.
    #[error("nanos must be within ±999,999,999 and have the sign of units")]
    Nanos,
    #[error("{0:?} is not a decimal number")]
    Text(String),
    #[error("{currency} has {digits} decimals; {amount} is finer")]
    Precision { currency: String, digits: u32, amount: Decimal },
    #[error("cannot add {0} to {1}")]
    Mixed(String, String),
    /// Parts of nothing: no weight is above 0, or the units are not within the whole.
    #[error("an amount cannot be split into these parts")]
    Weights,
    /// Beyond the bound of what it is for, which is this.
    #[error("must be at most {0}")]
    TooLarge(String),
    /// Beyond what `google.type.Money` can carry.
    #[error("is too large")]
    Overflow,
}

impl Money {
    /// An amount, refused when it is finer than the currency's minor unit.
    pub fn new(currency: &str, amount: Decimal) -> Result<Self, Error> {
        let digits = decimals(currency).ok_or_else(|| Error::Currency(currency.to_owned()))?;
        // 12.500 has no more decimals than 12.5, and both are the amount 12.50.
        let mut exact = amount.normalize();
        if exact.scale() > digits {
            return Err(Error::Precision { currency: currency.to_owned(), digits, amount });
        }
        // The smallest i64 has no negative: what can be paid can be given back.
        if exact.trunc().to_i64().is_none_or(|units| units == i64::MIN) {
            return Err(Error::Overflow);
        }
        exact.rescale(digits);
        // A negative zero would be another amount for those who compare texts.
        if exact.is_zero() {
            exact.set_sign_positive(true);
        }
        Ok(Self { currency: currency.to_owned(), amount: exact })
    }

    /// So many minor units: 1250 is 12.50 EUR.
    pub fn from_minor(currency: &str, minor: i128) -> Result<Self, Error> {
        let digits = decimals(currency).ok_or_else(|| Error::Currency(currency.to_owned()))?;
        Self::new(currency, Decimal::try_from_i128_with_scale(minor, digits).map_err(|_| Error::Overflow)?)
    }

    pub fn zero(currency: &str) -> Result<Self, Error> {
        Self::new(currency, Decimal::ZERO)
    }

    pub fn minor(&self) -> i128 {
        let digits = decimals(&self.currency).unwrap_or(0);
        // Exact: an amount has no more decimals than its currency.
        self.amount.mantissa() * 10_i128.pow(digits.saturating_sub(self.amount.scale()))
    }

    pub fn is_positive(&self) -> bool {
        self.amount > Decimal::ZERO
    }

    /// An error when the amount has more than `minor` minor units, above or below 0.
    pub fn at_most(&self, minor: i128) -> Result<(), Error> {
        if self.minor().abs() <= minor {
            Ok(())
        } else {
            Err(Error::TooLarge(Self::from_minor(&self.currency, minor)?.to_string()))
        }
    }

    /// The largest multiple of `step` minor units that is not above it; `step` is above 0.
    pub fn floor_to(&self, step: i64) -> Result<Self, Error> {
        let (minor, step) = (self.minor(), i128::from(step.max(1)));
        Self::from_minor(&self.currency, minor - minor.rem_euclid(step))
    }

    /// Whether it is a multiple of `step` minor units.
    pub fn is_multiple_of(&self, step: i64) -> bool {
        self.minor() % i128::from(step.max(1)) == 0
    }

    /// The sum; both must be of one currency.
    pub fn add(&self, other: &Self) -> Result<Self, Error> {
        if self.currency != other.currency {
            return Err(Error::Mixed(other.currency.clone(), self.currency.clone()));
        }
        let amount = self.amount.checked_add(other.amount).ok_or(Error::Overflow)?;
        Self::new(&self.currency, amount)
    }

    /// The difference; both must be of one currency.
    pub fn minus(&self, other: &Self) -> Result<Self, Error> {
        self.add(&Self { currency: other.currency.clone(), amount: -other.amount })
    }

    pub fn times(&self, quantity: u32) -> Result<Self, Error> {
        let minor = self.minor().checked_mul(i128::from(quantity)).ok_or(Error::Overflow)?;
        Self::from_minor(&self.currency, minor)
    }

    /// From a decimal number as text, `1.25E+3` too.
    pub fn parse(currency: &str, text: &str) -> Result<Self, Error> {
        let amount = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
        Self::new(currency, amount.map_err(|_| Error::Text(text.to_owned()))?)
    }

    pub fn from_wire(wire: &Wire) -> Result<Self, Error> {
        let opposed = (wire.units > 0 && wire.nanos < 0) || (wire.units < 0 && wire.nanos > 0);
        if wire.nanos.unsigned_abs() > 999_999_999 || opposed {
            return Err(Error::Nanos);
        }
        let amount = Decimal::from(wire.units) + Decimal::new(i64::from(wire.nanos), 9);
        Self::new(&wire.currency_code, amount)
    }

    pub fn to_wire(&self) -> Wire {
        let units = self.amount.trunc();
        let nanos = ((self.amount - units) * Decimal::from(1_000_000_000)).to_i32();
        Wire {
            currency_code: self.currency.clone(),
            units: units.to_i64().expect("checked when the amount was made"),
            nanos: nanos.expect("a fraction of one has fewer than 10^9 billionths"),
        }
    }
}

impl crate::Normalize for Wire {
    fn normalize(&mut self) {
        self.currency_code = crate::text::code(&self.currency_code);
    }
}

impl crate::products::v1::Product {
    /// The price of one unit in a currency; without one the main price.
    pub fn price_in(&self, currency_code: &str) -> Option<&Wire> {
        let mut prices = self.price.iter().chain(&self.other_prices);
        prices.find(|price| currency_code.is_empty() || price.currency_code == currency_code)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = decimals(&self.currency).unwrap_or(0) as usize;
        write!(f, "{:.*} {}", digits, self.amount, self.currency)
    }
}
