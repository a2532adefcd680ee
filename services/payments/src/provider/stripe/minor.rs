//! Amounts as Stripe counts them: in the smallest unit, with its own idea of some currencies.

use super::super::Payable;
use contracts::money::{Error, Money, decimals};

/// Charged in whole units.
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Charged in thousandths, of which the last digit must be 0.
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// Not charged at all: units of account, and what Stripe does not serve.
const NOT_CHARGED: [&str; 17] = [
    "BOV", "CHE", "CHW", "CLF", "COU", "CUP", "IQD", "IRR", "KPW", "LYD", "MXV", "SDG", "SYP", "USN", "UYI", "UYW",
    "XAD",
];

/// The least charge, in the smallest unit, where Stripe publishes one.
const LEAST: [(&str, i64); 23] = [
    ("AED", 200),
    ("AUD", 50),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("INR", 50),
    ("JPY", 50),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("USD", 50),
];

/// Charges have up to eight digits; in these, where a unit is worth little, up to twelve.
const LARGE: [&str; 18] = [
    "CLP", "COP", "GNF", "HUF", "IDR", "INR", "ISK", "JPY", "KHR", "KRW", "LAK", "LBP", "MMK", "PYG", "TZS", "UGX",
    "UZS", "VND",
];

/// Which amounts can be charged, in minor units of ISO 4217.
pub fn payable(currency: &str) -> Option<Payable> {
    let (theirs, ours) = (exponent(currency), decimals(currency)?);
    if NOT_CHARGED.contains(&currency) {
        return None;
    }
    // What Stripe counts more coarsely, and the last of three decimals, which must be 0.
    let step = if theirs == 3 { 10 } else { 10_i64.pow(ours.saturating_sub(theirs)) };
    let least = LEAST.iter().find(|(code, _)| *code == currency).map_or(step, |(_, least)| *least);
    let digits: i64 = if LARGE.contains(&currency) { 999_999_999_999 } else { 99_999_999 };
    let most = digits / 10_i64.pow(theirs.saturating_sub(ours)) * 10_i64.pow(ours.saturating_sub(theirs));
    Some(Payable { step, least, most: most / step * step })
}

fn exponent(currency: &str) -> u32 {
    match currency {
        whole if WHOLE.contains(&whole) => 0,
        fine if THOUSANDTHS.contains(&fine) => 3,
        _ => 2,
    }
}

/// The amount for Stripe; none when it cannot be charged exactly.
pub fn of(amount: &Money) -> Option<i64> {
    let (theirs, ours) = (exponent(&amount.currency), decimals(&amount.currency)?);
    let scaled = amount.minor().checked_mul(10_i128.pow(theirs))?;
    let divisor = 10_i128.pow(ours);
    let minor = i64::try_from(scaled / divisor).ok().filter(|_| scaled % divisor == 0)?;
    (theirs != 3 || minor % 10 == 0).then_some(minor)
}

/// The amount that Stripe means.
pub fn parse(currency: &str, minor: i64) -> Result<Money, Error> {
    let currency = currency.to_uppercase();
    let ours = decimals(&currency).ok_or_else(|| Error::Currency(currency.clone()))?;
    let scaled = i128::from(minor).checked_mul(10_i128.pow(ours)).ok_or(Error::Overflow)?;
    let divisor = 10_i128.pow(exponent(&currency));
    if scaled % divisor != 0 {
        return Err(Error::Text(minor.to_string()));
    }
    Money::from_minor(&currency, scaled / divisor)
}
