//! Lists of the history: what they find by user, state, time, product and words, and in which order.

use super::entries::entry;
use kit::shop::{fields, id, place_draft};
use kit::{Client, shared};
use serde_json::{Value, json};

/// A product of this name with stock.
async fn product(staff: &Client, name: &str, sku: &str) -> Value {
    let price = json!({ "currencyCode": "EUR", "units": "5" });
    let product = staff.post("/v1/products", json!({ "name": name, "sku": sku, "price": price })).await.expect(201);
    let path = format!("/v1/stock/{}:adjust", id(&product, "productId"));
    staff.post(&path, json!({ "delta": 9, "reason": "test" })).await.expect(200);
    product
}

/// Orders one of each product, and waits until it is in the history.
async fn placed(customer: &Client, products: &[&Value], token: &str) -> String {
    let items: Vec<Value> =
        products.iter().map(|product| json!({ "productId": product["productId"], "quantity": 1 })).collect();
    let address = json!({
        "name": "Test Customer", "line1": "1 Quay", "city": "Brest", "postalCode": "29200", "countryCode": "FR",
    });
    let body = json!({ "items": items, "shippingAddress": address, "paymentToken": token });
    let order = place_draft(customer, body).await;
    entry(customer, &order, |found| found["state"] == order["state"]).await;
    id(&order, "orderId").to_owned()
}

/// The orders that a list has with these parameters, in its order.
async fn listed(client: &Client, parameters: &str) -> Vec<String> {
    let page = client.get(&format!("/v1/order-history?{parameters}")).await.expect(200);
    page["orderHistories"].as_array().expect("a list").iter().map(|found| id(found, "orderId").to_owned()).collect()
}

#[tokio::test]
async fn a_list_has_what_all_of_its_parameters_say_newest_first() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (customer, user) = Client::register(stack).await;
    let word = format!("w{:012x}", rand::random::<u64>() >> 16);
    let pot = product(&staff, &format!("Théière {word}"), &format!("POT-{word}")).await;
    let lamp = product(&staff, "Große Lampe", &format!("LAMP-{word}/x")).await;
    let first = placed(&customer, &[&pot], "tok_visa").await;
    let refused = placed(&customer, &[&lamp], "tok_declined").await;
    let both = placed(&customer, &[&pot, &lamp], "tok_visa").await;
    let [pot, lamp] = [&pot, &lamp].map(|product| id(product, "productId"));
    let time = |order: &str| {
        let (customer, path) = (customer.clone(), format!("/v1/order-history/{order}"));
        async move { id(&customer.get(&path).await.expect(200), "createTime").to_owned() }
    };
    let (second_time, third_time) = (time(&refused).await, time(&both).await);
    let cases: [(String, Vec<&String>); 13] = [
        (String::new(), vec![&both, &refused, &first]),
        ("states=CONFIRMED".to_owned(), vec![&both, &first]),
        ("states=REJECTED&states=DELIVERED".to_owned(), vec![&refused]),
        (format!("productId={lamp}"), vec![&both, &refused]),
        (format!("productId={lamp}&states=CONFIRMED"), vec![&both]),
        (format!("startTime={second_time}"), vec![&both, &refused]),
        (format!("startTime={second_time}&endTime={third_time}"), vec![&refused]),
        (format!("endTime={second_time}&productId={lamp}"), vec![]),
        ("query=THEI".to_owned(), vec![&both, &first]),
        (format!("query=grosse%20lamp{word}X"), vec![&both, &refused]),
        (format!("query=lampe%20theiere&productId={pot}"), vec![&both]),
        ("query=samovar".to_owned(), vec![]),
        ("query=%E2%80%A6".to_owned(), vec![&both, &refused, &first]),
    ];
    for (parameters, expected) in cases {
        assert_eq!(listed(&customer, &parameters).await.iter().collect::<Vec<_>>(), expected, "{parameters}");
        let of_user = format!("userId={}&{parameters}", id(&user, "userId"));
        assert_eq!(listed(&staff, &of_user).await.iter().collect::<Vec<_>>(), expected, "staff: {of_user}");
    }
    assert_eq!(listed(&Client::support(stack).await, &format!("query=theiere%20{word}")).await, [both, first]);
}

#[tokio::test]
async fn a_customer_finds_nothing_of_others_whatever_the_parameters_say() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let ((customer, user), (stranger, _)) = (Client::register(stack).await, Client::register(stack).await);
    let sku = format!("OWN-{:016x}", rand::random::<u64>());
    let pot = product(&staff, "Teapot", &sku).await;
    let order = placed(&customer, &[&pot], "tok_visa").await;
    let own = [
        format!("userId={}", id(&user, "userId")),
        format!("query={sku}"),
        format!("productId={}", id(&pot, "productId")),
        "states=CONFIRMED".to_owned(),
    ];
    for parameters in own {
        assert_eq!(listed(&customer, &parameters).await, [order.as_str()], "{parameters}");
        assert_eq!(listed(&stranger, &parameters).await, [""; 0], "{parameters}");
    }
}

#[tokio::test]
async fn pages_go_on_where_they_ended_while_orders_come_and_only_for_their_own_list() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (customer, _) = Client::register(stack).await;
    let pot = product(&staff, "Teapot", &format!("PAGE-{:016x}", rand::random::<u64>())).await;
    let first = placed(&customer, &[&pot], "tok_visa").await;
    let second = placed(&customer, &[&pot], "tok_visa").await;
    let list = format!("/v1/order-history?pageSize=1&productId={}", id(&pot, "productId"));
    let page = customer.get(&list).await.expect(200);
    assert_eq!(id(&page["orderHistories"][0], "orderId"), second);
    let token = id(&page, "nextPageToken");
    placed(&customer, &[&pot], "tok_visa").await;
    let rest = customer.get(&format!("{list}&pageToken={token}")).await.expect(200);
    assert_eq!(id(&rest["orderHistories"][0], "orderId"), first);
    assert_eq!(rest["nextPageToken"], "");
    for other in ["&states=CONFIRMED", "&query=teapot", "&startTime=2020-01-01T00:00:00Z"] {
        let refused = customer.get(&format!("{list}{other}&pageToken={token}")).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["pageToken".to_owned()]), "{other}");
    }
    staff.get(&format!("{list}&pageToken={token}")).await.expect(400);
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_list_is_named() {
    let customer = Client::customer(shared().await).await;
    let words = "a%20b%20c%20d%20e%20f%20g%20h%20i%20j%20k";
    let cases = [
        (format!("query={words}"), "query"),
        ("startTime=2026-01-02T00:00:00Z&endTime=2026-01-02T00:00:00Z".to_owned(), "endTime"),
        ("startTime=2026-01-03T00:00:00Z&endTime=2026-01-02T00:00:00Z".to_owned(), "endTime"),
        ("startTime=yesterday".to_owned(), "startTime"),
        ("states=LOST".to_owned(), "states"),
        (format!("productId={}", "p".repeat(65)), "productId"),
        (format!("userId={}", "u".repeat(65)), "userId"),
        (["states=PENDING"; 17].join("&"), "states"),
    ];
    for (parameters, field) in cases {
        let refused = customer.get(&format!("/v1/order-history?{parameters}")).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{parameters}: {refused:?}");
    }
}
