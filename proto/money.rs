//! Money: `google.type.Money` on the wire, [`Money`] (a decimal with an ISO 4217 currency) everywhere else.
//!
//! Amounts are exact multiples of the currency's minor unit; arithmetic is checked and never mixes currencies.

use crate::google::r#type::Money as Wire;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use std::fmt;

/// An exact amount in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Money {
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// Amount in units of the currency.
    pub amount: Decimal,
}

/// Why an amount was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not three upper-case letters.
    #[error("currency code {0:?} is not an ISO 4217 code such as EUR")]
    Currency(String),
    /// `units` and `nanos` disagree in sign, or `nanos` is out of range.
    #[error("nanos must be within ±999,999,999 and have the sign of units")]
    Nanos,
    /// More decimals than the currency has.
    #[error("{currency} has {digits} decimals; {amount} is finer")]
    Precision {
        /// The currency.
        currency: String,
        /// Its decimals.
        digits: u32,
        /// The refused amount.
        amount: Decimal,
    },
    /// Two currencies in one sum.
    #[error("cannot add {0} to {1}")]
    Mixed(String, String),
    /// Beyond what `google.type.Money` can carry.
    #[error("amount is too large")]
    Overflow,
}

/// Decimals of a currency's minor unit by ISO 4217.
pub fn exponent(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        _ => 2,
    }
}

impl Money {
    /// An amount, refused when it is finer than the currency's minor unit.
    pub fn new(currency: &str, amount: Decimal) -> Result<Self, Error> {
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(Error::Currency(currency.to_owned()));
        }
        let digits = exponent(currency);
        if amount.normalize().scale() > digits {
            return Err(Error::Precision { currency: currency.to_owned(), digits, amount });
        }
        if amount.trunc().to_i64().is_none() {
            return Err(Error::Overflow);
        }
        Ok(Self { currency: currency.to_owned(), amount })
    }

    /// Nothing, in `currency`.
    pub fn zero(currency: &str) -> Result<Self, Error> {
        Self::new(currency, Decimal::ZERO)
    }

    /// The sum; both must be of one currency.
    pub fn add(&self, other: &Self) -> Result<Self, Error> {
        if self.currency != other.currency {
            return Err(Error::Mixed(other.currency.clone(), self.currency.clone()));
        }
        let amount = self.amount.checked_add(other.amount).ok_or(Error::Overflow)?;
        Self::new(&self.currency, amount)
    }

    /// This amount `quantity` times.
    pub fn times(&self, quantity: u32) -> Result<Self, Error> {
        let amount = self.amount.checked_mul(Decimal::from(quantity)).ok_or(Error::Overflow)?;
        Self::new(&self.currency, amount)
    }

    /// From the wire.
    pub fn from_wire(wire: &Wire) -> Result<Self, Error> {
        let opposed = (wire.units > 0 && wire.nanos < 0) || (wire.units < 0 && wire.nanos > 0);
        if wire.nanos.abs() > 999_999_999 || opposed {
            return Err(Error::Nanos);
        }
        let amount = Decimal::from(wire.units) + Decimal::new(i64::from(wire.nanos), 9);
        Self::new(&wire.currency_code, amount)
    }

    /// To the wire.
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

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.*} {}", exponent(&self.currency) as usize, self.amount, self.currency)
    }
}
