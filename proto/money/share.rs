//! Splitting an amount: parts that sum to the whole exactly, and products rounded to the minor unit.

use super::{Error, Money};
use rust_decimal::Decimal;

impl Money {
    /// This amount times `factor`, rounded half-even to the minor unit: the policy for tax and percentages, per line.
    /// Exact before it is rounded; what cannot be computed exactly is [`Error::Overflow`].
    pub fn scaled(&self, factor: Decimal) -> Result<Self, Error> {
        let product = self.minor().checked_mul(factor.mantissa()).ok_or(Error::Overflow)?;
        let divisor = 10_i128.checked_pow(factor.scale()).ok_or(Error::Overflow)?;
        Self::from_minor(&self.currency, half_even(product, divisor))
    }

    /// This amount in parts proportional to `weights`, by largest remainder: each part is its exact share rounded
    /// towards zero, and the minor units that are left go to the largest remainders, the first of equals first.
    /// [`Error::Weights`] when no weight is above 0.
    pub fn allocate(&self, weights: &[u64]) -> Result<Vec<Self>, Error> {
        let sum: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        if sum == 0 {
            return Err(Error::Weights);
        }
        let (whole, sign) = (self.minor().abs(), self.minor().signum());
        let (mut parts, mut remainders) = (Vec::with_capacity(weights.len()), Vec::with_capacity(weights.len()));
        for (index, weight) in weights.iter().enumerate() {
            let product = whole.checked_mul(i128::from(*weight)).ok_or(Error::Overflow)?;
            parts.push(product / sum);
            remainders.push((product % sum, index));
        }
        let left = whole - parts.iter().sum::<i128>();
        // By place among equals, so that every service, in whatever language, gives the cent to one and the same
        // line.
        remainders.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, index) in remainders.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            if let Some(part) = parts.get_mut(index) {
                *part += 1;
            }
        }
        parts.into_iter().map(|part| Self::from_minor(&self.currency, sign * part)).collect()
    }

    /// What units `from..to` of `of` units cost, when all of them cost this amount. Whatever the units are parted into,
    /// the parts sum to the whole: each is the difference of two half-even rounded shares. [`Error::Weights`] unless
    /// `from <= to <= of` and `of` is above 0.
    pub fn units(&self, from: u32, to: u32, of: u32) -> Result<Self, Error> {
        if of == 0 || from > to || to > of {
            return Err(Error::Weights);
        }
        let upto = |units: u32| {
            let product = self.minor().checked_mul(i128::from(units)).ok_or(Error::Overflow)?;
            Ok(half_even(product, i128::from(of)))
        };
        Self::from_minor(&self.currency, upto(to)? - upto(from)?)
    }
}

/// `dividend / divisor` to the nearest whole number, a half to the even one. `divisor` is above 0.
fn half_even(dividend: i128, divisor: i128) -> i128 {
    // Euclidean, so that a half below 0 is a half too.
    let (quotient, remainder) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    let is_up = match remainder.cmp(&(divisor - remainder)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => quotient % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    quotient + i128::from(is_up)
}
