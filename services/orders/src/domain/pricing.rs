//! What an order costs, line by line. Pure.
//!
//! subtotal − discount + shipping + tax = total, where the discount is allocated to the lines by what they cost, and each
//! line's tax is on what is left of it, rounded half-even. Where prices have the tax inside, `tax` is 0 and `included_tax`
//! tells what of the total is tax. Shipping has the standard rate.

use super::{Amounts, Charges, Error, Item, Tax};
use crate::coupons::domain::Discount;
use crate::pricing::taxes::{ONE, Rate};
use contracts::money::{self, MOST_OF_A_SUM, Money};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub amount: Money,
    pub rate: Rate,
}

impl Tax {
    /// The tax of `rate` on `base`, or inside it.
    fn on(base: &Money, rate: Rate) -> Result<Self, money::Error> {
        let Rate { millionths, is_included } = rate;
        let whole = if is_included { ONE + millionths } else { ONE };
        Ok(Self { millionths, is_included, amount: base.units(0, millionths, whole)? })
    }

    /// What it adds to a price.
    fn added(&self) -> Option<&Money> {
        (!self.is_included).then_some(&self.amount)
    }
}

impl Item {
    /// What is paid for the line: its amount, less its share of the discount, and the tax that is added.
    pub fn paid(&self) -> Result<Money, money::Error> {
        let Some(Charges { discount, tax }) = &self.charges else { return Ok(self.amount.clone()) };
        let rest = self.amount.minus(discount)?;
        tax.added().map_or(Ok(rest.clone()), |tax| rest.add(tax))
    }
}

/// Puts its charges to each line; `rates` are theirs. The total may be 0: then there is nothing to pay.
pub fn price(
    items: &mut [Item],
    rates: &[Rate],
    discount: Option<&Discount>,
    delivery: &Delivery,
) -> Result<Amounts, Error> {
    let none = Money::zero(&delivery.amount.currency)?;
    let subtotal = super::subtotal(items)?;
    subtotal.at_most(MOST_OF_A_SUM)?;
    let discount = discount.map_or_else(|| none.clone(), |discount| discount.amount.clone());
    let shares = allocated(&discount, items)?;
    let shipping_tax = Tax::on(&delivery.amount, delivery.rate)?;
    let mut taxes = vec![shipping_tax];
    for ((item, share), rate) in items.iter_mut().zip(shares).zip(rates) {
        // The tax is on what is left after the discount, so that a discount lowers the tax too.
        let tax = Tax::on(&item.amount.minus(&share)?, *rate)?;
        taxes.push(tax.clone());
        item.charges = Some(Charges { discount: share, tax });
    }
    let sum = |is_included: bool| {
        let taxes = taxes.iter().filter(|tax| tax.is_included == is_included);
        taxes.map(|tax| &tax.amount).try_fold(none.clone(), |sum, amount| sum.add(amount))
    };
    let (tax, included_tax, shipping) = (sum(false)?, sum(true)?, delivery.amount.clone());
    // An included tax is inside the other amounts already and is not added again.
    let total = subtotal.minus(&discount)?.add(&shipping)?.add(&tax)?;
    total.at_most(MOST_OF_A_SUM)?;
    Ok(Amounts { subtotal, discount, shipping, tax, included_tax, total })
}

/// The discount in shares that are proportional to what the lines cost.
fn allocated(discount: &Money, items: &[Item]) -> Result<Vec<Money>, money::Error> {
    if !discount.is_positive() {
        return Ok(vec![Money::zero(&discount.currency)?; items.len()]);
    }
    let weights: Result<Vec<u64>, _> = items.iter().map(|item| u64::try_from(item.amount.minor())).collect();
    discount.allocate(&weights.map_err(|_| money::Error::Overflow)?)
}
