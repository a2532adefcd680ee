//! Faults as a person reads them: no text of a parser, and the names that the caller wrote.

use super::{ROUTER, bind, fault, json_body, own_router, query};
use crate::{Error, Parts, Reason};
use contracts::{baskets::v1 as baskets, inventory::v1 as inventory, orders::v1 as orders, products::v1 as products};
use serde_json::json;

fn descriptions(method: &str, path: &str, parts: Parts<'_>) -> Vec<(String, String)> {
    match ROUTER.find(method, path).and_then(|found| found.request(parts)) {
        Err(Error::Invalid(faults)) => faults.into_iter().map(|one| (one.field, one.description)).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_value_that_does_not_fit_is_told_what_would() {
    let body = r#"{"name": 5, "weightGrams": "heavy", "status": "SOLD", "createTime": "yesterday",
                   "price": {"units": "9223372036854775808"}}"#;
    let mut told = descriptions("POST", "/v1/products", json_body(body));
    told.sort();
    let expected = [
        ("createTime", "must be a time such as 2026-01-31T12:00:00Z"),
        ("name", "must be a text"),
        ("price.units", "must be a whole number from -9223372036854775808 to 9223372036854775807"),
        ("status", "must be one of ACTIVE, ARCHIVED, DRAFT"),
        ("weightGrams", "must be a whole number from -2147483648 to 2147483647"),
    ];
    assert_eq!(told, expected.map(|(field, what)| (field.to_owned(), what.to_owned())));
    let told = |path: &str, text| descriptions("GET", path, query(text)).remove(0);
    let page = ("pageSize".to_owned(), "must be a whole number from -2147483648 to 2147483647".to_owned());
    assert_eq!(told("/v1/products", "page_size=ten"), page);
    let wait = descriptions("POST", "/v1/orders", Parts { query: "wait=soon", ..json_body("{}") }).remove(0);
    assert_eq!(wait, ("wait".to_owned(), "must be a duration in seconds such as 1.5s".to_owned()));
    for broken in ["{", "{\"a\" 1}", "[01]", "\"\\x\"", "1e"] {
        let (field, what) = descriptions("POST", "/v1/orders", json_body(broken)).remove(0);
        assert!(field.is_empty() && what.starts_with("is malformed JSON") && what.contains("line 1 column"), "{what}");
        assert!(!what.contains("expected") && !what.contains("EOF"), "{what}");
    }
}

#[test]
fn whole_numbers_are_read_in_every_form_of_protojson() {
    let delta = |value: &str| {
        let body = format!(r#"{{"delta": {value}}}"#);
        let bound = bind::<inventory::AdjustStockRequest>("POST", "/v1/stock/p:adjust", json_body(&body));
        bound.map(|(request, _)| request.delta).map_err(|faults| faults[0].1)
    };
    for two in ["2", "2.0", "\"2\"", "\"2.0\"", "\"2.00\"", "0.2e1", "\"20e-1\"", "\"2E+0\""] {
        assert_eq!(delta(two), Ok(2), "{two}");
    }
    assert_eq!((delta("1e2"), delta("\"-1e2\"")), (Ok(100), Ok(-100)));
    for wrong in ["2.5", "\"2.5\"", "\"2x\"", "\"\"", "\" 2\"", "\"1_000\"", "1e30", "\"1e30\"", "\".5\"", "true"] {
        assert_eq!(delta(wrong), Err(Reason::InvalidValue), "{wrong}");
    }
    let units = |value: &str| {
        let body = format!(r#"{{"price": {{"currencyCode": "EUR", "units": {value}}}}}"#);
        let bound = bind::<products::CreateProductRequest>("POST", "/v1/products", json_body(&body));
        bound.map(|(request, _)| request.product.and_then(|product| product.price).unwrap_or_default().units)
    };
    assert_eq!(units("\"9007199254740993.0\""), Ok(9_007_199_254_740_993), "no digit is lost");
    assert_eq!(units("9223372036854775807"), Ok(i64::MAX));
    assert_eq!(units("9223372036854775808.0").unwrap_err(), fault("price.units", Reason::InvalidValue));
    let (request, _) = bind::<products::ListProductsRequest>("GET", "/v1/products", query("pageSize=1e1")).unwrap();
    assert_eq!(request.page_size, 10);
}

#[test]
fn faults_are_named_as_the_caller_wrote_the_field() {
    let route = |method, path| ROUTER.find(method, path).unwrap().route;
    let create = route("POST", "/v1/orders");
    for (field, sent) in [
        ("order.shipping_address.postal_code", "shippingAddress.postalCode"),
        ("order.items[3].product_id", "items[3].productId"),
        ("order", ""),
        ("request_id", "requestId"),
        ("order.shipping_address.zip_code", "shippingAddress.zip_code"),
        ("lines[0].unit_price", "lines[0].unit_price"),
    ] {
        assert_eq!(create.json_path(field), sent);
    }
    assert_eq!(route("PATCH", "/v1/users/u").json_path("user.profile.bio"), "profile.bio");
    assert_eq!(route("POST", "/v1/shipments/s:dispatch").json_path("shipment_id"), "shipmentId");
    assert_eq!(route("POST", "/oauth2/token").json_path("grant_type"), "grant_type");
    let Err(Error::Invalid(faults)) = ROUTER.find("PATCH", "/v1/products/a%2Fb") else { panic!() };
    assert_eq!(faults[0].field, "productId");
    let router = own_router(json!({"get": "/x/{inner.flag}"}));
    assert_eq!(router.find("GET", "/x/1").unwrap().route.json_path("inner.flag"), "inner.flag");
}

#[test]
fn a_value_from_two_places_must_be_the_same() {
    let cancel =
        |parts: Parts<'_>| bind::<orders::CancelOrderRequest>("POST", "/v1/orders/o:cancel", parts).map(|_| ());
    assert_eq!(cancel(json_body(r#"{"orderId": "o"}"#)), Ok(()));
    assert_eq!(cancel(json_body(r#"{"orderId": null}"#)), Ok(()));
    assert_eq!(cancel(query("order_id=o")), Ok(()));
    let key = |body| Parts { idempotency_key: Some("a"), ..json_body(body) };
    assert_eq!(cancel(key(r#"{"requestId": "a"}"#)), Ok(()));
    let twice = |field: &str| Err(fault(field, Reason::BoundTwice));
    assert_eq!(cancel(key(r#"{"requestId": "b"}"#)), twice("requestId"));
    assert_eq!(cancel(json_body(r#"{"orderId": "p"}"#)), twice("orderId"));
    assert_eq!(cancel(json_body(r#"{"orderId": {}}"#)), twice("orderId"));
    assert_eq!(cancel(query("order_id=p")), twice("orderId"));
    let update = |body| bind::<products::UpdateProductRequest>("PATCH", "/v1/products/p", json_body(body));
    assert_eq!(update(r#"{"productId": "p", "name": "N"}"#).unwrap().0.update_mask.unwrap().paths, ["name"]);
    assert_eq!(update(r#"{"productId": "q"}"#).unwrap_err(), fault("productId", Reason::BoundTwice));
}

#[test]
fn a_mask_may_be_spelled_as_the_contract_does() {
    let mask = |text: &str| {
        let query = format!("updateMask={text}");
        let bound = bind::<products::UpdateProductRequest>(
            "PATCH",
            "/v1/products/p",
            Parts { query: &query, ..json_body("{}") },
        );
        bound.map(|(request, _)| request.update_mask.unwrap_or_default().paths)
    };
    assert_eq!(mask("weight_grams").unwrap(), ["weight_grams"]);
    assert_eq!(mask("weightGrams,tax_category").unwrap(), ["weight_grams", "tax_category"]);
    assert_eq!(mask("name,%20sku").unwrap(), ["name", "sku"]);
    assert_eq!(mask("*").unwrap(), ["*"]);
    assert_eq!(mask("price.currency_code").unwrap(), ["price.currency_code"]);
    for wrong in ["name,,sku", "na-me", "a*", "%22name%22"] {
        assert_eq!(mask(wrong).unwrap_err(), fault("updateMask", Reason::InvalidValue), "{wrong}");
    }
}

#[test]
fn a_text_with_a_header_of_its_own_comes_in_that_header_and_not_in_the_query() {
    let get = |parts: Parts<'_>| {
        let bound = bind::<baskets::GetBasketRequest>("GET", "/v1/baskets/bsk_1", parts);
        bound.map(|(request, _)| request.basket_token)
    };
    let headers = [("basket-token", "secret")];
    assert_eq!(get(Parts { headers: &headers, ..Parts::default() }), Ok("secret".to_owned()));
    assert_eq!(get(query("basketToken=secret")), Err(fault("basketToken", Reason::UnknownQueryParameter)));
    let told = descriptions("GET", "/v1/baskets/bsk_1", query("basket_token=secret"));
    assert_eq!(told[0].1, "belongs into the header basket-token, not the query");
    let other = [("another-header", "secret")];
    assert_eq!(get(Parts { headers: &other, ..Parts::default() }), Ok(String::new()));
    let merge = Parts { headers: &headers, ..json_body(r#"{"basketToken": "another"}"#) };
    let merge = bind::<baskets::MergeBasketRequest>("POST", "/v1/baskets/bsk_1:merge", merge);
    assert_eq!(merge.unwrap_err(), fault("basketToken", Reason::BoundTwice));
}
