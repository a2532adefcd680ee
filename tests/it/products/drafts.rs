//! Products that are being prepared: there for staff, and sold to nobody.

use crate::baskets::{basket, path};
use anyhow::ensure;
use bson::{Document, doc};
use kit::shop::{TIMEOUT, draft, fields, id, order_with, place, product_with};
use kit::{Client, Stack, eventually, shared};
use serde_json::{Value, json};

async fn new_draft(stack: &Stack) -> String {
    let price = json!({ "currencyCode": "EUR", "units": "5" });
    product_with(stack, 5, json!({ "price": price, "status": "DRAFT" })).await
}

/// Whether the product is on the first page.
async fn lists(client: &Client, product: &str) -> bool {
    let page = client.get("/v1/products?pageSize=200").await.expect(200);
    page["products"].as_array().expect("a page").iter().any(|found| found["productId"] == product)
}

#[tokio::test]
async fn a_draft_is_there_for_staff_alone_until_it_is_published() {
    let stack = shared().await;
    let (staff, product) = (Client::staff(stack).await, new_draft(stack).await);
    let known = kit::shop::product(stack, 0).await;
    let (one, several) =
        (format!("/v1/products/{product}"), format!("/v1/products:batchGet?productIds={known}&productIds={product}"));
    let others = [Client::anonymous(stack), Client::register(stack).await.0, Client::support(stack).await];
    for other in &others {
        assert_eq!((other.get(&one).await.status, other.get(&several).await.status), (404, 404));
        let absent = other.get("/v1/products/prd_absent").await.body.to_string().replace("prd_absent", &product);
        assert_eq!(other.get(&one).await.body.to_string(), absent, "nothing tells it from a product that is not there");
        assert!(!lists(other, &product).await, "{product}");
    }
    assert_eq!(staff.get(&one).await.expect(200)["status"], "DRAFT");
    assert_eq!(staff.get(&several).await.expect(200)["products"][1]["productId"], product);
    assert!(lists(&staff, &product).await, "{product}");
    staff.patch(&one, json!({ "status": "ACTIVE" })).await.expect(200);
    for other in &others {
        assert_eq!(other.get(&one).await.expect(200)["status"], "ACTIVE");
        assert!(lists(other, &product).await, "{product}");
    }
}

#[tokio::test]
async fn nobody_orders_a_draft_and_an_order_shows_none() {
    let stack = shared().await;
    let (staff, customer) = (Client::staff(stack).await, Client::register(stack).await.0);
    let (product, sold) = (new_draft(stack).await, kit::shop::product(stack, 5).await);
    let lines = [(sold.as_str(), 1), (product.as_str(), 1)];
    let items: Vec<Value> = lines.iter().map(|(id, count)| json!({ "productId": id, "quantity": count })).collect();
    for refused in [
        customer.post("/v1/orders", draft(&lines, "tok_visa")).await,
        customer.post("/v1/orders:quote", json!({ "items": items, "countryCode": "FR" })).await,
        staff.post("/v1/orders", draft(&lines, "tok_visa")).await,
    ] {
        assert_eq!((refused.status, fields(&refused)), (400, vec!["items[1].productId".to_owned()]), "{refused:?}");
        assert!(refused.body.to_string().contains("is not in the catalogue"), "{refused:?}");
    }
    let quote = customer.get(&format!("{}:quote", path(&basket(&customer, &lines).await))).await.expect(200);
    assert_eq!(
        (&quote["lines"][1]["availability"], &quote["lines"][1]["name"]),
        (&json!("NOT_SOLD"), &json!("")),
        "{quote}"
    );
    let at = format!("/v1/products/{product}");
    staff.patch(&at, json!({ "status": "ACTIVE" })).await.expect(200);
    let placed = place(&customer, &lines, "tok_visa").await;
    assert_eq!(placed["state"], "CONFIRMED", "{placed}");
    staff.patch(&at, json!({ "status": "DRAFT", "name": "Secret" })).await.expect(200);
    let details = customer.get(&format!("/v1/orders/{}/details", id(&placed, "orderId"))).await.expect(200);
    assert_eq!(details["products"].as_array().map(Vec::len), Some(1), "{details}");
    assert!(!details.to_string().contains("Secret"), "{details}");
    history_keeps(stack, &customer, &placed, &product).await;
    order_with(&customer, &placed, "state", "CONFIRMED").await;
}

