//! The arithmetic of an order's price, as properties. 100,000 cases each.

use super::*;
use crate::{
    coupons::domain::Discount,
    domain::{Amounts, Delivery, Disposition, Error, Extent, RefundRequest, ReturnedUnits, price},
    pricing::taxes::Rate,
};

fn money(currency: &str, minor: i64) -> Money {
    Money::from_minor(currency, minor.into()).expect("money")
}

/// A priced basket: (currency, lines of (units, price), millionths of each line, tax is included, off, shipping).
type Basket = (&'static str, Vec<(i32, i64, u32)>, bool, i64, i64);

fn baskets() -> impl Strategy<Value = Basket> {
    let rate = prop_oneof![Just(0_u32), Just(55_000), Just(99_750), Just(200_000), 0..=1_000_000_u32];
    let lines = prop::collection::vec((1..20_i32, 0..100_000_i64, rate), 1..6);
    (prop::sample::select(vec!["JPY", "EUR", "KWD"]), lines, any::<bool>(), 0..300_000_i64, 0..5_000_i64)
}

fn priced((currency, lines, is_included, off, shipping): &Basket) -> Result<(Vec<Item>, Amounts), Error> {
    let one = |(index, (quantity, unit, _)): (usize, &(i32, i64, u32))| Item {
        product_id: format!("prd_{index}"),
        ..item(*quantity, money(currency, *unit), money(currency, unit * i64::from(*quantity)))
    };
    let mut items: Vec<Item> = lines.iter().enumerate().map(one).collect();
    let rates: Vec<Rate> = lines.iter().map(|line| Rate { millionths: line.2, is_included: *is_included }).collect();
    let subtotal: i64 = lines.iter().map(|(quantity, unit, _)| unit * i64::from(*quantity)).sum();
    let discount = Discount { code: "TEST".into(), amount: money(currency, (*off).min(subtotal)) };
    let delivery = Delivery { amount: money(currency, *shipping), rate: rates[0] };
    let amounts = price(&mut items, &rates, Some(&discount), &delivery)?;
    Ok((items, amounts))
}

/// The order once it has left.
fn left(items: Vec<Item>, amounts: Amounts) -> Order {
    let mut order = order();
    order.saga.status = Status::Completed;
    Order { items, total: amounts.total.clone(), amounts: Some(amounts), state: State::Delivered, ..order }
}

fn wish(extent: Extent) -> RefundRequest {
    let (request_id, digest, reason) = (String::new(), String::new(), String::new());
    RefundRequest { id: "rfd_1".into(), request_id, digest, extent, reason, actor: "usr_staff".into() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn lines_and_tax_and_shipping_less_discount_are_the_total(basket in baskets()) {
        let Ok((items, amounts)) = priced(&basket) else { return Ok(()) }; // nothing to pay
        let minor = |of: &Money| of.minor();
        let lines: i128 = items.iter().map(|item| minor(&item.amount)).sum();
        let charges = || items.iter().map(|item| item.charges.as_ref().expect("priced"));
        let off: i128 = charges().map(|charges| minor(&charges.discount)).sum();
        prop_assert_eq!((lines, off), (minor(&amounts.subtotal), minor(&amounts.discount)));
        let sum = lines + minor(&amounts.tax) + minor(&amounts.shipping) - off;
        prop_assert_eq!(sum, minor(&amounts.total));
        let paid: i128 = items.iter().map(|item| minor(&item.paid().expect("sums"))).sum();
        let on_shipping = minor(&amounts.total) - paid - minor(&amounts.shipping);
        prop_assert!(on_shipping >= 0 && on_shipping <= minor(&amounts.shipping), "{on_shipping}");
        for (item, charges) in items.iter().zip(charges()) {
            prop_assert!(charges.discount.minor() >= 0 && charges.discount.minor() <= item.amount.minor());
            let (base, rate) = (item.amount.minor() - charges.discount.minor(), i128::from(charges.tax.millionths));
            let whole = if charges.tax.is_included { 1_000_000 + rate } else { 1_000_000 };
            prop_assert!((charges.tax.amount.minor() * whole - base * rate).abs() * 2 <= whole, "off by more than a half");
        }
        let (inside, added) = (minor(&amounts.included_tax), minor(&amounts.tax));
        prop_assert_eq!(if basket.2 { added } else { inside }, 0);
    }

    #[test]
    fn any_partition_of_refunds_with_tax_and_discount_sums_to_what_was_paid(
        basket in baskets(), parts in prop::collection::vec((0..6_usize, 1..20_i32), 1..12),
    ) {
        let Ok((items, amounts)) = priced(&basket) else { return Ok(()) };
        let (paid, mut order) = (amounts.total.minor(), left(items.clone(), amounts));
        let mut rest: Vec<i32> = items.iter().map(|item| item.quantity).collect();
        let all = (0..items.len()).map(|line| (line, 20));
        for (line, wanted) in parts.into_iter().map(|(line, units)| (line % items.len(), units)).chain(all) {
            let quantity = wanted.min(rest[line]);
            if quantity == 0 {
                continue;
            }
            rest[line] -= quantity;
            let (product_id, disposition) = (items[line].product_id.clone(), Disposition::Scrap);
            let units = Extent::Units(vec![ReturnedUnits { product_id, quantity, disposition }]);
            match order.refund(SAGAS, wish(units), at(1)) {
                Ok(next) => order = next.expect("a new refund"),
                Err(Error::RefundNotPositive | Error::MoreThanPaid(_)) => rest[line] += quantity, // they had cost nothing
                Err(other) => prop_assert!(false, "{}", other),
            }
        }
        match order.refund(SAGAS, wish(Extent::Rest), at(1)) {
            Ok(next) => order = next.expect("a new refund"),
            Err(Error::MoreThanPaid(left)) => prop_assert!(!left.is_positive()),
            Err(other) => prop_assert!(false, "{}", other),
        }
        let given: i128 = order.refunds.iter().map(|refund| refund.amount.minor()).sum();
        prop_assert_eq!(given, paid);
    }
}
