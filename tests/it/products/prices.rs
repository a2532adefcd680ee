//! How much a price, a coupon and an order may be: bounds in minor units, the same for every currency.

use crate::orders::{coupons::new_code, refunds::settled};
use contracts::money::{MOST_OF_A_PRICE, MOST_OF_A_SUM, Money, currencies};
use futures::{StreamExt, stream};
use kit::shop::{draft, fields, id, order_with, place, product_with, reason};
use kit::{Client, Stack, shared};
use serde_json::{Value, json};

fn minor(currency: &str, minor: i128) -> Value {
    let wire = Money::from_minor(currency, minor).expect("money").to_wire();
    json!({ "currencyCode": wire.currency_code, "units": wire.units.to_string(), "nanos": wire.nanos })
}

fn product(price: &Value) -> Value {
    json!({ "name": "Dear", "sku": format!("TEST-{:016x}", rand::random::<u64>()), "price": price })
}

#[tokio::test]
async fn the_highest_price_in_every_currency_is_taken_and_a_minor_unit_more_is_refused() {
    let staff = Client::staff(shared().await).await;
    let checks = currencies().map(|(currency, _)| (currency, &staff));
    let check = async |(currency, staff): (&str, &Client)| {
        let (most, more) = (minor(currency, MOST_OF_A_PRICE), minor(currency, MOST_OF_A_PRICE + 1));
        let made = staff.post("/v1/products", product(&most)).await.expect(201);
        assert_eq!(made["price"]["units"], most["units"], "{currency}");
        let path = format!("/v1/products/{}?updateMask=price", id(&made, "productId"));
        for refused in [
            staff.post("/v1/products", product(&more)).await,
            staff.post("/v1/products", product(&minor(currency, -1))).await,
            staff.patch(&path, json!({ "price": more })).await,
        ] {
            assert_eq!((refused.status, fields(&refused)), (400, vec!["price".to_owned()]), "{currency} {refused:?}");
        }
        staff.patch(&path, json!({ "price": minor(currency, 0) })).await.expect(200);
    };
    stream::iter(checks).for_each_concurrent(8, check).await;
}

#[tokio::test]
async fn the_history_of_prices_has_each_price_since_it_began() {
    let stack = shared().await;
    let (staff, anonymous) = (Client::staff(stack).await, Client::anonymous(stack));
    let made = staff.post("/v1/products", product(&minor("EUR", 1000))).await.expect(201);
    let at = format!("/v1/products/{}", id(&made, "productId"));
    let prices = format!("{at}/prices");
    let first = anonymous.get(&prices).await.expect(200);
    assert_eq!(first["prices"], json!([{ "price": minor("EUR", 1000), "startTime": made["createTime"] }]));
    assert_eq!(first["lowestPriorPrice"], Value::Null, "{first}");
    staff.patch(&at, json!({ "name": "Dearer" })).await.expect(200);
    assert_eq!(anonymous.get(&prices).await.expect(200), first, "its price is the same");
    let mut wanted = vec![first["prices"][0].clone()];
    for price in [minor("EUR", 1500), minor("USD", 900), minor("EUR", 1200)] {
        let changed = staff.patch(&at, json!({ "price": price })).await.expect(200);
        wanted[0]["endTime"] = changed["updateTime"].clone();
        wanted.insert(0, json!({ "price": price, "startTime": changed["updateTime"] }));
    }
    let history = anonymous.get(&prices).await.expect(200);
    assert_eq!((&history["prices"], &history["lowestPriorPrice"]), (&json!(wanted), &minor("EUR", 1000)));
    // A product of before.
    let stored = stack.db("products").collection::<bson::Document>("products");
    let one = bson::doc! { "_id": id(&made, "productId") };
    stored.update_one(one, bson::doc! { "$unset": { "prices": "" } }).await.expect("root may");
    assert_eq!(anonymous.get(&prices).await.expect(200)["prices"], json!(wanted[..1]));
    // What a draft is to cost is offered to nobody.
    staff.patch(&at, json!({ "price": minor("EUR", 1), "status": "DRAFT" })).await.expect(200);
    assert_eq!(staff.get(&prices).await.expect(200)["prices"], json!(wanted[..1]));
    assert_eq!(anonymous.get(&prices).await.status, 404, "a draft is seen by staff alone");
    let changed = staff.patch(&at, json!({ "price": minor("EUR", 1100), "status": "ACTIVE" })).await.expect(200);
    wanted[0]["endTime"] = changed["updateTime"].clone();
    let next = json!({ "price": minor("EUR", 1100), "startTime": changed["updateTime"] });
    assert_eq!(anonymous.get(&prices).await.expect(200)["prices"], json!([next, wanted[0]]));
}

