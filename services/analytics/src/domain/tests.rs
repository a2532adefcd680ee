//! The rules of facts, periods and reports.

mod calendar;
mod facts;
mod reports;

use crate::domain::Amount;
use ::store::Time;
use contracts::money::Money;

fn euros(minor: i128) -> Amount {
    Amount(Money::from_minor("EUR", minor).expect("an amount"))
}

fn at(text: &str) -> Time {
    Time::parse_rfc3339_str(text).expect("a time")
}