/// The history has heard that the product was created, published, and made a draft of another name, and shows none of it.
async fn history_keeps(stack: &Stack, customer: &Client, order: &Value, product: &str) {
    let products = stack.db("order-history").collection::<Document>("products");
    eventually(TIMEOUT, || async {
        let found = products.find_one(doc! { "_id": product, "seq": 3_i64 }).await?;
        ensure!(found.is_some(), "the history has not heard of the draft");
        Ok(())
    })
    .await;
    let path = format!("/v1/order-history/{}?minVersion={}", id(order, "orderId"), id(order, "version"));
    let entry = customer.get(&path).await.expect(200);
    assert_eq!(entry["renamedProducts"], json!({}), "{entry}");
    assert!(!entry.to_string().contains("Secret"), "{entry}");
}

#[tokio::test]
async fn a_hundred_products_as_large_as_they_may_be_are_read_quoted_and_ordered_at_once() {
    let stack = shared().await;
    let (staff, customer) = (Client::staff(stack).await, Client::register(stack).await.0);
    let category = staff.post("/v1/categories", json!({ "name": "Large" })).await.expect(201);
    // 2,048 bytes each.
    let mut media = vec![json!({ "uri": format!("https://example.com/{}", "a".repeat(2028)) }); 8];
    let names = ["a", "b", "c"].map(|name| format!("{name}{}", "\u{1d11e}".repeat(31)));
    let group = staff.post("/v1/product-groups", json!({ "name": "Large", "variesBy": names })).await.expect(201);
    let mut large = json!({
        "price": { "currencyCode": "EUR", "units": "5" }, "description": "\u{1d11e}".repeat(5000), "media": media,
        "categoryIds": [id(&category, "categoryId")], "taxCategory": "A".repeat(32), "weightGrams": 1,
        "groupId": id(&group, "groupId"),
    });
    let mut products = Vec::new();
    for number in 0..100 {
        let option = |name: &String| json!({ "name": name, "value": format!("{number:02}{}", "\u{1d11e}".repeat(62)) });
        large["options"] = names.iter().map(option).collect();
        products.push(product_with(stack, 1, large.clone()).await);
    }
    let at = format!("/v1/products/{}", products[0]);
    media.push(json!({ "uri": "https://example.com" }));
    let refused = staff.patch(&at, json!({ "media": media })).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["media".to_owned()]), "{refused:?}");
    let ids: Vec<String> = products.iter().map(|product| format!("productIds={product}")).collect();
    let read = customer.get(&format!("/v1/products:batchGet?{}", ids.join("&"))).await.expect(200);
    assert_eq!(read["products"].as_array().map(Vec::len), Some(100));
    let lines: Vec<(&str, i32)> = products.iter().map(|product| (product.as_str(), 1)).collect();
    let quote = customer.get(&format!("{}:quote", path(&basket(&customer, &lines).await))).await.expect(200);
    assert_eq!(quote["lines"].as_array().map(Vec::len), Some(100), "{quote}");
    let placed = place(&customer, &lines, "tok_visa").await;
    let details = customer.get(&format!("/v1/orders/{}/details", id(&placed, "orderId"))).await.expect(200);
    assert_eq!(details["products"].as_array().map(Vec::len), Some(100));
}

#[tokio::test]
async fn media_are_https_urls_with_a_text_in_their_order() {
    let stack = shared().await;
    let (staff, product) = (Client::staff(stack).await, kit::shop::product(stack, 0).await);
    let at = format!("/v1/products/{product}");
    let media = |uri: &str| json!({ "uri": uri, "altText": "A lamp, seen from the side" });
    let shown = json!([media("https://cdn.example.com/lamp.jpg?w=640#top"), media("https://example.com")]);
    assert_eq!(staff.patch(&at, json!({ "media": shown })).await.expect(200)["media"], shown);
    for wrong in [
        "http://example.com/lamp.jpg",
        "javascript:alert(1)",
        "https://",
        "https://user@example.com/",
        "//example.com",
        "https://example.com/a b",
        "data:image/png;base64,AA==",
        "",
    ] {
        let refused = staff.patch(&at, json!({ "media": [media("https://example.com"), media(wrong)] })).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["media[1].uri".to_owned()]), "{wrong:?} {refused:?}");
    }
    let many: Vec<Value> = (0..21).map(|_| media("https://example.com")).collect();
    assert_eq!(fields(&staff.patch(&at, json!({ "media": many })).await), ["media"]);
    assert_eq!(staff.get(&at).await.expect(200)["media"], shown);
    assert_eq!(staff.patch(&format!("{at}?updateMask=media"), json!({})).await.expect(200)["media"], json!([]));
}
