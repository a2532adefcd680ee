//! Baskets in a currency that the customer has chosen.

use super::{Guest, checkout, items, path};
use crate::orders::quotes::money;
use kit::shop::{fields, product_with};
use kit::{Client, Stack, shared};
use reqwest::Method;
use serde_json::{Value, json};

/// A product at 10 EUR, in other currencies at these prices.
async fn product(stack: &Stack, others: &[Value]) -> String {
    product_with(stack, 5, json!({ "price": money("EUR", "10"), "otherPrices": others })).await
}

#[tokio::test]
async fn a_basket_is_quoted_and_ordered_in_its_currency() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let tea = product(stack, &[money("JPY", "1500"), money("USD", "11")]).await;
    let body = json!({ "items": items(&[(&tea, 2)]), "countryCode": "FR", "currencyCode": "usd" });
    let own = customer.post("/v1/baskets", body).await.expect(201);
    assert_eq!(own["currencyCode"], "USD");
    let quoted = async || customer.get(&format!("{}:quote", path(&own))).await.expect(200);
    for (currency, price, total) in [
        ("USD", money("USD", "11"), money("USD", "22")),
        ("JPY", money("JPY", "1500"), money("JPY", "3000")),
        ("", money("EUR", "10"), money("EUR", "20")),
    ] {
        let changed = customer.patch(&path(&own), json!({ "currencyCode": currency })).await.expect(200);
        assert_eq!(changed["currencyCode"], currency);
        let quote = quoted().await;
        assert_eq!((&quote["lines"][0]["price"], &quote["quote"]["total"]), (&price, &total), "{quote}");
    }
    customer.patch(&path(&own), json!({ "currencyCode": "JPY" })).await.expect(200);
    let mut body = checkout("tok_visa");
    body["quoteId"] = quoted().await["quote"]["quoteId"].clone();
    let order = customer.post(&format!("{}:checkout?wait=25s", path(&own)), body).await.expect(200);
    assert_eq!((&order["total"], &order["state"]), (&money("JPY", "3000"), &json!("CONFIRMED")), "{order}");
}

#[tokio::test]
async fn a_basket_with_a_line_without_a_price_in_its_currency_is_shown_and_not_ordered() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let (both, one) = (product(stack, &[money("USD", "11")]).await, product(stack, &[]).await);
    let body = json!({ "items": items(&[(&both, 1), (&one, 1)]), "countryCode": "FR", "currencyCode": "USD" });
    let own = customer.post("/v1/baskets", body).await.expect(201);
    let quote = customer.get(&format!("{}:quote", path(&own))).await.expect(200);
    assert_eq!((&quote["refusal"], &quote["quote"]), (&json!("NO_PRICE_IN_CURRENCY"), &Value::Null), "{quote}");
    assert_eq!((&quote["lines"][0]["price"], &quote["lines"][1]["price"]), (&money("USD", "11"), &Value::Null));
    assert_eq!(quote["lines"][1]["availability"], "AVAILABLE", "{quote}");
    let refused = customer.post(&format!("{}:checkout", path(&own)), checkout("tok_visa")).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["basket.items[1].product_id".to_owned()]), "{refused:?}");
    assert_eq!(customer.get(&path(&own)).await.expect(200)["state"], "OPEN");
    let wrong = customer.patch(&path(&own), json!({ "currencyCode": "EURO" })).await;
    assert_eq!((wrong.status, fields(&wrong)), (400, vec!["currencyCode".to_owned()]), "{wrong:?}");
}

#[tokio::test]
async fn the_currency_of_a_guest_stays_after_the_sign_in() {
    let stack = shared().await;
    let tea = product(stack, &[money("USD", "11")]).await;
    let guest = Guest::with(&Client::anonymous(stack), &[(&tea, 1)]).await;
    guest.call(Method::PATCH, "", Some(json!({ "currencyCode": "USD" }))).await.expect(200);
    let customer = Client::register(stack).await.0;
    customer.post("/v1/baskets", json!({})).await.expect(201);
    assert_eq!(guest.merge(&customer, json!({})).await.expect(200)["currencyCode"], "USD");
    // What is in a basket already goes on being priced as it was shown.
    let guest = Guest::with(&Client::anonymous(stack), &[(&tea, 1)]).await;
    guest.call(Method::PATCH, "", Some(json!({ "currencyCode": "USD" }))).await.expect(200);
    let customer = Client::register(stack).await.0;
    customer.post("/v1/baskets", json!({ "items": items(&[(&tea, 1)]) })).await.expect(201);
    assert_eq!(guest.merge(&customer, json!({})).await.expect(200)["currencyCode"], "");
}
