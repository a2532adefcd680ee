//! Amounts as Stripe counts them: in the smallest unit, with its own idea of some currencies.

use contracts::money::{Error, Money, decimals};

/// Charged in whole units.
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Charged in thousandths, of which the last digit must be 0.
const THOUSANDTHS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

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
