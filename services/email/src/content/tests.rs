//! How amounts of an order come into its mails.

use super::{amount, deduction};
use crate::language::Language::{English, French};
use contracts::money::Money;

#[test]
fn what_is_taken_off_has_its_sign_and_nothing_is_not_written() {
    let wire = |text| Some(Money::parse("EUR", text).expect("an amount").to_wire());
    assert_eq!(deduction(wire("5").as_ref(), English), "-€5.00");
    assert_eq!(deduction(wire("1234.5").as_ref(), French), "-1\u{202f}234,50\u{a0}€");
    assert_eq!(amount(wire("5").as_ref(), English), "€5.00");
    for nothing in [None, wire("0")] {
        assert_eq!((deduction(nothing.as_ref(), English), amount(nothing.as_ref(), English)), Default::default());
    }
}
