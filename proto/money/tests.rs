//! Money: golden vectors that other languages run too, and its laws over a hundred thousand cases each.

use super::{Error, Money, currencies, decimals};
use crate::google::r#type::Money as Wire;
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;
use std::{collections::BTreeMap, path::Path, process::Command};

const CASES: u32 = 100_000;

/// Currencies with 0, 2 and 3 decimals.
const CURRENCIES: [&str; 3] = ["JPY", "EUR", "KWD"];

/// Units of `google.type.Money` at most.
const LIMIT: i64 = i64::MAX;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/money.json")).expect("the vectors are JSON")
}

fn parsed(text: &Value) -> Money {
    let (amount, currency) = text.as_str().and_then(|text| text.split_once(' ')).expect("an amount and a code");
    Money::parse(currency, amount).expect("an amount of the vectors")
}

/// The name of an error in the vectors.
fn name(error: &Error) -> &'static str {
    match error {
        Error::Currency(_) => "CURRENCY",
        Error::Nanos => "NANOS",
        Error::Text(_) => "TEXT",
        Error::Precision { .. } => "PRECISION",
        Error::Mixed(..) => "MIXED",
        Error::Weights => "WEIGHTS",
        Error::Overflow => "OVERFLOW",
        Error::TooLarge(_) => "TOO_LARGE",
    }
}

fn wire(value: &Value) -> Wire {
    Wire {
        currency_code: value["currencyCode"].as_str().expect("a code").to_owned(),
        units: value["units"].as_str().and_then(|units| units.parse().ok()).expect("units"),
        nanos: value["nanos"].as_i64().and_then(|nanos| nanos.try_into().ok()).expect("nanos"),
    }
}

fn number(value: &Value) -> u32 {
    value.as_u64().and_then(|number| number.try_into().ok()).expect("a number")
}

fn run(section: &str, case: &Value) -> Result<Value, Error> {
    let text = |money: Money| Value::from(money.to_string());
    match section {
        "wire" => Money::from_wire(&wire(&case["wire"])).map(text),
        "add" => parsed(&case["a"]).add(&parsed(&case["b"])).map(text),
        "scaled" => {
            let factor = case["factor"].as_str().and_then(|factor| factor.parse().ok()).expect("a factor");
            parsed(&case["amount"]).scaled(factor).map(text)
        }
        "allocate" => {
            let weights: Vec<u64> =
                case["weights"].as_array().expect("weights").iter().map(|weight| u64::from(number(weight))).collect();
            let parts = parsed(&case["amount"]).allocate(&weights)?;
            Ok(parts.into_iter().map(text).collect())
        }
        "units" => {
            let [from, to, of] = ["from", "to", "of"].map(|field| number(&case[field]));
            parsed(&case["amount"]).units(from, to, of).map(text)
        }
        other => panic!("no such section: {other}"),
    }
}

#[test]
fn every_golden_vector_of_money_holds_here() {
    for (section, cases) in vectors().as_object().expect("sections").iter().filter(|(name, _)| *name != "currencies") {
        for case in cases.as_array().expect("cases") {
            match run(section, case) {
                Ok(result) => assert_eq!(result, case["result"], "{section}: {case}"),
                Err(error) => assert_eq!(case["error"], name(&error), "{section}: {case}"),
            }
        }
    }
}

#[test]
fn every_golden_vector_of_money_holds_in_another_language() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/money_vectors.py");
    let output = Command::new("python3").arg(script).output().expect("python3 runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_currencies_are_those_of_the_vectors_and_what_is_none_is_refused() {
    let known: BTreeMap<String, u32> = serde_json::from_value(vectors()["currencies"].clone()).expect("the currencies");
    assert_eq!(currencies().map(|(code, decimals)| (code.to_owned(), decimals)).collect::<BTreeMap<_, _>>(), known);
    for code in ["XXX", "XAU", "HRK", "eur", "EU", "", "R Y", "EUR "] {
        assert_eq!(decimals(code), None, "{code:?}");
        assert!(matches!(Money::zero(code), Err(Error::Currency(_))), "{code:?}");
    }
}

#[test]
fn money_at_its_limits_survives_the_wire_and_one_more_unit_is_refused() {
    for code in CURRENCIES.into_iter().chain(["CLF"]) {
        let smallest = Money::from_minor(code, 1).unwrap();
        let largest = Money::new(code, Decimal::from(LIMIT)).unwrap();
        let one = Money::new(code, Decimal::ONE).unwrap();
        let most = largest.add(&one.minus(&smallest).unwrap()).unwrap();
        let negative = Money::zero(code).unwrap().minus(&most).unwrap();
        for money in [smallest.clone(), largest, most.clone(), negative.clone(), Money::zero(code).unwrap()] {
            assert_eq!(Money::from_wire(&money.to_wire()).unwrap(), money);
        }
        assert_eq!(most.add(&smallest), Err(Error::Overflow));
        assert_eq!(negative.minus(&smallest), Err(Error::Overflow));
        assert_eq!(most.times(2), Err(Error::Overflow));
        assert_eq!(most.scaled(Decimal::new(11, 1)), Err(Error::Overflow));
    }
    assert_eq!(Money::from_minor("EUR", i128::MAX), Err(Error::Overflow));
}

