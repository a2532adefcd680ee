//! Shipping rates: the table, and the RPC that orders asks.

use crate::payments::as_orders;
use contracts::shipping::v1::{GetShippingRateRequest, ShippingRate, shipping_service_client::ShippingServiceClient};
use kit::shared;
use rpc::status::reason;
use shipping::{BadRates, Rates};
use tonic::{Code, Status};

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

async fn asked(country: &str, weight_grams: i64, currency: &str) -> Result<ShippingRate, Status> {
    let mut rpc = ShippingServiceClient::new(as_orders(shared().await, "shipping"));
    let (country_code, currency_code) = (country.into(), currency.into());
    let request = GetShippingRateRequest { country_code, weight_grams, currency_code };
    Ok(rpc.get_shipping_rate(request).await?.into_inner())
}

#[tokio::test]
async fn orders_asks_for_a_shipping_rate_and_is_told_why_there_is_none() {
    let rate = asked("DE", 1200, "EUR").await.unwrap();
    let amount = rate.amount.unwrap();
    assert_eq!((amount.units, amount.nanos, amount.currency_code.as_str()), (6, 900_000_000, "EUR"));
    assert!(!rate.name.is_empty());
    for (country, grams, currency, code, told) in [
        ("KP", 1200, "EUR", Code::FailedPrecondition, "COUNTRY_NOT_SERVED"),
        ("DE", 1200, "XYZ", Code::FailedPrecondition, "CURRENCY_NOT_SERVED"),
        ("DE", 1_000_001, "EUR", Code::FailedPrecondition, "PARCEL_TOO_HEAVY"),
        ("UK", 1200, "EUR", Code::InvalidArgument, "INVALID_FIELD"),
        ("DE", -1, "EUR", Code::InvalidArgument, "INVALID_FIELD"),
        ("DE", 1_000_000_001, "EUR", Code::InvalidArgument, "INVALID_FIELD"),
    ] {
        let status = asked(country, grams, currency).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (code, told), "{country} {grams} {currency}");
    }
}
