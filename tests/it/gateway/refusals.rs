//! Refusals as a caller reads them: the field once, by the name that was sent, and one form of what was not found.

use kit::shop::{fields, place, product, reason};
use kit::{Client, Reply, shared};
use serde_json::{Value, json};
use std::collections::HashMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

fn message(reply: &Reply) -> &str {
    reply.body["message"].as_str().unwrap_or_default()
}

fn resource(reply: &Reply) -> Value {
    let details = reply.body["details"].as_array().cloned().unwrap_or_default();
    let info = details.into_iter().find(|detail| detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo");
    info.map_or(Value::Null, |info| info["metadata"]["resource"].clone())
}

#[tokio::test]
async fn what_was_not_found_is_named_by_its_collection_everywhere() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let collections = ["products", "reservations", "orders", "coupons", "payments", "shipments", "users"];
    for collection in collections.into_iter().chain(["order-history"]) {
        let absent = staff.get(&format!("/v1/{collection}/ABSENT")).await;
        let name = format!("{collection}/ABSENT");
        assert_eq!((absent.status, resource(&absent)), (404, json!(name)), "{absent:?}");
        assert_eq!(message(&absent), format!("{name:?} was not found"));
    }
    let several = staff.get("/v1/products:batchGet?productIds=prd_a&productIds=prd_b").await;
    assert_eq!((several.status, resource(&several)), (404, json!("products/prd_a,products/prd_b")));
    let stock = staff.get("/v1/stock/ABSENT").await;
    assert_eq!((stock.status, resource(&stock)), (404, json!("products/ABSENT")), "it is the product that is absent");
    let saga = staff.get("/v1/sagas/ord_a").await;
    assert_eq!((saga.status, resource(&saga)), (404, json!("orders/ord_a")));
    let (customer, _) = Client::register(stack).await;
    let hidden = place(&customer, &[(&product(stack, 1).await, 1)], "tok_visa").await["orderId"].clone();
    let (stranger, _) = Client::register(stack).await;
    let hidden = format!("orders/{}", hidden.as_str().expect("an id"));
    assert_eq!(resource(&stranger.get(&format!("/v1/{hidden}")).await), json!(hidden));
}

#[tokio::test]
async fn a_fault_names_its_field_once_and_as_it_was_sent() {
    let stack = shared().await;
    let (staff, (customer, _)) = (Client::staff(stack).await, Client::register(stack).await);
    let address = json!({ "name": "A", "line1": "B", "city": "C", "postalCode": "1", "countryCode": "FR" });
    let sold = product(stack, 1).await;
    let order =
        json!({ "items": [{ "productId": sold, "quantity": 1 }], "shippingAddress": address, "paymentToken": "x" });
    let euros = |units: &str| json!({ "currencyCode": "EUR", "units": units });
    let coupon = |amount: Value| json!({ "code": "WORDS1", "amount": amount });
    let product = |price: Value| json!({ "name": "x", "sku": "x", "price": price });
    for (client, path, body, field) in [
        (&customer, "/v1/orders", order, "shippingAddress.postalCode"),
        (
            &customer,
            "/v1/orders:quote",
            json!({ "items": [{ "productId": "no", "quantity": 1 }], "countryCode": "FR" }),
            "items[0].productId",
        ),
        (&staff, "/v1/products", product(euros("9223372036854775807000")), "price.units"),
        (&staff, "/v1/products", product(json!({ "currencyCode": "EUR", "units": "1", "nanos": 1 })), "price"),
        (&staff, "/v1/products", product(euros("-1")), "price"),
        (&staff, "/v1/coupons", coupon(euros("0")), "amount"),
        (&staff, "/v1/products", json!(null), ""),
        (&staff, "/v1/users", json!({ "email": "none", "name": "x", "password": "long enough" }), "email"),
    ] {
        let refused = client.post(path, body.clone()).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{path} {body}: {refused:?}");
        let named = if field.is_empty() { "body" } else { field };
        let what = message(&refused).strip_prefix(named).and_then(|rest| rest.strip_prefix(": "));
        let last = named.rsplit('.').next().expect("a name");
        assert!(what.is_some_and(|what| !what.starts_with(last)), "{path} {body}: {refused:?}");
    }
    let query = customer.get("/v1/orders?pageSize=-1").await;
    assert_eq!((fields(&query), message(&query)), (vec!["pageSize".into()], "pageSize: must be at least 0"));
    let key = "k".repeat(200);
    let long = staff.post_with_key("/v1/coupons", coupon(euros("1")), &key).await;
    assert_eq!((long.status, fields(&long)), (400, vec!["idempotency-key".to_owned()]), "{long:?}");
    let parameter = staff.post(&format!("/v1/coupons?requestId={key}"), coupon(euros("1"))).await;
    assert_eq!((reason(&parameter).as_str(), fields(&parameter)), ("INVALID_FIELD", vec!["requestId".to_owned()]));
}

#[tokio::test]
async fn over_grpc_a_fault_has_the_names_of_the_contract() {
    use contracts::users::v1::{CreateUserRequest, Profile, user_service_client::UserServiceClient};
    let stack = shared().await;
    let channel = rpc::Channel::new(stack.grpc("users"), None).expect("an address");
    let profile = Some(Profile { bio: "x".repeat(2_001), ..Default::default() });
    let refused =
        UserServiceClient::new(channel).create_user(CreateUserRequest { profile, ..Default::default() }).await;
    let refused = refused.expect_err("the biography is too long");
    assert!(refused.message().contains("profile.bio: may have at most 2000 characters"), "{refused:?}");
}

#[test]
fn renaming_fields_keeps_everything_else_of_a_status() {
    let violations = |at: &str| {
        let mut details = ErrorDetails::with_error_info("INVALID_FIELD", "comptoir", HashMap::new());
        details.set_retry_info(Some(std::time::Duration::from_secs(2)));
        details.add_bad_request_violation(at, "is too long").add_bad_request_violation("", "is required");
        details
    };
    let renamed = |message: &str| {
        let status = Status::with_error_details(Code::InvalidArgument, message, violations("a.b_c"));
        rpc::status::renamed(status, |field| field.replace("a.b_c", "bC"))
    };
    let told = renamed("a.b_c: is too long; body: is required");
    assert_eq!((told.code(), told.message()), (Code::InvalidArgument, "bC: is too long; body: is required"));
    assert_eq!(format!("{:?}", told.get_error_details()), format!("{:?}", violations("bC")));
    assert_eq!(renamed("in other words").message(), "in other words");
    let bare = rpc::status::renamed(Status::not_found("gone"), |_| "x".to_owned());
    assert_eq!((bare.code(), bare.message()), (Code::NotFound, "gone"));
}
