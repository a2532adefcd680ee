//! The transcoder on the real contracts: routes, binding, strictness, masks, replies, statuses.

mod differential;
mod echo;
mod envoy;
mod generate;
mod headers;
mod http_rules;
mod malformed;
mod replies;
mod routes;
mod tables;
mod words;
mod zoo;

use crate::{Body, BuildError, Error, Parts, Reason, Router, http_status, oauth_json};
use contracts::{
    google::r#type::Money, inventory::v1 as inventory, orderhistory::v1 as history, orders::v1 as orders,
    products::v1 as products, users::v1 as users,
};
use proptest::prelude::*;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use routes::own_router;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::LazyLock, time::Duration};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

static ROUTER: LazyLock<Router> = LazyLock::new(|| Router::from_descriptors(contracts::DESCRIPTORS).unwrap());

fn rpc(method: &str, path: &str) -> String {
    ROUTER.find(method, path).unwrap().route.rpc.name.clone()
}

/// The request message for a call, or its faults as (field, reason).
fn bind<M: Message + Default>(
    method: &str,
    path: &str,
    parts: Parts<'_>,
) -> Result<(M, Duration), Vec<(String, Reason)>> {
    let faults = |error: Error| -> Vec<(String, Reason)> {
        match error {
            Error::Invalid(violations) => violations.into_iter().map(|one| (one.field, one.reason)).collect(),
            other => panic!("{other}"),
        }
    };
    let request = ROUTER.find(method, path).and_then(|found| found.request(parts)).map_err(faults)?;
    Ok((M::decode(request.message).unwrap(), request.wait))
}

fn json_body(body: &str) -> Parts<'_> {
    Parts { body: Body::Json(body.as_bytes()), ..Parts::default() }
}

fn query(query: &str) -> Parts<'_> {
    Parts { query, ..Parts::default() }
}

fn fault(field: &str, reason: Reason) -> Vec<(String, Reason)> {
    vec![(field.to_owned(), reason)]
}

fn reply<M: Message>(method: &str, path: &str, message: &M) -> Value {
    let route = ROUTER.find(method, path).unwrap().route;
    serde_json::from_slice(&route.response(&message.encode_to_vec()).unwrap()).unwrap()
}

