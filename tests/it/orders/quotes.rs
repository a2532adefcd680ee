//! What an order costs, through the gateway of a running system: tax, shipping, discount, and quotes that hold.

use crate::{
    cli::verify::is_clean,
    orders::{coupons::coupon, refunds::settled},
};
use contracts::{google::r#type::Money as WireMoney, money::Money};
use kit::shop::{draft, fields, id, order_with, product_with, reason, with_shipment};
use kit::{Client, Reply, Stack, StackOptions, shared};
use serde_json::{Value, json};

/// A product with these fields, and a hundred of it.
async fn product(stack: &Stack, fields: Value) -> String {
    product_with(stack, 100, fields).await
}

pub fn money(currency: &str, text: &str) -> Value {
    let wire = Money::parse(currency, text).expect("money").to_wire();
    json!({ "currencyCode": wire.currency_code, "units": wire.units.to_string(), "nanos": wire.nanos })
}

/// `12.50 EUR` of an amount on the wire; fields with the value 0 may be absent.
fn shown(value: &Value) -> String {
    let wire = WireMoney {
        currency_code: value["currencyCode"].as_str().unwrap_or_default().to_owned(),
        units: value["units"].as_str().unwrap_or("0").parse().expect("a number"),
        nanos: i32::try_from(value["nanos"].as_i64().unwrap_or(0)).expect("nanos"),
    };
    Money::from_wire(&wire).map_or_else(|error| format!("{error} in {value}"), |money| money.to_string())
}

/// subtotal, discount, shipping, tax, included tax, total.
fn sums(value: &Value) -> [String; 6] {
    ["subtotal", "discount", "shipping", "tax", "includedTax", "total"].map(|name| shown(&value[name]))
}

fn basket(lines: &[(&str, i32)], country: &str, coupon: &str) -> Value {
    let items: Vec<Value> = lines.iter().map(|(id, n)| json!({ "productId": id, "quantity": n })).collect();
    json!({ "items": items, "countryCode": country, "couponCode": coupon })
}

async fn quote(customer: &Client, body: Value) -> Value {
    customer.post("/v1/orders:quote", body).await.expect(200)
}

/// An order in France that carries a quote.
fn carrying(lines: &[(&str, i32)], quote: &Value) -> Value {
    let mut body = draft(lines, "tok_visa");
    body["quoteId"] = quote["quoteId"].clone();
    body
}

async fn order(customer: &Client, body: Value) -> Reply {
    customer.post("/v1/orders?wait=25s", body).await
}

#[tokio::test]
async fn an_order_with_a_quote_has_its_amounts_although_price_and_weight_have_changed() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let tea =
        product(stack, json!({ "price": money("EUR", "11.99"), "weightGrams": 600, "taxCategory": "FOOD" })).await;
    let lamp = product(stack, json!({ "price": money("EUR", "40"), "weightGrams": 0 })).await;
    let code = coupon(stack, json!({ "percentage": "10" })).await;
    let lines = [(tea.as_str(), 2), (lamp.as_str(), 1)];
    let quoted = quote(&customer, basket(&lines, "FR", &code)).await;
    // 63.98 less 6.40, of which 2.40 fall on the tea: 21.58 with 5.5 % inside, and 36 with 20 %; 1.2 kg cost 6.90, 20 % inside.
    let wanted = ["63.98 EUR", "6.40 EUR", "6.90 EUR", "0.00 EUR", "8.28 EUR", "64.48 EUR"];
    assert_eq!(sums(&quoted), wanted, "{quoted}");
    let change = json!({ "price": money("EUR", "99"), "weightGrams": 900_000, "taxCategory": "" });
    let path = format!("/v1/products/{tea}?updateMask=price,weightGrams,taxCategory");
    staff.patch(&path, change).await.expect(200);
    let read = staff.get(&format!("/v1/products/{tea}")).await.expect(200);
    assert_eq!((&read["taxCategory"], &read["weightGrams"]), (&json!(""), &json!(900_000)), "{read}");
    let mut body = carrying(&lines, &quoted);
    body["couponCode"] = json!(code);
    let placed = order(&customer, body).await.expect(201);
    assert_eq!((sums(&placed), &placed["state"]), (wanted.map(str::to_owned), &json!("CONFIRMED")), "{placed}");
    let line = |value: &Value| ["amount", "discount", "tax", "includedTax"].map(|name| shown(&value["items"][0][name]));
    assert_eq!(line(&placed), ["23.98 EUR", "2.40 EUR", "0.00 EUR", "1.13 EUR"]);
    assert_eq!(line(&placed), line(&quoted));
    assert_eq!(placed["items"][0]["taxPercent"], "5.5");
    let payment = customer.get(&format!("/v1/payments/{}", id(&placed, "paymentId"))).await.expect(200);
    assert_eq!(shown(&payment["amount"]), "64.48 EUR");
}

