//! What a basket would cost, with prices of now; what is wrong with a line is told and is no error.

use super::{basket, path};
use crate::orders::coupons::coupon;
use kit::shop::{product, product_with};
use kit::{Client, Stack, StackOptions, shared};
use serde_json::{Value, json};

async fn quoted(customer: &Client, basket: &Value) -> Value {
    customer.get(&format!("{}:quote", path(basket))).await.expect(200)
}

fn availability(quote: &Value) -> Vec<(String, i64)> {
    let line = |line: &Value| {
        (line["availability"].as_str().expect("a word").to_owned(), line["available"].as_i64().expect("a number"))
    };
    quote["lines"].as_array().expect("lines").iter().map(line).collect()
}

#[tokio::test]
async fn a_quote_has_the_prices_of_now_and_says_of_each_line_whether_it_can_be_ordered() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let price = |units: &str| json!({ "currencyCode": "EUR", "units": units });
    let there = product_with(stack, 3, json!({ "price": price("10") })).await;
    let (scarce, archived) = (product(stack, 1).await, product(stack, 5).await);
    let never_stocked = product(stack, 0).await;
    let lines = [(there.as_str(), 3), (&scarce, 2), (&archived, 1), ("prd_absent", 1), (&never_stocked, 1)];
    let own = basket(&customer, &lines).await;
    staff.patch(&format!("/v1/products/{archived}"), json!({ "status": "ARCHIVED" })).await.expect(200);
    let before = quoted(&customer, &own).await;
    let states = ["AVAILABLE", "OUT_OF_STOCK", "NOT_SOLD", "NOT_SOLD", "OUT_OF_STOCK"].map(str::to_owned);
    assert_eq!(availability(&before), states.into_iter().zip([3, 1, 0, 0, 0]).collect::<Vec<_>>(), "{before}");
    let priced: Vec<&Value> =
        before["quote"]["items"].as_array().expect("lines").iter().map(|line| &line["productId"]).collect();
    assert_eq!(priced, [&json!(there), &json!(scarce), &json!(never_stocked)], "what is sold is priced");
    assert_eq!(
        (&before["lines"][0]["price"]["units"], &before["lines"][0]["name"]),
        (&json!("10"), &json!("Test product"))
    );
    staff.patch(&format!("/v1/products/{there}"), json!({ "price": price("11") })).await.expect(200);
    let after = quoted(&customer, &own).await;
    assert_eq!(after["quote"]["items"][0]["amount"]["units"], "33", "{after}");
    assert_eq!(customer.get(&path(&own)).await.expect(200), own, "a quote writes nothing");
}

#[tokio::test]
async fn a_coupon_that_cannot_be_used_hides_no_price() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 5).await);
    let own = basket(&customer, &[(&product, 2)]).await;
    let code = coupon(stack, json!({ "percentage": "50" })).await;
    for (code, refusal, discount) in [(code.as_str(), "", "12"), ("UNKNOWN-1", "COUPON_UNKNOWN", "0")] {
        customer.patch(&path(&own), json!({ "couponCode": code })).await.expect(200);
        let quote = quoted(&customer, &own).await;
        assert_eq!((&quote["couponRefusal"], &quote["refusal"]), (&json!(refusal), &json!("")), "{quote}");
        assert_eq!(quote["quote"]["discount"]["units"], discount, "{quote}");
    }
    for (change, refusal) in
        [(json!({ "countryCode": "" }), "COUNTRY_UNKNOWN"), (json!({ "items": [] }), "BASKET_EMPTY")]
    {
        customer.patch(&path(&own), change).await.expect(200);
        let quote = quoted(&customer, &own).await;
        assert_eq!((&quote["refusal"], &quote["quote"]), (&json!(refusal), &Value::Null), "{quote}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_basket_is_there_and_changes_while_all_whom_it_asks_are_away() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 5).await;
    let (customer, own) = {
        let customer = Client::register(&stack).await.0;
        let own = basket(&customer, &[(&product, 2)]).await;
        (customer, own)
    };
    let mut stack = stack;
    stack.stop().await;
    stack.restart_with(kit::all_but(&["orders", "products", "inventory"])).await;
    let customer = Client::at(stack.gateway()).with_token(customer.token());
    let changed = customer.patch(&path(&own), json!({ "couponCode": "SUMMER" })).await.expect(200);
    assert_eq!(changed["couponCode"], "SUMMER");
    let quote = quoted(&customer, &own).await;
    assert_eq!(
        (&quote["refusal"], availability(&quote)),
        (&json!("PEER_UNAVAILABLE"), vec![("AVAILABILITY_UNSPECIFIED".to_owned(), 0)]),
        "{quote}"
    );
    stack.stop().await;
}
