//! Bad input gets the right 4xx with the field at fault, and changes nothing.

use kit::shop::{draft, fields, id, place, product, reason, stock};
use kit::{Client, Reply, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

async fn order(customer: &Client, change: impl FnOnce(&mut Value)) -> Reply {
    let mut body = draft(&[("prd_0", 1)], "tok_visa");
    change(&mut body);
    customer.post("/v1/orders", body).await
}

#[tokio::test]
async fn a_bad_order_is_refused_with_the_field_at_fault_and_changes_nothing() {
    let stack = shared().await;
    let sold = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let quantity = |quantity: Value| {
        let (customer, sold) = (customer.clone(), sold.clone());
        async move { order(&customer, |body| body["items"][0] = json!({ "productId": sold, "quantity": quantity })).await }
    };
    for bad in [json!(0), json!(-1), json!(10_001)] {
        let refused = quantity(bad.clone()).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["items[0].quantity".to_owned()]), "{bad}");
    }
    for bad in [json!(1.5), json!("two"), json!({ "$gt": 0 }), json!([1])] {
        let refused = quantity(bad.clone()).await;
        assert_eq!(refused.status, 400, "{bad}: {refused:?}");
        assert!(fields(&refused)[0].contains("quantity"), "{bad}: {refused:?}");
    }
    let unknown = order(&customer, |_| {}).await;
    assert_eq!((unknown.status, fields(&unknown)), (400, vec!["items[0].productId".to_owned()]), "{unknown:?}");
    let operator = order(&customer, |body| body["items"][0]["productId"] = json!({ "$gt": "" })).await;
    assert_eq!(operator.status, 400);
    let too_many = order(&customer, |body| {
        body["items"] = json!([{ "productId": sold, "quantity": 6000 }, { "productId": sold, "quantity": 6000 }]);
    })
    .await;
    assert_eq!((too_many.status, fields(&too_many)), (400, vec!["items".to_owned()]));
    let empty = order(&customer, |body| body["items"] = json!([])).await;
    assert_eq!((empty.status, fields(&empty)), (400, vec!["items".to_owned()]));
    let priced = order(&customer, |body| body["items"][0]["price"] = json!({ "units": "0" })).await;
    assert_eq!((priced.status, reason(&priced).as_str()), (400, "UNKNOWN_FIELD"));
    let no_address = order(&customer, |body| body["shippingAddress"] = Value::Null).await;
    assert_eq!((no_address.status, fields(&no_address)), (400, vec!["shippingAddress".to_owned()]));
    let country = order(&customer, |body| body["shippingAddress"]["countryCode"] = json!("France")).await;
    assert_eq!((country.status, fields(&country)), (400, vec!["shippingAddress.countryCode".to_owned()]));
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
    assert_eq!(stock(stack, &sold).await, [5, 0, 0, 5]);
}

#[tokio::test]
async fn products_priced_in_two_currencies_cannot_be_one_order() {
    let stack = shared().await;
    let euros = product(stack, 5).await;
    let staff = Client::staff(stack).await;
    let body = json!({
        "name": "Priced in yen", "sku": format!("YEN-{:016x}", rand::random::<u64>()),
        "price": { "currencyCode": "JPY", "units": "900" },
    });
    let yen = staff.post("/v1/products", body).await.expect(201);
    let (customer, _) = Client::register(stack).await;
    let mixed = customer.post("/v1/orders", draft(&[(&euros, 1), (id(&yen, "productId"), 1)], "tok_visa")).await;
    assert_eq!((mixed.status, fields(&mixed)), (400, vec!["items".to_owned()]));
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
}

#[tokio::test]
async fn a_price_finer_than_its_currency_or_below_zero_is_refused() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    for price in [
        json!({ "currencyCode": "JPY", "units": "9", "nanos": 500_000_000 }),
        json!({ "currencyCode": "EUR", "units": "9", "nanos": 1 }),
        json!({ "currencyCode": "EUR", "units": "-1" }),
        json!({ "currencyCode": "EUR", "units": "1", "nanos": -5 }),
        json!({ "currencyCode": "euro", "units": "1" }),
    ] {
        let body = json!({ "name": "x", "sku": format!("BAD-{:016x}", rand::random::<u64>()), "price": price });
        let refused = staff.post("/v1/products", body).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["price".to_owned()]), "{price}");
    }
}

