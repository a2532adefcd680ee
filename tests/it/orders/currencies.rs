//! Orders in a currency that the customer has chosen: each line has its product's price in it.

use super::{coupons::coupon, quotes::money, refunds::settled};
use crate::cli::verify::is_clean;
use kit::shop::{draft, fields, id, order_with, product_with, reason, with_shipment};
use kit::{Client, Stack, StackOptions, shared};
use serde_json::{Value, json};

/// A product with these prices, the first of them the main one, and a hundred of it.
async fn product(stack: &Stack, prices: &[Value], weight_grams: i32) -> String {
    let body = json!({ "price": prices[0], "otherPrices": prices[1..], "weightGrams": weight_grams });
    product_with(stack, 100, body).await
}

/// An order in France.
fn order(lines: &[(&str, i32)], currency: &str) -> Value {
    let mut body = draft(lines, "tok_visa");
    body["currencyCode"] = json!(currency);
    body
}

/// What would be asked of QuoteOrder for the same order.
fn quote_of(order: &Value) -> Value {
    let named = ["items", "couponCode", "currencyCode"].into_iter().filter(|name| !order[name].is_null());
    let mut body: Value = named.map(|name| (name.to_owned(), order[name].clone())).collect();
    body["countryCode"] = json!("FR");
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_in_another_currency_is_paid_captured_and_refunded_to_the_cent() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let code = coupon(&stack, json!({ "percentage": "10" })).await;
    // A thousandth and a whole of a unit are the least of these: 20 % of tax is inside, shipping of 0.8 kg is the table's.
    for (currency, tea, lamp, wanted) in [
        ("USD", "3.33", "39.99", ["89.97", "9.00", "5.40", "14.40", "86.37"]),
        ("KWD", "1.005", "12.345", ["27.705", "2.770", "1.650", "4.431", "26.585"]),
        ("JPY", "499", "5999", ["13495", "1350", "800", "2157", "12945"]),
    ] {
        let prices = |eur: &str, other: &str| [money("EUR", eur), money("CHF", "1"), money(currency, other)];
        let tea = product(&stack, &prices("3", tea), 100).await;
        let lamp = product(&stack, &prices("36", lamp), 250).await;
        let mut body = order(&[(&tea, 3), (&lamp, 2)], &currency.to_lowercase());
        body["couponCode"] = json!(code);
        let quoted = customer.post("/v1/orders:quote", quote_of(&body)).await.expect(200);
        let sums = ["subtotal", "discount", "shipping", "includedTax", "total"];
        let wanted = wanted.map(|amount| money(currency, amount));
        assert_eq!(sums.map(|name| quoted[name].clone()), wanted, "{quoted}");
        body["quoteId"] = quoted["quoteId"].clone();
        body["expectedTotal"] = quoted["total"].clone();
        let placed = customer.post("/v1/orders?wait=25s", body).await.expect(201);
        let placed = with_shipment(&customer, placed).await;
        assert_eq!(sums.map(|name| placed[name].clone()), wanted, "{placed}");
        staff.post(&format!("/v1/shipments/{}:dispatch", id(&placed, "shipmentId")), json!({})).await.expect(200);
        order_with(&customer, &placed, "paymentState", "CAPTURED").await;
        order_with(&customer, &placed, "state", "SHIPPED").await;
        let path = format!("/v1/orders/{}:refund", id(&placed, "orderId"));
        for (product, quantity) in [(&lamp, 1), (&tea, 2), (&lamp, 1), (&tea, 1)] {
            let item = json!({ "productId": product, "quantity": quantity, "disposition": "RESTOCK" });
            staff.post(&path, json!({ "items": [item] })).await.expect(200);
        }
        settled(&customer, &placed).await;
        staff.post(&path, json!({})).await.expect(200); // what is left is shipping
        let after = settled(&customer, &placed).await;
        assert_eq!(after["refunds"][4]["amount"], wanted[2], "{after}");
        let payment = customer.get(&format!("/v1/payments/{}", id(&placed, "paymentId"))).await.expect(200);
        let paid = ["amount", "capturedAmount", "refundedAmount"].map(|name| payment[name].clone());
        assert_eq!(paid, [&wanted[4]; 3].map(Clone::clone), "{payment}");
    }
    is_clean(&stack).await;
    stack.stop().await;
}