#[test]
fn an_amount_has_no_negative_zero_and_is_read_from_digits_alone() {
    assert_eq!(Money::parse("EUR", "-0").unwrap().to_string(), "0.00 EUR");
    for text in ["NaN", "Infinity", "", "twelve", "1,5"] {
        assert!(matches!(Money::parse("EUR", text), Err(Error::Text(_))), "{text}");
    }
}

/// Amounts of everyday, of great wealth and of the limit, both signs.
fn any_money() -> impl Strategy<Value = Money> {
    let minor = prop_oneof![
        4 => -1_000_000_i128..1_000_000,
        2 => -1_000_000_000_000_000_i128..1_000_000_000_000_000,
        1 => -i128::from(LIMIT)..i128::from(LIMIT),
    ];
    (prop::sample::select(CURRENCIES.as_slice()), minor)
        .prop_map(|(code, minor)| Money::from_minor(code, minor).unwrap())
}

fn sum(parts: &[Money]) -> Money {
    let zero = Money::zero(&parts[0].currency).unwrap();
    parts.iter().fold(zero, |sum, part| sum.add(part).unwrap())
}

/// Cuts between 0 and `of`, sorted, both ends included.
fn any_cuts() -> impl Strategy<Value = (u32, Vec<u32>)> {
    (1_u32..10_000).prop_flat_map(|of| {
        prop::collection::vec(0..=of, 0..12).prop_map(move |mut cuts| {
            cuts.extend([0, of]);
            cuts.sort_unstable();
            (of, cuts)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn any_split_sums_to_the_whole_and_no_part_is_a_unit_off_its_share(
        money in any_money(),
        weights in prop::collection::vec(0_u64..1_000_000, 1..12),
    ) {
        let Ok(parts) = money.allocate(&weights) else {
            prop_assert!(weights.iter().all(|weight| *weight == 0));
            return Ok(());
        };
        prop_assert_eq!(&sum(&parts), &money);
        let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
        for (part, weight) in parts.iter().zip(&weights) {
            let distance = part.minor() * total - money.minor() * i128::from(*weight);
            prop_assert!(distance.abs() < total, "{part} of {money} for {weight} of {total}");
        }
    }

    #[test]
    fn any_partition_of_refunds_sums_to_what_was_paid(money in any_money(), (of, cuts) in any_cuts()) {
        let parts: Vec<Money> = cuts.windows(2).map(|pair| money.units(pair[0], pair[1], of).unwrap()).collect();
        prop_assert_eq!(&sum(&parts), &money);
        for part in &parts {
            prop_assert!(part.minor() == 0 || part.minor().signum() == money.minor().signum());
        }
    }

    #[test]
    fn money_survives_the_wire_and_its_text(money in any_money()) {
        prop_assert_eq!(&Money::from_wire(&money.to_wire()).unwrap(), &money);
        let text = money.to_string();
        let (amount, code) = text.split_once(' ').unwrap();
        prop_assert_eq!(&Money::parse(code, amount).unwrap(), &money);
        prop_assert_eq!(&Money::from_minor(code, money.minor()).unwrap(), &money);
    }

    #[test]
    fn any_wire_message_is_refused_or_comes_back_as_it_was(
        units in any::<i64>(),
        nanos in prop_oneof![any::<i32>(), (-1000_i32..1000).prop_map(|millis| millis * 1_000_000)],
        code in prop::sample::select(CURRENCIES.as_slice()),
    ) {
        let wire = Wire { currency_code: code.to_owned(), units, nanos };
        if let Ok(money) = Money::from_wire(&wire) {
            prop_assert_eq!(money.to_wire(), wire);
        }
    }

    #[test]
    fn sums_and_products_are_exact_or_an_error(a in any_money(), b in any_money(), quantity in any::<u32>()) {
        let fits = |minor: i128| Money::from_minor(&a.currency, minor);
        if a.currency == b.currency {
            prop_assert_eq!(a.add(&b), fits(a.minor() + b.minor()));
            prop_assert_eq!(a.minus(&b), fits(a.minor() - b.minor()));
        } else {
            prop_assert!(matches!(a.add(&b), Err(Error::Mixed(..))));
        }
        prop_assert_eq!(a.times(quantity), fits(a.minor() * i128::from(quantity)));
    }

    #[test]
    fn a_product_is_rounded_half_even_once(money in any_money(), mantissa in -2_000_000_i64..2_000_000, scale in 0_u32..7) {
        let exact = money.minor() * i128::from(mantissa);
        let divisor = 10_i128.pow(scale);
        match money.scaled(Decimal::new(mantissa, scale)) {
            Ok(rounded) => {
                let distance = (rounded.minor() * divisor - exact).abs() * 2;
                prop_assert!(distance < divisor || (distance == divisor && rounded.minor() % 2 == 0));
            }
            Err(error) => {
                prop_assert_eq!(error, Error::Overflow);
                prop_assert!((exact / divisor).abs() >= i128::from(LIMIT));
            }
        }
    }
}
