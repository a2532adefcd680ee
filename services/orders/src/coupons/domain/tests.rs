//! What a coupon takes off, and when.

use super::{Benefit, Coupon, CouponRefusal, CouponTerms, Minimum};
use ::store::Time;
use contracts::money::{Money, decimals};
use proptest::prelude::*;

fn at(seconds: i64) -> Time {
    Time::from_millis(seconds * 1000)
}

fn money(currency: &str, minor: i128) -> Money {
    Money::from_minor(currency, minor).expect("money")
}

fn terms(benefit: Benefit) -> CouponTerms {
    CouponTerms {
        benefit,
        max_redemptions: 0,
        max_redemptions_per_user: 0,
        minimum: None,
        starts_at: None,
        expires_at: None,
    }
}

fn coupon(terms: CouponTerms) -> Coupon {
    Coupon::create(terms, "KEY".to_owned(), at(0)).expect("it can be")
}

#[test]
fn a_percentage_is_rounded_half_even_and_an_amount_is_capped_at_the_subtotal() {
    for (hundredths, subtotal, discount) in [
        (2_500, money("EUR", 1_250), 312), // 312.5
        (2_500, money("EUR", 1_270), 318), // 317.5
        (2_500, money("EUR", 1_251), 313), // 312.75
        (1_000, money("JPY", 14), 1),
        (1_000, money("JPY", 15), 2), // 1.5
        (1_000, money("JPY", 25), 2), // 2.5
        (1, money("EUR", 10), 0),
        (10_000, money("KWD", 12_345), 12_345),
    ] {
        let found = coupon(terms(Benefit::Percentage(hundredths))).discount(&subtotal).expect("an amount");
        assert_eq!(found, money(&subtotal.currency, discount), "{hundredths} of {subtotal}");
    }
    let five = coupon(terms(Benefit::Amount(money("EUR", 500))));
    assert_eq!(five.discount(&money("EUR", 1_250)), Ok(money("EUR", 500)));
    assert_eq!(five.discount(&money("EUR", 499)), Ok(money("EUR", 499)));
}

#[test]
fn a_coupon_can_be_used_from_its_start_until_just_before_its_end() {
    let limited =
        coupon(CouponTerms { starts_at: Some(at(10)), expires_at: Some(at(20)), ..terms(Benefit::Percentage(100)) });
    let admit = |seconds: i64| limited.admit(&money("EUR", 1), 0, at(seconds));
    assert_eq!(admit(9), Err(CouponRefusal::NotStarted));
    assert_eq!((admit(10), admit(19)), (Ok(()), Ok(())));
    assert_eq!(admit(20), Err(CouponRefusal::Expired));
    let least = coupon(CouponTerms { minimum: Some(Minimum(money("EUR", 1_000))), ..terms(Benefit::Percentage(100)) });
    assert_eq!(least.admit(&money("EUR", 1_000), 0, at(0)), Ok(()));
    assert_eq!(least.admit(&money("EUR", 999), 0, at(0)), Err(CouponRefusal::Minimum(money("EUR", 1_000))));
    assert_eq!(least.admit(&money("USD", 1_000), 0, at(0)), Err(CouponRefusal::Currency("EUR".into())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn a_discount_is_within_the_subtotal_and_a_percentage_within_half_a_unit(
        part in 1..=10_000_u32, minor in 1..1_000_000_000_000_000_i128, off in 1..1_000_000_000_i128,
        currency in prop::sample::select(vec!["JPY", "EUR", "KWD"]),
    ) {
        let subtotal = money(currency, minor);
        prop_assert!(decimals(currency).is_some());
        let percentage = coupon(terms(Benefit::Percentage(part))).discount(&subtotal).expect("an amount").minor();
        prop_assert!((0..=minor).contains(&percentage));
        prop_assert!((percentage * 10_000 - minor * i128::from(part)).abs() <= 5_000);
        let amount = coupon(terms(Benefit::Amount(money(currency, off)))).discount(&subtotal).expect("an amount");
        prop_assert_eq!(amount.minor(), off.min(minor));
    }
}