#[tokio::test]
async fn a_line_whose_product_has_no_price_in_the_currency_is_named_and_no_order_placed() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let both = product(stack, &[money("EUR", "10"), money("USD", "11")], 0).await;
    let one = product(stack, &[money("EUR", "10")], 0).await;
    let body = order(&[(&both, 1), (&one, 1), (&both, 2), (&one, 2)], "USD");
    for refused in
        [customer.post("/v1/orders", body.clone()).await, customer.post("/v1/orders:quote", quote_of(&body)).await]
    {
        let named = ["items[1].productId", "items[3].productId"].map(str::to_owned);
        assert_eq!((refused.status, fields(&refused)), (400, named.to_vec()), "{refused:?}");
        let message = refused.body["message"].as_str().expect("a text");
        assert!(message.contains(&format!("{one} has no price in USD")), "{message}");
    }
    for wrong in ["EURO", "1", "$"] {
        let refused = customer.post("/v1/orders", order(&[(&both, 1)], wrong)).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["currencyCode".to_owned()]), "{wrong} {refused:?}");
    }
    let listed = customer.get("/v1/orders").await.expect(200);
    assert!(listed["orders"].as_array().is_none_or(Vec::is_empty), "{listed}");
}

#[tokio::test]
async fn without_a_currency_the_main_prices_count_and_those_of_several_are_refused() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let euros = product(stack, &[money("EUR", "10"), money("USD", "11")], 0).await;
    let dollars = product(stack, &[money("USD", "12"), money("EUR", "13")], 0).await;
    let placed = customer.post("/v1/orders?wait=25s", order(&[(&euros, 2)], "")).await.expect(201);
    assert_eq!(placed["total"], money("EUR", "20"), "{placed}");
    let mixed = [(euros.as_str(), 1), (dollars.as_str(), 1)];
    let refused = customer.post("/v1/orders", draft(&mixed, "tok_visa")).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["items".to_owned()]), "{refused:?}");
    for (currency, total) in [("EUR", "23"), ("USD", "23")] {
        let placed = customer.post("/v1/orders?wait=25s", order(&mixed, currency)).await.expect(201);
        assert_eq!((&placed["total"], &placed["state"]), (&money(currency, total), &json!("CONFIRMED")), "{placed}");
    }
}

#[tokio::test]
async fn a_quote_is_honoured_although_its_price_was_taken_away() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let tea = product(stack, &[money("EUR", "10"), money("USD", "11")], 0).await;
    let mut body = order(&[(&tea, 2)], "USD");
    let quote = customer.post("/v1/orders:quote", quote_of(&body)).await.expect(200);
    staff.patch(&format!("/v1/products/{tea}?updateMask=otherPrices"), json!({ "otherPrices": [] })).await.expect(200);
    let refused = customer.post("/v1/orders", body.clone()).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["items[0].productId".to_owned()]), "{refused:?}");
    body["quoteId"] = quote["quoteId"].clone();
    let placed = customer.post("/v1/orders?wait=25s", body).await.expect(201);
    assert_eq!((&placed["total"], &placed["state"]), (&money("USD", "22"), &json!("CONFIRMED")), "{placed}");
}

#[tokio::test]
async fn a_quote_of_one_currency_is_refused_by_an_order_that_names_another() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let tea = product(stack, &[money("EUR", "10"), money("USD", "11")], 0).await;
    for (quoted, ordered) in [("USD", ""), ("USD", "EUR"), ("", "USD"), ("EUR", "USD")] {
        let quote = customer.post("/v1/orders:quote", quote_of(&order(&[(&tea, 1)], quoted))).await.expect(200);
        let mut body = order(&[(&tea, 1)], ordered);
        body["quoteId"] = quote["quoteId"].clone();
        let refused = customer.post("/v1/orders", body).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, "QUOTE_MISMATCH"), "{quoted} {ordered}");
    }
    // The details of TOTAL_CHANGED have a quote in the currency of the order.
    let mut body = order(&[(&tea, 1)], "USD");
    body["expectedTotal"] = money("EUR", "11");
    let refused = customer.post("/v1/orders", body.clone()).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "TOTAL_CHANGED"), "{refused:?}");
    let details = refused.body["details"].as_array().cloned().unwrap_or_default();
    let quote = details.iter().find(|detail| detail["quoteId"].is_string()).expect("a quote");
    assert_eq!(quote["total"], money("USD", "11"));
    body["expectedTotal"] = quote["total"].clone();
    body["quoteId"] = quote["quoteId"].clone();
    assert_eq!(customer.post("/v1/orders?wait=25s", body).await.expect(201)["total"], money("USD", "11"));
}

#[tokio::test]
async fn the_currency_is_a_part_of_what_a_key_stands_for() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let tea = product(stack, &[money("EUR", "10"), money("USD", "11")], 0).await;
    let place = async |currency: &str| {
        let body = order(&[(&tea, 1)], currency);
        let request = customer.request(reqwest::Method::POST, "/v1/orders").header("Idempotency-Key", "basket-1");
        kit::reply(request.json(&body)).await
    };
    let first = place("USD").await.expect(201);
    assert_eq!(place("usd").await.expect(201)["orderId"], first["orderId"], "a repeat");
    for other in ["EUR", ""] {
        let refused = place(other).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"), "{refused:?}");
    }
}
