//! The table of shipping rates: what a parcel costs, and which tables are refused.

use super::{BadRates, Rates};
use rpc::status::reason;
use tonic::Status;

/// Two zones.
const TABLE: &str = r#"
[[zone]]
name = "Near"
countries = ["DE", "FR"]
step = [
    { upto_grams = 1000, amounts = { EUR = "4.90", JPY = "800" } },
    { upto_grams = 2000, amounts = { EUR = "6.90", JPY = "1130" } },
]
[[zone]]
name = "Far"
countries = ["JP"]
step = [{ upto_grams = 500, amounts = { EUR = "18.90" } }]
"#;

fn price(rates: &Rates, country: &str, grams: i64, currency: &str) -> Result<String, String> {
    match rates.rate(country, grams, currency) {
        Ok(rate) => Ok(format!("{} {}", rate.name, rate.amount)),
        Err(error) => Err(reason(&Status::from(error))),
    }
}

#[test]
fn a_parcel_costs_what_the_first_step_says_whose_weight_it_does_not_pass() {
    let rates: Rates = TABLE.parse().unwrap();
    let near = |text: &str| Ok(format!("Near {text}"));
    assert_eq!(price(&rates, "DE", 1, "EUR"), near("4.90 EUR"));
    assert_eq!(price(&rates, "DE", 1000, "EUR"), near("4.90 EUR"));
    assert_eq!(price(&rates, "FR", 1001, "EUR"), near("6.90 EUR"));
    assert_eq!(price(&rates, "FR", 2000, "JPY"), near("1130 JPY"));
    assert_eq!(price(&rates, "JP", 500, "EUR"), Ok("Far 18.90 EUR".into()));
}

#[test]
fn a_country_a_currency_and_a_weight_that_are_not_in_the_table_are_told_apart() {
    let rates: Rates = TABLE.parse().unwrap();
    assert_eq!(price(&rates, "US", 1, "EUR"), Err("COUNTRY_NOT_SERVED".into()));
    assert_eq!(price(&rates, "JP", 1, "JPY"), Err("CURRENCY_NOT_SERVED".into()));
    assert_eq!(price(&rates, "DE", 1, "ABC"), Err("CURRENCY_NOT_SERVED".into()));
    assert_eq!(price(&rates, "DE", 0, "ABC"), Err("CURRENCY_NOT_SERVED".into()));
    assert_eq!(price(&rates, "DE", 2001, "EUR"), Err("PARCEL_TOO_HEAVY".into()));
}

#[test]
fn nothing_weighs_nothing_and_costs_nothing_wherever_it_goes() {
    let rates: Rates = TABLE.parse().unwrap();
    for (country, currency) in [("DE", "EUR"), ("US", "USD"), ("JP", "KWD")] {
        assert!(rates.rate(country, 0, currency).unwrap().amount.amount.is_zero());
    }
}

#[test]
fn a_table_that_could_not_be_meant_is_refused_with_the_zone_at_fault() {
    for (from, to, told) in [
        ("\"FR\"", "\"UK\"", "did you mean GB"),
        ("\"FR\"", "\"DE\"", "named twice"),
        ("\"JP\"", "\"DE\"", "in a zone already"),
        ("upto_grams = 2000", "upto_grams = 1000", "must rise"),
        ("upto_grams = 1000", "upto_grams = 0", "must rise"),
        (", JPY = \"1130\"", "", "same currencies"),
        ("\"4.90\"", "\"4.905\"", "finer"),
        ("\"4.90\"", "\"-1\"", "below 0"),
        ("\"Far\"", "\"\"", "its name"),
        ("upto_grams = 500, ", "upto_gram = 500, ", "upto_gram"),
    ] {
        let table = TABLE.replacen(from, to, 1);
        let error: BadRates = table.parse::<Rates>().unwrap_err();
        assert!(error.to_string().contains(told), "{to}: {error}");
    }
}

#[test]
fn the_table_that_is_built_in_can_be_read_and_has_prices_with_0_2_and_3_decimals() {
    let rates = Rates::default();
    for currency in ["JPY", "EUR", "KWD"] {
        assert!(rates.rate("DE", 700, currency).unwrap().amount.is_positive());
    }
}
