//! A key names one request: its repeat has no further effect, and another request under it is refused, whoever keeps it.

use crate::orders::coupons::new_code;
use bson::{Document, doc};
use contracts::users::v1::{CreateUserRequest, user_service_client::UserServiceClient};
use kit::shop::{draft, fields, id, place, product, reason, stock};
use kit::{Client, DEMO_PASSWORD, Reply, Stack, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;

/// One request to be sent under a key.
struct Call<'a> {
    caller: &'a Client,
    method: Method,
    path: String,
}

impl Call<'_> {
    async fn send(&self, body: &Value, key: &str) -> Reply {
        let request = self.caller.request(self.method.clone(), &self.path).header("idempotency-key", key);
        reply(if body.is_null() { request } else { request.json(body) }).await
    }

    /// Sends `body` twice and `other` once, all under one key; answers what the first time was answered.
    async fn is_one_request(&self, body: Value, other: Value) -> Value {
        let key = format!("key-{:016x}", rand::random::<u64>());
        let first = self.send(&body, &key).await;
        assert!(matches!(first.status, 200 | 201), "{}: {first:?}", self.path);
        let again = self.send(&body, &key).await;
        assert_eq!((again.status, &again.body["etag"]), (first.status, &first.body["etag"]), "{}", self.path);
        let refused = self.send(&other, &key).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"), "{}", self.path);
        first.body
    }
}

fn post(caller: &Client, path: impl Into<String>) -> Call<'_> {
    Call { caller, method: Method::POST, path: path.into() }
}

fn patch(caller: &Client, path: impl Into<String>) -> Call<'_> {
    Call { caller, method: Method::PATCH, path: path.into() }
}

fn address() -> String {
    format!("key-{:016x}@example.com", rand::random::<u64>())
}

async fn stored(stack: &Stack, database: &str, collection: &str, id: &str) -> Document {
    let collection = stack.connect().await.database(database).collection::<Document>(collection);
    collection.find_one(doc! { "_id": id }).await.expect("mongod answers").expect("it is stored")
}

#[tokio::test]
async fn another_product_or_change_of_one_under_a_used_key_is_refused() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let sku = format!("KEY-{:016x}", rand::random::<u64>());
    let body = json!({ "name": "First", "sku": sku, "price": { "currencyCode": "EUR", "units": "5" } });
    let mut other = body.clone();
    other["price"]["units"] = json!("6");
    let made = post(&staff, "/v1/products").is_one_request(body, other).await;
    let path = format!("/v1/products/{}", id(&made, "productId"));
    let changed = patch(&staff, &path).is_one_request(json!({ "name": "Second" }), json!({ "name": "Third" })).await;
    assert_eq!(staff.get(&path).await.expect(200), changed, "what the first request did stays");
    assert_eq!((&changed["name"], &changed["price"]["units"]), (&json!("Second"), &json!("5")));
}

#[tokio::test]
async fn a_change_that_found_nothing_to_change_keeps_its_key_and_the_version() {
    let stack = shared().await;
    let (staff, product) = (Client::staff(stack).await, product(stack, 0).await);
    let path = format!("/v1/products/{product}");
    let before = staff.get(&path).await.expect(200);
    let same = patch(&staff, &path).is_one_request(json!({ "name": before["name"] }), json!({ "name": "New" })).await;
    assert_eq!((&same, &staff.get(&path).await.expect(200)), (&before, &before));
    let change = patch(&staff, &path);
    change.send(&json!({ "name": before["name"] }), "late").await.expect(200);
    staff.patch(&path, json!({ "name": "Changed since" })).await.expect(200);
    let late = change.send(&json!({ "name": before["name"] }), "late").await.expect(200);
    assert_eq!(late["name"], "Changed since", "a late repeat does not undo what others did meanwhile");
}

#[tokio::test]
async fn another_coupon_or_end_of_one_under_a_used_key_is_refused() {
    let stack = shared().await;
    let (staff, code) = (Client::staff(stack).await, new_code());
    let body = json!({ "code": code, "percentage": "10" });
    post(&staff, "/v1/coupons").is_one_request(body.clone(), json!({ "code": code, "percentage": "20" })).await;
    post(&staff, "/v1/coupons")
        .is_one_request(
            json!({ "code": new_code(), "percentage": "10" }),
            json!({ "code": new_code(), "percentage": "10" }),
        )
        .await;
    let end = post(&staff, format!("/v1/coupons/{code}:disable"));
    let ended = end.is_one_request(json!({}), json!({ "etag": "1" })).await;
    assert_eq!((&ended["state"], &ended["percentage"]), (&json!("DISABLED"), &json!("10")));
}