/// A product at the highest price, and `units` of it.
async fn dearest(stack: &Stack, currency: &str, units: i32) -> String {
    product_with(stack, units, json!({ "price": minor(currency, MOST_OF_A_PRICE) })).await
}

#[tokio::test]
async fn ten_thousand_units_at_the_highest_price_are_paid_captured_and_refunded() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    for currency in ["VND", "KRW", "IDR", "KWD", "CLF"] {
        let product = dearest(stack, currency, 10_000).await;
        let placed = place(&customer, &[(&product, 10_000)], "tok_visa").await;
        let total = minor(currency, MOST_OF_A_PRICE * 10_000);
        assert_eq!((&placed["state"], &placed["total"]["units"]), (&json!("CONFIRMED"), &total["units"]), "{placed}");
        staff.post(&format!("/v1/shipments/{}:dispatch", id(&placed, "shipmentId")), json!({})).await.expect(200);
        let shipped = order_with(&customer, &placed, "state", "SHIPPED").await;
        let path = format!("/v1/orders/{}:refund", id(&placed, "orderId"));
        let lines = json!([{ "productId": product, "quantity": 9_999, "disposition": "SCRAP" }]);
        staff.post(&path, json!({ "items": lines })).await.expect(200);
        settled(&customer, &shipped).await;
        staff.post(&path, json!({})).await.expect(200);
        settled(&customer, &shipped).await;
        let payment = customer.get(&format!("/v1/payments/{}", id(&placed, "paymentId"))).await.expect(200);
        assert_eq!(payment["refundedAmount"]["units"], total["units"], "{payment}");
    }
}

#[tokio::test]
async fn what_is_too_much_for_a_sum_is_refused_and_names_its_field() {
    let stack = shared().await;
    let (customer, staff) = (Client::register(stack).await.0, Client::staff(stack).await);
    let mut products = Vec::new();
    for _ in 0..11 {
        products.push(dearest(stack, "JPY", 0).await);
    }
    let lines: Vec<(&str, i32)> = products.iter().map(|product| (product.as_str(), 10_000)).collect();
    let items: Vec<Value> = lines.iter().map(|(id, count)| json!({ "productId": id, "quantity": count })).collect();
    let quoted =
        customer.post("/v1/orders:quote", json!({ "items": items[..10], "countryCode": "FR" })).await.expect(200);
    assert_eq!(quoted["subtotal"]["units"], MOST_OF_A_SUM.to_string());
    let quote = customer.post("/v1/orders:quote", json!({ "items": items, "countryCode": "FR" })).await;
    let order = customer.post("/v1/orders", draft(&lines, "tok_visa")).await;
    for refused in [quote, order] {
        assert_eq!((refused.status, fields(&refused)), (400, vec!["items".to_owned()]), "{refused:?}");
        assert!(
            refused.body["message"].as_str().is_some_and(|text| text.contains("1000000000000000000 JPY")),
            "{refused:?}"
        );
    }
    let euro = minor("EUR", 100);
    for (field, coupon) in [
        ("amount", json!({ "amount": minor("EUR", MOST_OF_A_SUM + 1) })),
        ("minimumSubtotal", json!({ "amount": euro, "minimumSubtotal": minor("EUR", MOST_OF_A_SUM + 1) })),
    ] {
        let mut coupon = coupon;
        coupon["code"] = json!(new_code());
        let refused = staff.post("/v1/coupons", coupon).await;
        assert_eq!(
            (refused.status, fields(&refused), reason(&refused)),
            (400, vec![field.to_owned()], "INVALID_FIELD".to_owned())
        );
    }
    let edge = json!({ "code": new_code(), "amount": minor("EUR", MOST_OF_A_SUM) });
    staff.post("/v1/coupons", edge).await.expect(201);
}
