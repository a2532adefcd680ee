//! Shipping rates: the RPC that orders asks.

use crate::payments::as_orders;
use contracts::shipping::v1::{GetShippingRateRequest, ShippingRate, shipping_service_client::ShippingServiceClient};
use kit::shared;
use rpc::status::reason;
use tonic::{Code, Status};

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