#[tokio::test]
async fn another_movement_of_stock_under_a_used_key_is_refused_and_moves_nothing() {
    let stack = shared().await;
    let (staff, product) = (Client::staff(stack).await, product(stack, 5).await);
    let adjust = post(&staff, format!("/v1/stock/{product}:adjust"));
    let body = json!({ "delta": 3, "reason": "delivery" });
    adjust.is_one_request(body.clone(), json!({ "delta": 4, "reason": "delivery" })).await;
    assert_eq!(stock(stack, &product).await, [8, 0, 0, 8]);
    adjust.is_one_request(body, json!({ "delta": 3, "reason": "found" })).await;
    assert_eq!(stock(stack, &product).await, [11, 0, 0, 11]);
    let backorder = post(&staff, format!("/v1/stock/{product}:setBackorder"));
    backorder.is_one_request(json!({ "allowed": true }), json!({ "allowed": false })).await;
    let shown = staff.get(&format!("/v1/stock/{product}")).await.expect(200);
    assert_eq!(shown["backorder"], true);
}

#[tokio::test]
async fn another_wish_to_cancel_under_a_used_key_is_refused_and_the_first_stays() {
    let stack = shared().await;
    let (customer, product) = (Client::register(stack).await.0, product(stack, 5).await);
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let path = format!("/v1/orders/{}:cancel", id(&order, "orderId"));
    let cancel = post(&customer, path.clone());
    cancel.send(&json!({ "reason": "TOO_LATE" }), "cancel").await.expect(200);
    let other = cancel.send(&json!({ "reason": "FOUND_CHEAPER" }), "cancel").await;
    assert_eq!((other.status, reason(&other).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
    cancel.send(&json!({ "reason": "TOO_LATE" }), "cancel").await.expect(200);
    cancel.send(&json!({ "reason": "FOUND_CHEAPER" }), "another").await.expect(200);
    let order = customer.get(path.trim_end_matches(":cancel")).await.expect(200);
    let history = order["history"].to_string();
    assert!(history.contains("TOO_LATE") && !history.contains("FOUND_CHEAPER"), "{history}");
}

#[tokio::test]
async fn another_registration_change_or_end_of_an_account_under_a_used_key_is_refused() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let body = json!({ "email": address(), "name": "Ada", "password": DEMO_PASSWORD });
    let mut other = body.clone();
    other["name"] = json!("Grace");
    let made = post(&anonymous, "/v1/users").is_one_request(body, other).await;
    assert_eq!(made["name"], "Ada");
    let (me, user) = Client::register(stack).await;
    let path = format!("/v1/users/{}", id(&user, "userId"));
    let changed = patch(&me, &path).is_one_request(json!({ "name": "New" }), json!({ "name": "Newer" })).await;
    // By staff: the tokens of an account end with it.
    let staff = Client::staff(stack).await;
    let end = |etag: &Value| {
        let path = format!("{path}?etag={}", etag.as_str().expect("an etag"));
        Call { caller: &staff, method: Method::DELETE, path }
    };
    end(&changed["etag"]).send(&Value::Null, "end").await.expect(200);
    end(&changed["etag"]).send(&Value::Null, "end").await.expect(200);
    let refused = end(&user["etag"]).send(&Value::Null, "end").await;
    assert_eq!((refused.status, reason(&refused).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"));
}

#[tokio::test]
async fn no_password_is_in_the_digest_of_a_registration_and_an_erased_account_has_none() {
    let stack = shared().await;
    let (anonymous, email, key) = (Client::anonymous(stack), address(), "the registration");
    let body = json!({ "email": email, "name": "Ada", "password": DEMO_PASSWORD, "requestId": key });
    let staff = Client::staff(stack).await;
    let user = staff.post("/v1/users", body).await.expect(201);
    let user_id = id(&user, "userId");
    let without_password =
        CreateUserRequest { email: email.clone(), name: "Ada".into(), request_id: key.into(), ..Default::default() };
    let account = stored(stack, "users", "users", user_id).await;
    assert_eq!(account.get_str("request_digest").unwrap(), store::request_key::digest(&without_password));
    let path = format!("/v1/users/{user_id}");
    patch(&staff, &path).send(&json!({ "name": "Augusta" }), "a change").await.expect(200);
    assert_eq!(stored(stack, "users", "users", user_id).await.get_array("requests").unwrap().len(), 1);
    Call { caller: &staff, method: Method::DELETE, path }.send(&Value::Null, "the end").await.expect(200);
    let erased = stored(stack, "users", "users", user_id).await;
    let requests = erased.get_array("requests").unwrap();
    assert!(requests.len() == 1 && requests[0].to_string().contains("the end"), "{requests:?}");
    assert_eq!(erased.get_str("request_digest").unwrap(), "");
    anonymous.post("/v1/users", json!({ "email": email, "name": "Ada", "password": DEMO_PASSWORD })).await.expect(201);
}

#[tokio::test]
async fn a_product_of_before_digests_answers_any_request_of_its_key_as_before() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let sku = format!("OLD-{:016x}", rand::random::<u64>());
    let body = |name: &str| json!({ "name": name, "sku": sku, "price": { "currencyCode": "EUR", "units": "5" } });
    let key = format!("old-{sku}");
    let made = staff.post_with_key("/v1/products", body("First"), &key).await.expect(201);
    let products = stack.connect().await.database("products").collection::<Document>("products");
    let older = doc! { "$unset": { "request_digest": "" } };
    products.update_one(doc! { "_id": id(&made, "productId") }, older).await.expect("mongod answers");
    let again = staff.post_with_key("/v1/products", body("Other"), &key).await.expect(201);
    assert_eq!(again, made);
}

#[tokio::test]
async fn an_empty_or_blank_key_is_refused_everywhere_and_nothing_is_done() {
    let stack = shared().await;
    let (staff, product) = (Client::staff(stack).await, product(stack, 5).await);
    let (customer, _) = Client::register(stack).await;
    let calls = [
        (post(&customer, "/v1/orders"), draft(&[(&product, 1)], "tok_visa")),
        (post(&staff, format!("/v1/stock/{product}:adjust")), json!({ "delta": 3, "reason": "test" })),
        (post(&staff, "/v1/coupons"), json!({ "code": new_code(), "percentage": "10" })),
        (patch(&staff, format!("/v1/products/{product}")), json!({ "name": "Blank" })),
        (post(&staff, "/v1/shipments/shp_none:dispatch"), json!({})),
        (post(&customer, "/v1/orders:quote"), json!({ "items": [], "countryCode": "FR" })),
    ];
    for (call, body) in &calls {
        for key in ["", "   ", "\t"] {
            let refused = call.send(body, key).await;
            assert_eq!((refused.status, fields(&refused)), (400, vec!["idempotency-key".to_owned()]), "{}", call.path);
        }
    }
    for (path, mut body) in [
        (format!("/v1/stock/{product}:adjust"), json!({ "delta": 3, "reason": "test" })),
        ("/v1/shipments/shp_none:dispatch".to_owned(), json!({})),
        ("/v1/coupons/NONE:disable".to_owned(), json!({})),
    ] {
        body["requestId"] = json!(" \u{a0} ");
        let refused = staff.post(&path, body).await;
        assert!(refused.status == 400 && fields(&refused)[0].contains("request"), "{path}: {refused:?}");
    }
    assert_eq!(stock(stack, &product).await, [5, 0, 0, 5]);
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
}

#[tokio::test]
async fn a_blank_key_is_refused_over_grpc_with_its_field_at_fault() {
    let stack = shared().await;
    let channel = rpc::Channel::new(stack.grpc("users"), None).expect("an address");
    let mut users = UserServiceClient::new(channel);
    let (name, password) = ("Ada".to_owned(), DEMO_PASSWORD.to_owned());
    for request_id in [" ", "\t", "\n \r", "\u{2003}"] {
        let (request_id, name, password) = (request_id.to_owned(), name.clone(), password.clone());
        let request = CreateUserRequest { email: address(), name, password, request_id, ..Default::default() };
        let refused = users.create_user(request).await.expect_err("a key of blanks");
        assert!(refused.code() == Code::InvalidArgument && refused.message().contains("request_id"), "{refused:?}");
    }
    let request = CreateUserRequest { email: address(), name, password, ..Default::default() };
    users.create_user(request).await.expect("without a key it is a request like any other");
}
