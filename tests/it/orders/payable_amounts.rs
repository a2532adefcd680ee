//! Amounts that the payment provider can take: told when an order is quoted or placed, and kept to afterwards.

use crate::orders::quotes::money;
use anyhow::ensure;
use kit::shop::{draft, product_with, reason};
use kit::{Client, Process, Stack, StackOptions, eventually};
use serde_json::{Value, json};
use std::time::Duration;

/// Payments with Stripe behind it; what is told here needs no answer of Stripe.
fn payments_with_stripe(stack: &Stack) -> Process {
    stack.serve_with("payments", &[("COMPTOIR_PROVIDER", "stripe"), ("COMPTOIR_PROVIDER_URL", "http://127.0.0.1:1")])
}

async fn quote(customer: &Client, product: &str, quantity: i32) -> kit::Reply {
    let items = json!([{ "productId": product, "quantity": quantity }]);
    customer.post("/v1/orders:quote", json!({ "items": items, "countryCode": "FR" })).await
}

async fn priced(stack: &Stack, currency: &str, price: &str) -> String {
    product_with(stack, 10, json!({ "price": money(currency, price) })).await
}

/// The metadata of an error.
fn metadata(reply: &kit::Reply, field: &str) -> Value {
    let details = reply.body["details"].as_array().cloned().unwrap_or_default();
    details.iter().map(|detail| detail["metadata"][field].clone()).find(|value| !value.is_null()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stripe_cannot_take_is_refused_when_it_is_quoted_or_ordered() {
    let stack = Stack::start(StackOptions::without(&["payments"])).await;
    let process = payments_with_stripe(&stack);
    let customer = Client::register(&stack).await.0;
    let dinar = priced(&stack, "KWD", "1.234").await;
    eventually(Duration::from_secs(30), || async {
        let refused = quote(&customer, &dinar, 1).await;
        ensure!(reason(&refused) == "AMOUNT_NOT_PAYABLE", "{refused:?}");
        Ok(())
    })
    .await;
    for (currency, price, quantity, why) in [
        ("KWD", "1.234", 1, "AMOUNT_NOT_PAYABLE"),
        ("KWD", "1.234", 5, ""),
        ("TND", "0.005", 1, "AMOUNT_NOT_PAYABLE"),
        ("MGA", "0.50", 1, "AMOUNT_NOT_PAYABLE"),
        ("MGA", "0.50", 2, ""),
        ("EUR", "0.49", 1, "AMOUNT_NOT_PAYABLE"),
        ("EUR", "0.49", 2, ""),
        ("USD", "999999.99", 1, ""),
        ("USD", "1000000", 1, "AMOUNT_NOT_PAYABLE"),
        ("IDR", "1000000000.01", 1, ""),
        ("CLF", "1", 1, "CURRENCY_NOT_PAYABLE"),
        ("JPY", "0", 1, ""),
    ] {
        let product = priced(&stack, currency, price).await;
        let quoted = quote(&customer, &product, quantity).await;
        assert_eq!(
            if quoted.status == 200 { String::new() } else { reason(&quoted) },
            why,
            "{quantity} at {price} {currency}"
        );
        if !why.is_empty() {
            let ordered = customer.post("/v1/orders", draft(&[(&product, quantity)], "pm_card_visa")).await;
            assert_eq!((ordered.status, reason(&ordered).as_str()), (400, why), "{ordered:?}");
        }
    }
    let refused = quote(&customer, &dinar, 1).await;
    let told = ["total", "step", "minimum", "maximum"].map(|field| metadata(&refused, field));
    assert_eq!(told, ["1.234 KWD", "0.010 KWD", "0.010 KWD", "99999.990 KWD"].map(Value::from), "{refused:?}");
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
    drop(process);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_payments_is_silent_orders_are_quoted_all_the_same() {
    let stack = Stack::start(StackOptions::without(&["payments"])).await;
    let customer = Client::register(&stack).await.0;
    let dinar = priced(&stack, "KWD", "1.234").await;
    for _ in 0..3 {
        quote(&customer, &dinar, 1).await.expect(200);
    }
    let process = payments_with_stripe(&stack);
    eventually(Duration::from_secs(60), || async {
        let refused = quote(&customer, &dinar, 1).await;
        ensure!(reason(&refused) == "AMOUNT_NOT_PAYABLE", "{refused:?}");
        Ok(())
    })
    .await;
    drop(process);
    stack.stop().await;
}
