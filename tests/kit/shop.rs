//! What the tests of orders share: a product with stock, an order for it, and a look at its end.

use crate::{Client, Reply, Stack, eventually};
use anyhow::ensure;
use bson::{Document, doc};
use contracts::{
    orders::v1::{OrderDraft, OrderDraftItem},
    shipping::v1::Address,
};
use serde_json::{Value, json};
use std::time::Duration;

/// How long an order may take to reach an end on a loaded machine.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// A new product with `units` in stock; its id.
pub async fn product(stack: &Stack, units: i32) -> String {
    let price = json!({ "currencyCode": "EUR", "units": "12", "nanos": 500_000_000 });
    product_with(stack, units, json!({ "price": price })).await
}

/// A new product with these fields, beside the name and SKU that every product has; its id.
pub async fn product_with(stack: &Stack, units: i32, fields: Value) -> String {
    let staff = Client::staff(stack).await;
    let mut body = fields;
    body["name"] = json!("Test product");
    body["sku"] = json!(format!("TEST-{:016x}", rand::random::<u64>()));
    let product = staff.post("/v1/products", body).await.expect(201);
    let id = id(&product, "productId").to_owned();
    if units > 0 {
        let adjusted = staff.post(&format!("/v1/stock/{id}:adjust"), json!({ "delta": units, "reason": "test" })).await;
        adjusted.expect(200);
    }
    id
}

/// The body of an order.
pub fn draft(lines: &[(&str, i32)], token: &str) -> Value {
    let items: Vec<Value> =
        lines.iter().map(|(id, quantity)| json!({ "productId": id, "quantity": quantity })).collect();
    json!({
        "items": items,
        "shippingAddress": {
            "name": "Test Customer", "line1": "1 rue de la Paix", "city": "Paris",
            "postalCode": "75002", "countryCode": "FR",
        },
        "paymentToken": token,
    })
}

/// The same as gRPC takes it: one unit, paid with `tok_visa`.
pub fn order_draft(product: &str) -> OrderDraft {
    let [name, line1, city] = ["Test Customer", "1 rue de la Paix", "Paris"].map(str::to_owned);
    let [postal_code, country_code] = ["75002", "FR"].map(str::to_owned);
    OrderDraft {
        items: vec![OrderDraftItem { product_id: product.to_owned(), quantity: 1 }],
        shipping_address: Some(Address { name, line1, city, postal_code, country_code, ..Default::default() }),
        payment_token: "tok_visa".into(),
        ..Default::default()
    }
}

/// Places an order and waits for its outcome and, when that is CONFIRMED, for its shipment, with which its saga ends.
pub async fn place(customer: &Client, lines: &[(&str, i32)], token: &str) -> Value {
    place_draft(customer, draft(lines, token)).await
}

/// As [`place`], with another body.
pub async fn place_draft(customer: &Client, body: Value) -> Value {
    let placed = customer.post("/v1/orders?wait=25s", body).await.expect(201);
    with_shipment(customer, placed).await
}

/// The order once it has its shipment, if it is CONFIRMED.
pub async fn with_shipment(customer: &Client, order: Value) -> Value {
    if order["state"] != "CONFIRMED" {
        return order;
    }
    let path = format!("/v1/orders/{}", id(&order, "orderId"));
    eventually(TIMEOUT, || async {
        let order = customer.get(&path).await.expect(200);
        ensure!(order["shipmentId"] != "", "{order} has no shipment yet");
        Ok(order)
    })
    .await
}

/// Waits until `field` of the order is `value`.
pub async fn order_with(customer: &Client, order: &Value, field: &str, value: &str) -> Value {
    let path = format!("/v1/orders/{}", id(order, "orderId"));
    eventually(TIMEOUT, || async {
        let order = customer.get(&path).await.expect(200);
        ensure!(order[field] == value, "{field} is {} in {order}", order[field]);
        Ok(order)
    })
    .await
}

/// The counters of a product: on hand, reserved, committed, available.
pub async fn stock(stack: &Stack, product: &str) -> [i64; 4] {
    let stock = Client::anonymous(stack).get(&format!("/v1/stock/{product}")).await.expect(200);
    ["onHand", "reserved", "committed", "available"].map(|name| stock[name].as_i64().expect("a counter is a number"))
}

/// A field that must be a string.
pub fn id<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("{field} is not a string in {value}"))
}

/// The reason in the details of an error.
pub fn reason(reply: &Reply) -> String {
    let details = reply.body["details"].as_array().cloned().unwrap_or_default();
    let info = details.iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
    info.and_then(|info| info["reason"].as_str()).unwrap_or_default().to_owned()
}

/// The fields that an error names.
pub fn fields(reply: &Reply) -> Vec<String> {
    let details = reply.body["details"].as_array().cloned().unwrap_or_default();
    let violations = details.iter().filter_map(|detail| detail["fieldViolations"].as_array()).flatten();
    violations.filter_map(|violation| violation["field"].as_str().map(str::to_owned)).collect()
}

/// Waits until every saga has ended: none runs, none is parked.
pub async fn sagas_have_ended(stack: &Stack, limit: Duration) {
    let orders = stack.db("orders").collection::<Document>("orders");
    eventually(limit, || async {
        let open = orders.find_one(doc! { "saga.status": { "$nin": ["Completed", "Compensated"] } }).await?;
        ensure!(open.is_none(), "{open:?}");
        Ok(())
    })
    .await;
}