#[tokio::test]
async fn a_quote_of_another_basket_customer_or_signer_is_refused_and_no_order_is_placed() {
    let stack = shared().await;
    let (customer, stranger) = (Client::register(stack).await.0, Client::register(stack).await.0);
    let tea = product(stack, json!({ "price": money("EUR", "5") })).await;
    let quoted = quote(&customer, basket(&[(&tea, 2)], "FR", "")).await;
    let abroad = quote(&customer, basket(&[(&tea, 2)], "DE", "")).await;
    let code = coupon(stack, json!({ "percentage": "10" })).await;
    let mut couponed = carrying(&[(&tea, 2)], &quoted);
    couponed["couponCode"] = json!(code);
    for (who, body) in [
        (&customer, carrying(&[(&tea, 3)], &quoted)),
        (&customer, carrying(&[(&tea, 1), (&tea, 1)], &quoted)),
        (&customer, carrying(&[(&tea, 2)], &abroad)),
        (&customer, couponed),
        (&stranger, carrying(&[(&tea, 2)], &quoted)),
    ] {
        let refused = order(who, body.clone()).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, "QUOTE_MISMATCH"), "{body} {refused:?}");
    }
    let mut forged = id(&quoted, "quoteId").to_owned();
    let last = forged.pop().expect("not empty");
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    for quote_id in [forged.as_str(), "AAAA", "not base64!"] {
        let mut body = draft(&[(&tea, 2)], "tok_visa");
        body["quoteId"] = json!(quote_id);
        let refused = order(&customer, body).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, "QUOTE_INVALID"), "{quote_id} {refused:?}");
    }
    let listed = customer.get("/v1/orders").await.expect(200);
    assert!(listed["orders"].as_array().is_none_or(Vec::is_empty), "{listed}");
}

#[tokio::test]
async fn a_total_that_has_changed_is_refused_with_a_quote_that_can_be_taken() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let tea = product(stack, json!({ "price": money("EUR", "5"), "weightGrams": 100 })).await;
    let mut body = draft(&[(&tea, 2)], "tok_visa");
    body["expectedTotal"] = money("EUR", "10");
    let refused = order(&customer, body.clone()).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "TOTAL_CHANGED"), "{refused:?}");
    let details = refused.body["details"].as_array().cloned().unwrap_or_default();
    let is_quote = |detail: &&Value| detail["@type"] == "type.googleapis.com/comptoir.orders.v1.OrderQuote";
    let quoted = details.iter().find(is_quote).expect("a quote");
    assert_eq!(shown(&quoted["total"]), "14.90 EUR");
    body["expectedTotal"] = quoted["total"].clone();
    body["quoteId"] = quoted["quoteId"].clone();
    assert_eq!(order(&customer, body).await.expect(201)["state"], "CONFIRMED");
}