#[test]
fn the_whole_body_and_the_path_make_one_message() {
    let parts = json_body(r#"{"delta": -3, "reason": "broken"}"#);
    let (request, _) = bind::<inventory::AdjustStockRequest>("POST", "/v1/stock/prd_1:adjust", parts).unwrap();
    assert_eq!((request.product_id.as_str(), request.delta, request.reason.as_str()), ("prd_1", -3, "broken"));
    let (empty, _) = bind::<orders::CancelOrderRequest>("POST", "/v1/orders/o:cancel", Parts::default()).unwrap();
    assert_eq!(empty, orders::CancelOrderRequest { order_id: "o".into(), ..Default::default() });
}

#[test]
fn both_spellings_of_a_name_are_accepted_and_query_and_body_combine() {
    let body = r#"{"items": [{"productId": "p", "quantity": 2}, {"product_id": "q", "quantity": "3"}],
                   "shippingAddress": {"name": "A", "line1": "B"}, "payment_token": "tok_visa"}"#;
    let parts = Parts { query: "wait=5s", idempotency_key: Some("key-1"), ..json_body(body) };
    let (request, wait) = bind::<orders::CreateOrderRequest>("POST", "/v1/orders", parts).unwrap();
    let order = request.order.unwrap();
    assert_eq!(order.items.iter().map(|item| item.quantity).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(order.items[1].product_id, "q");
    assert_eq!(order.shipping_address.unwrap().line1, "B");
    assert_eq!((request.request_id.as_str(), request.wait.unwrap().seconds), ("key-1", 5));
    assert_eq!(wait, Duration::from_secs(5));
}

#[test]
fn a_field_that_is_bound_twice_is_refused() {
    let twice = |field: &str| Err(fault(field, Reason::BoundTwice));
    let cancel = |parts| bind::<orders::CancelOrderRequest>("POST", "/v1/orders/o:cancel", parts).map(|_| ());
    assert_eq!(cancel(json_body(r#"{"orderId": "p"}"#)), twice("orderId"));
    assert_eq!(cancel(query("order_id=p")), twice("orderId"));
    let key = Parts { idempotency_key: Some("a"), ..json_body(r#"{"requestId": "b"}"#) };
    assert_eq!(cancel(key), twice("requestId"));
    assert_eq!(cancel(json_body(r#"{"reason": "a", "reason": "a"}"#)), twice("reason"));
    assert_eq!(cancel(json_body(r#"{"reason": null, "reason": "a"}"#)), twice("reason"));
    let create = |parts| bind::<users::CreateUserRequest>("POST", "/v1/users", parts).map(|_| ());
    assert_eq!(create(json_body(r#"{"requestId": "a", "request_id": "a"}"#)), twice("requestId"));
    let list = |parts| bind::<products::ListProductsRequest>("GET", "/v1/products", parts).map(|_| ());
    assert_eq!(list(query("pageSize=1&page_size=1")), twice("pageSize"));
    let update = |parts| bind::<users::UpdateUserRequest>("PATCH", "/v1/users/usr_1", parts).map(|_| ());
    assert_eq!(update(json_body(r#"{"userId": "usr_2"}"#)), twice("userId"));
}

#[test]
fn unknown_keys_and_parameters_are_told_with_their_paths_all_at_once() {
    let body = r#"{"items": [{"productId": "p", "price": 1}], "coupon": "x", "shippingAddress": {"zip": "1"}}"#;
    let parts = Parts { query: "debug=1&order.paymentToken=t", ..json_body(body) };
    let mut found = bind::<orders::CreateOrderRequest>("POST", "/v1/orders", parts).unwrap_err();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let expected = [
        ("coupon", Reason::UnknownField),
        ("debug", Reason::UnknownQueryParameter),
        ("items[0].price", Reason::UnknownField),
        ("paymentToken", Reason::UnknownQueryParameter),
        ("shippingAddress.zip", Reason::UnknownField),
    ];
    assert_eq!(found, expected.map(|(field, reason)| (field.to_owned(), reason)));
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_path() {
    let body = r#"{"items": [{"quantity": 1.5}, {"quantity": 3000000000}, 7], "paymentToken": {"$gt": ""}}"#;
    let found = bind::<orders::CreateOrderRequest>("POST", "/v1/orders", json_body(body)).unwrap_err();
    let fields: Vec<&str> = found.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["items[0].quantity", "items[1].quantity", "items[2]", "paymentToken"]);
    assert!(found.iter().all(|(_, reason)| *reason == Reason::InvalidValue));
}

#[test]
fn malformed_json_is_told_with_line_and_column() {
    for body in ["{\n  \"email\": }", "[1]x", "{", "nul", "\u{feff}{}", &"[".repeat(200)] {
        let error = ROUTER.find("POST", "/v1/users").unwrap().request(json_body(body)).unwrap_err();
        let details = error.status().get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "MALFORMED_JSON", "{body}");
        let description = &details.bad_request().unwrap().field_violations[0].description;
        assert!(description.contains("line ") && description.contains("column "), "{description}");
    }
    let found = bind::<users::CreateUserRequest>("POST", "/v1/users", json_body("[]")).unwrap_err();
    assert_eq!(found, fault("", Reason::InvalidValue));
    let found = bind::<users::GetUserRequest>("GET", "/v1/users/u", json_body("{}")).unwrap_err();
    assert_eq!(found, fault("", Reason::UnexpectedBody));
}

#[test]
fn queries_bind_repeated_fields_and_texts_with_spaces() {
    let (request, _) = bind::<products::BatchGetProductsRequest>(
        "GET",
        "/v1/products:batchGet",
        query("productIds=a+b&product_ids=c%2B"),
    )
    .unwrap();
    assert_eq!(request.product_ids, ["a b", "c+"]);
    let found = bind::<products::ListProductsRequest>("GET", "/v1/products", query("pageSize=many")).unwrap_err();
    assert_eq!(found, fault("pageSize", Reason::InvalidValue));
}

#[test]
fn ignored_parameters_are_skipped_where_they_are_no_fields() {
    let ignored = ["page_*".to_owned(), "x".to_owned()];
    let list = |query| {
        let parts = Parts { query, ignored_parameters: &ignored, ..Parts::default() };
        bind::<products::ListProductsRequest>("GET", "/v1/products", parts).map(|(request, _)| request)
    };
    assert_eq!(list("page_size=3&page_view=%&X=1&x").unwrap().page_size, 3);
    assert_eq!(list("page_size=many").unwrap_err(), fault("pageSize", Reason::InvalidValue));
    assert_eq!(list("xx=1").unwrap_err(), fault("xx", Reason::UnknownQueryParameter));
    assert_eq!(list("other=%").unwrap_err(), fault("query", Reason::InvalidValue));
}

#[test]
fn queries_bind_nested_messages_enums_booleans_and_well_known_types() {
    let parts = |query| Parts { query, body: Body::Json(b"{}"), ..Parts::default() };
    let (request, _) =
        bind::<users::UpdateUserRequest>("PATCH", "/v1/users/u", parts("updateMask=name,profile.bio")).unwrap();
    assert_eq!(request.update_mask.unwrap().paths, ["name", "profile.bio"]);
    let router = own_router(json!({"get": "/x"}));
    let text = "inner.flag=true&inner.level=HIGH&level=1&time=2026-01-02T03:04:05Z&big=9223372036854775807&some=1.5s";
    let found = router.find("GET", "/x").unwrap();
    let request = found.request(query(text)).unwrap();
    let echoed: Value = serde_json::from_slice(&found.route.response(&request.message).unwrap()).unwrap();
    let expected = json!({"inner": {"flag": true, "level": "HIGH"}, "level": "HIGH", "time": "2026-01-02T03:04:05Z",
                          "big": "9223372036854775807", "some": "1.500s", "name": "", "path": ""});
    assert_eq!(echoed, expected);
    assert_eq!(request.wait, Duration::from_millis(1500));
    for bad in ["inner=1", "inner.flag=yes", "inner.flag.x=1", "level=LOW2", "time=yesterday", "big=1e30"] {
        assert!(matches!(found.request(query(bad)), Err(Error::Invalid(_))), "{bad}");
    }
}

#[test]
fn a_patch_without_a_mask_updates_what_its_body_mentions() {
    let mask = |path, body| {
        let (request, _) = bind::<users::UpdateUserRequest>("PATCH", path, json_body(body)).unwrap();
        request.update_mask.map(|mask| mask.paths)
    };
    let body = r#"{"name": "N", "profile": {"bio": null, "avatar": "a"}, "preferences": {}, "etag": "7"}"#;
    let mut paths = mask("/v1/users/u", body).unwrap();
    paths.sort();
    assert_eq!(paths, ["name", "profile.avatar", "profile.bio"]);
    assert_eq!(mask("/v1/users/u", "{}"), Some(vec![]));
    let parts = json_body(r#"{"price": {"currencyCode": "EUR", "units": "3", "nanos": 5}, "status": "ARCHIVED"}"#);
    let (request, _) = bind::<products::UpdateProductRequest>("PATCH", "/v1/products/p", parts).unwrap();
    let product = request.product.unwrap();
    assert_eq!((product.product_id.as_str(), product.status()), ("p", products::product::Status::Archived));
    assert_eq!(product.price.unwrap(), Money { currency_code: "EUR".into(), units: 3, nanos: 5 });
    assert_eq!(request.update_mask.unwrap().paths, ["price", "status"]);
}

#[test]
fn a_form_binds_flat_fields_and_the_token_endpoint_ignores_what_it_does_not_know() {
    let form = |text: &'static str| Parts { body: Body::Form(text.as_bytes()), ..Parts::default() };
    let text = "grant_type=password&username=a%40b.c&password=p%26+q&scope=&client_id=shop";
    let (request, _) = bind::<users::IssueTokenRequest>("POST", "/oauth2/token", form(text)).unwrap();
    assert_eq!((request.grant_type.as_str(), request.username.as_str()), ("password", "a@b.c"));
    assert_eq!(request.password, "p& q");
    let found = bind::<users::IssueTokenRequest>("POST", "/oauth2/token", form("username=a&username=b")).unwrap_err();
    assert_eq!(found, fault("username", Reason::BoundTwice));
    let found = bind::<users::CreateUserRequest>("POST", "/v1/users", form("email=a&admin=1")).unwrap_err();
    assert_eq!(found, fault("admin", Reason::UnknownField));
}

#[test]
fn content_types_decide_how_a_body_is_read() {
    assert!(matches!(Body::new(None, b"{}"), Ok(Body::Json(_))));
    assert!(matches!(Body::new(Some("application/json; charset=utf-8"), b"{}"), Ok(Body::Json(_))));
    assert!(matches!(Body::new(Some("application/merge-patch+json"), b"{}"), Ok(Body::Json(_))));
    assert!(matches!(Body::new(Some("Application/X-WWW-form-urlencoded"), b"a=b"), Ok(Body::Form(_))));
    for json in [b"{\"a\":1}".as_slice(), b"\n [1]"] {
        let refused = Body::new(Some("application/x-www-form-urlencoded"), json).unwrap_err();
        assert!(refused.to_string().contains("application/json"), "{refused}");
    }
    assert!(matches!(Body::new(Some("text/xml"), b""), Ok(Body::Empty)));
    let error = Body::new(Some("text/xml"), b"<a/>").unwrap_err();
    assert_eq!((error.http_status(), error.status().code()), (415, Code::InvalidArgument));
}

#[test]
fn a_reply_shows_empty_fields_and_large_numbers_as_text() {
    let list = reply("GET", "/v1/products", &products::ListProductsResponse::default());
    assert_eq!(list, json!({"products": [], "nextPageToken": ""}));
    let price = Some(Money { currency_code: "JPY".into(), units: 9_007_199_254_740_993, nanos: 0 });
    let product = reply("GET", "/v1/products/p", &products::Product { price, status: 1, ..Default::default() });
    assert_eq!(product["price"], json!({"currencyCode": "JPY", "units": "9007199254740993", "nanos": 0}));
    assert_eq!((&product["status"], &product["sku"]), (&json!("ACTIVE"), &json!("")));
    assert!(product.get("createTime").is_none());
    let token = reply("POST", "/oauth2/token", &users::Token { expires_in: 900, ..Default::default() });
    assert_eq!(token, json!({"expires_in": 900}), "of a token only what there is");
    let user = users::User { preferences: Some(users::Preferences::default()), ..Default::default() };
    assert_eq!(reply("GET", "/v1/users/u", &user)["preferences"], json!({"language": "", "timezone": ""}));
    let seen = reply("GET", "/v1/order-history/o", &history::OrderHistory::default());
    assert_eq!(seen["renamedProducts"], json!({}));
}

#[test]
fn a_reply_that_is_not_the_contracts_message_is_an_internal_error() {
    let error = ROUTER.find("GET", "/v1/products").unwrap().route.response(&[0xff]).unwrap_err();
    assert_eq!((error.http_status(), error.status().code()), (500, Code::Internal));
}

#[test]
fn statuses_keep_their_details_in_json() {
    let mut details = ErrorDetails::with_error_info("OUT_OF_STOCK", "comptoir", HashMap::new());
    details.add_bad_request_violation("items[0]", "short").set_retry_info(Some(Duration::from_secs(2)));
    let status = Status::with_error_details(Code::FailedPrecondition, "no stock", details);
    let json = ROUTER.status_json(&status);
    assert_eq!((&json["code"], &json["message"]), (&json!(9), &json!("no stock")));
    let of = |name: &str| {
        let url = format!("type.googleapis.com/google.rpc.{name}");
        json["details"].as_array().unwrap().iter().find(|detail| detail["@type"] == url).cloned().unwrap()
    };
    assert_eq!(of("ErrorInfo")["reason"], "OUT_OF_STOCK");
    assert_eq!(of("BadRequest")["fieldViolations"][0]["field"], "items[0]");
    assert_eq!(of("RetryInfo")["retryDelay"], "2s");
    let bare = ROUTER.status_json(&Status::not_found("gone"));
    assert_eq!(bare["details"][0]["reason"], "NOT_FOUND");
}

#[test]
fn every_code_has_the_http_status_of_its_definition() {
    let expected = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    let found: Vec<u16> = (0..=16).map(|code| http_status(Code::from_i32(code))).collect();
    assert_eq!(found, expected);
}

#[test]
fn oauth_errors_follow_rfc_6749() {
    let with = |code, reason: &str| {
        let details = ErrorDetails::with_error_info(reason, "comptoir", HashMap::new());
        let (http, json) = oauth_json(&Status::with_error_details(code, "why", details));
        assert_eq!(json["error_description"], "why");
        (http, json["error"].as_str().unwrap().to_owned())
    };
    assert_eq!(with(Code::Unauthenticated, "INVALID_GRANT"), (400, "invalid_grant".into()));
    assert_eq!(with(Code::Unauthenticated, "INVALID_CLIENT"), (401, "invalid_client".into()));
    assert_eq!(with(Code::InvalidArgument, "UNSUPPORTED_GRANT_TYPE"), (400, "unsupported_grant_type".into()));
    assert_eq!(with(Code::InvalidArgument, "UNKNOWN_FIELD"), (400, "invalid_request".into()));
    assert_eq!(with(Code::Unavailable, "X"), (503, "temporarily_unavailable".into()));
    assert_eq!(with(Code::Internal, "X"), (500, "server_error".into()));
}

proptest! {
    #[test]
    fn no_path_query_or_body_panics(
        method in "GET|POST|PATCH",
        path in "(/v1/(orders|users|products)|/oauth2/token)?[ -~é/%:.{}*]{0,24}",
        query in "(wait=|pageSize=|order.|updateMask=)?[ -~é%&=+.]{0,24}",
        body in prop::collection::vec(any::<u8>(), 0..64),
        form in any::<bool>(),
    ) {
        if let Ok(found) = ROUTER.find(&method, &path) {
            let body = if form { Body::Form(&body) } else { Body::Json(&body) };
            drop(found.request(Parts { query: &query, body, idempotency_key: Some("k"), ..Parts::default() }));
        }
    }

    #[test]
    fn any_json_is_bound_or_refused_with_a_path(text in "[\\PC]{0,20}", number in any::<f64>(), key in "[a-z_]{1,12}") {
        let body = json!({"name": text, key: number, "profile": {"bio": text, "avatar": number}}).to_string();
        if let Err(found) = bind::<users::CreateUserRequest>("POST", "/v1/users", json_body(&body)) {
            prop_assert!(found.iter().all(|(field, _)| !field.is_empty()));
        }
    }

    #[test]
    fn a_message_survives_json_there_and_back(email in "\\PC{0,30}", name in "\\PC{0,30}", bio in "\\PC{0,30}") {
        let profile = Some(users::Profile { bio, ..Default::default() });
        let user = users::User { email, name, profile, ..Default::default() };
        let json = reply("GET", "/v1/users/u", &user);
        let body = json!({"email": json["email"], "name": json["name"], "profile": json["profile"]}).to_string();
        let (request, _) = bind::<users::CreateUserRequest>("POST", "/v1/users", json_body(&body)).unwrap();
        prop_assert_eq!((request.email, request.name, request.profile), (user.email, user.name, user.profile));
    }

    #[test]
    fn a_path_value_arrives_as_it_was_encoded(value in "[^/.\u{0}][^/\u{0}]{0,16}") {
        let encoded: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (request, _) = bind::<users::GetUserRequest>("GET", &format!("/v1/users/{encoded}"), Parts::default()).unwrap();
        prop_assert_eq!(request.user_id, value);
    }
}