#[tokio::test]
async fn malformed_json_and_other_bodies_are_refused() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let post = |body: Vec<u8>, kind: &'static str| {
        reply(customer.request(Method::POST, "/v1/orders").header("content-type", kind).body(body))
    };
    let broken = post(b"{\"items\": [".to_vec(), "application/json").await;
    assert_eq!((broken.status, reason(&broken).as_str()), (400, "MALFORMED_JSON"));
    assert_eq!(post(b"{}".to_vec(), "text/plain").await.status, 415);
    let large = post(vec![b' '; 2 * 1024 * 1024], "application/json").await;
    assert_eq!(large.status, 413);
    let deep = post([b"[".repeat(100_000), b"]".repeat(100_000)].concat(), "application/json").await;
    assert_eq!(deep.status, 400);
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
}

#[tokio::test]
async fn a_missing_forged_or_expired_token_is_unauthenticated() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let missing = anonymous.get("/v1/orders").await;
    assert_eq!((missing.status, &missing.body["code"]), (401, &json!(16)));
    assert!(missing.headers["www-authenticate"].to_str().expect("text").starts_with("Bearer"));
    let key = std::fs::read_to_string(stack.data().join("keys").join("user-tokens.pem")).expect("the key file");
    let signer = rpc::Signer::new(rpc::token::USER_TOKENS, &key).expect("a key");
    let expired = signer.user_token("usr_1", &[], Duration::ZERO).expect("signs");
    for token in [expired.as_str(), "not.a.token", &format!("{expired}x")] {
        let refused = anonymous.with_token(Some(token)).post("/v1/orders", draft(&[("prd_1", 1)], "tok_visa")).await;
        assert_eq!(refused.status, 401, "{token}");
    }
    let service_key = std::fs::read_to_string(stack.data().join("keys").join("orders.pem")).expect("the key file");
    let forged = rpc::Signer::new("orders", &service_key).expect("a key");
    let forged = forged.user_token("usr_1", &["staff".to_owned()], Duration::from_secs(60)).expect("signs");
    assert_eq!(anonymous.with_token(Some(&forged)).get("/v1/orders").await.status, 401);
}

#[tokio::test]
async fn customers_cannot_do_what_staff_do() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let (customer, _) = Client::register(stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    for (path, body) in [
        ("/v1/products".to_owned(), json!({ "name": "x", "sku": "x", "price": { "currencyCode": "EUR" } })),
        (format!("/v1/stock/{product}:adjust"), json!({ "delta": 5, "reason": "mine" })),
        (format!("/v1/shipments/{}:dispatch", id(&order, "shipmentId")), json!({})),
    ] {
        assert_eq!(customer.post(&path, body).await.status, 403, "{path}");
    }
    assert_eq!(stock(stack, &product).await, [5, 0, 1, 4]);
}

#[tokio::test]
async fn internal_rpcs_cannot_be_reached_by_users() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    for path in ["/comptoir.inventory.v1.InventoryService/HoldStock", "/v1/users/..%2Fhealth", "/v1/reservations"] {
        let status = staff.post(path, json!({})).await.status;
        assert!((400..500).contains(&status), "{path}: {status}");
    }
}

#[tokio::test]
async fn taking_more_than_there_is_is_refused() {
    let stack = shared().await;
    let product = product(stack, 5).await;
    let staff = Client::staff(stack).await;
    let adjust = |delta: i64| {
        let (staff, path) = (staff.clone(), format!("/v1/stock/{product}:adjust"));
        async move { staff.post(&path, json!({ "delta": delta, "reason": "count" })).await }
    };
    let below = adjust(-6).await;
    assert_eq!((below.status, reason(&below).as_str()), (400, "STOCK_BELOW_ZERO"));
    let zero = adjust(0).await;
    assert_eq!((zero.status, fields(&zero)), (400, vec!["delta".to_owned()]));
    assert_eq!(stock(stack, &product).await, [5, 0, 0, 5]);
    assert_eq!(adjust(-5).await.expect(200)["available"], 0);
}

#[tokio::test]
async fn a_repeated_update_with_its_key_and_old_etag_answers_without_a_second_change() {
    let stack = shared().await;
    let product = product(stack, 0).await;
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{product}");
    let rename = |name: &str, key: &'static str| {
        let request = staff.request(Method::PATCH, &path).header("idempotency-key", key);
        reply(request.json(&json!({ "name": name, "etag": "1" })))
    };
    let first = rename("First", "key-1").await.expect(200);
    assert_eq!((&first["name"], &first["etag"]), (&json!("First"), &json!("2")));
    assert_eq!(rename("First", "key-1").await.expect(200), first);
    let stale = rename("Second", "key-2").await;
    assert_eq!((stale.status, reason(&stale).as_str()), (409, "STALE_ETAG"));
    assert_eq!(staff.get(&path).await.expect(200)["name"], "First");
}