#[tokio::test]
async fn a_quote_writes_nothing_and_needs_what_an_order_needs() {
    let stack = shared().await;
    let customer = Client::register(stack).await.0;
    let tea = product(stack, json!({ "price": money("EUR", "5"), "weightGrams": 100 })).await;
    quote(&customer, basket(&[(&tea, 100)], "FR", "")).await; // all there are: nothing is held
    quote(&customer, basket(&[(&tea, 100)], "FR", "")).await;
    assert_eq!(kit::shop::stock(stack, &tea).await, [100, 0, 0, 100]);
    let ask = async |body: Value| customer.post("/v1/orders:quote", body).await;
    assert_eq!(fields(&ask(basket(&[], "FR", "")).await), ["items"]);
    assert_eq!(fields(&ask(basket(&[(&tea, 1)], "XX", "")).await), ["countryCode"]);
    assert_eq!(fields(&ask(basket(&[("prd_none", 1)], "FR", "")).await), ["items[0].productId"]);
    assert_eq!(reason(&ask(basket(&[(&tea, 1)], "FR", "NO-SUCH")).await), "COUPON_UNKNOWN");
    assert_eq!(reason(&ask(basket(&[(&tea, 1)], "AQ", "")).await), "COUNTRY_NOT_SERVED");
    assert_eq!(Client::anonymous(stack).post("/v1/orders:quote", basket(&[(&tea, 1)], "FR", "")).await.status, 401);
    let heavy = json!({ "name": "x", "sku": "x", "price": money("EUR", "1"), "weightGrams": 1_000_001 });
    assert_eq!(fields(&Client::staff(stack).await.post("/v1/products", heavy).await), ["weightGrams"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_quote_says_is_authorized_captured_and_refunded_line_by_line() {
    let stack = Stack::start(StackOptions::default()).await;
    let (customer, staff) = (Client::register(&stack).await.0, Client::staff(&stack).await);
    let food = json!({ "price": money("EUR", "3.33"), "weightGrams": 400, "taxCategory": "FOOD" });
    let (tea, lamp) = (product(&stack, food).await, product(&stack, json!({ "price": money("EUR", "39.99") })).await);
    let code = coupon(&stack, json!({ "amount": money("EUR", "7") })).await;
    let lines = [(tea.as_str(), 3), (lamp.as_str(), 2)];
    let quoted = quote(&customer, basket(&lines, "CA", &code)).await;
    let mut body = carrying(&lines, &quoted);
    body["couponCode"] = json!(code);
    body["shippingAddress"] = json!({ "name": "Test Customer", "line1": "1 Main Street", "city": "Toronto",
        "region": "ON", "postalCode": "M5V 2T6", "countryCode": "CA" });
    let placed = with_shipment(&customer, order(&customer, body).await.expect(201)).await;
    // 89.97 less 7; 5 % on the lamps' 73.76 and on 36.90 of shipping.
    assert_eq!(sums(&placed), ["89.97 EUR", "7.00 EUR", "36.90 EUR", "5.53 EUR", "0.00 EUR", "125.40 EUR"], "{placed}");
    staff.post(&format!("/v1/shipments/{}:dispatch", id(&placed, "shipmentId")), json!({})).await.expect(200);
    order_with(&customer, &placed, "paymentState", "CAPTURED").await;
    order_with(&customer, &placed, "state", "SHIPPED").await;
    let path = format!("/v1/orders/{}:refund", id(&placed, "orderId"));
    for (product, quantity) in [(&lamp, 1), (&tea, 2), (&lamp, 1), (&tea, 1)] {
        let item = json!({ "productId": product, "quantity": quantity, "disposition": "RESTOCK" });
        staff.post(&path, json!({ "items": [item] })).await.expect(200);
    }
    let after = settled(&customer, &placed).await;
    let given: Vec<String> =
        after["refunds"].as_array().expect("refunds").iter().map(|one| shown(&one["amount"])).collect();
    assert_eq!(given, ["38.72 EUR", "6.14 EUR", "38.73 EUR", "3.07 EUR"], "{after}");
    staff.post(&path, json!({})).await.expect(200); // what is left is shipping with its tax
    let after = settled(&customer, &placed).await;
    assert_eq!(shown(&after["refunds"][4]["amount"]), "38.74 EUR", "{after}");
    let payment = customer.get(&format!("/v1/payments/{}", id(&placed, "paymentId"))).await.expect(200);
    assert_eq!(["amount", "capturedAmount", "refundedAmount"].map(|name| shown(&payment[name])), ["125.40 EUR"; 3]);
    is_clean(&stack).await;
    stack.stop().await;
}
