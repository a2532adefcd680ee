//! Money as it is stored: one form for one amount, and nothing is lost.

use bson::{Document, doc};
use contracts::money::Money;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Most units of `google.type.Money`.
const LIMIT: i128 = i64::MAX as i128;

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(with = "super::money")]
    price: Money,
}

fn stored_and_read(money: &Money) -> (Document, Money) {
    let document = bson::serialize_to_document(&Stored { price: money.clone() }).expect("money is stored");
    let read: Stored = bson::deserialize_from_document(document.clone()).expect("money is read");
    (document, read.price)
}

#[test]
fn one_amount_has_one_form_in_the_store_and_every_form_of_decimal128_is_read() {
    for text in ["12.5", "12.50", "12.500", "1250E-2", "1.25E+1"] {
        let money = Money::parse("EUR", text).unwrap();
        assert_eq!(stored_and_read(&money).0, stored_and_read(&Money::parse("EUR", "12.50").unwrap()).0, "{text}");
        let foreign = doc! { "price": { "currency": "EUR", "amount": text.parse::<bson::Decimal128>().unwrap() } };
        assert_eq!(bson::deserialize_from_document::<Stored>(foreign).unwrap().price, money);
    }
}

#[test]
fn money_at_its_limits_survives_the_store() {
    for (code, minors) in [("JPY", 1), ("EUR", 100), ("KWD", 1_000), ("CLF", 10_000)] {
        let most = LIMIT * minors + minors - 1;
        for minor in [1, LIMIT * minors, most, -most, 0] {
            let money = Money::from_minor(code, minor).unwrap();
            assert_eq!(stored_and_read(&money).1, money);
        }
        assert!(Money::from_minor(code, most + 1).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn any_money_survives_the_store(
        code in prop::sample::select(vec!["JPY", "EUR", "KWD"]),
        minor in prop_oneof![4 => -1_000_000_i128..1_000_000, 1 => -LIMIT..LIMIT],
    ) {
        let money = Money::from_minor(code, minor).unwrap();
        let (document, read) = stored_and_read(&money);
        prop_assert_eq!(&read, &money);
        let amount: bson::Decimal128 = money.amount.to_string().parse().unwrap();
        prop_assert_eq!(document, doc! { "price": { "currency": code, "amount": amount } });
    }
}
