//! The bounds of requests: `buf.validate` in the words of JSON Schema.

use super::{at, compiled, contracts::pool, described, faults, operation, schema, service};
use contracts::{Validate, orders::v1::CreateOrderRequest};
use prost_reflect::DynamicMessage;
use serde_json::{Value, json};

/// The schema of a field of a request with these options.
fn bounded(kind: &str, options: &str) -> (Value, bool) {
    let messages = format!("message Reply {{}}\nmessage Request {{ {kind} it = 1 [{options}]; }}");
    let messages = format!("{messages}\nenum Kind {{ KIND_UNSPECIFIED = 0; TIGER = 1; LION = 2; }}");
    let document = described(&compiled(&service(&["post: \"/v1/zoo\" body: \"*\""], &messages)));
    let body = at(operation(&document, "post", "/v1/zoo"), "/requestBody/content/application~1json/schema");
    (body["properties"]["it"].clone(), body["required"] == json!(["it"]))
}

fn rule(kind: &str, rule: &str) -> (Value, bool) {
    bounded(kind, &format!("(buf.validate.field).{rule}"))
}

#[test]
fn the_bounds_of_texts_are_keywords() {
    for (given, keyword, value, is_required) in [
        ("string.min_len = 2", "minLength", json!(2), true),
        ("string.max_len = 5", "maxLength", json!(5), false),
        ("string.len = 5", "minLength", json!(5), true),
        ("string.pattern = \"^[A-Z]{2}$\"", "pattern", json!("^[A-Z]{2}$"), true),
        ("string.pattern = \"^[A-Z]*$\"", "pattern", json!("^[A-Z]*$"), false),
        ("string.prefix = \"a.b\"", "pattern", json!("^a\\.b"), true),
        ("string.email = true", "format", json!("email"), true),
        ("string.uri = true", "format", json!("uri"), true),
        ("string.uri_ref = true", "format", json!("uri-reference"), false),
        ("string.uuid = true", "format", json!("uuid"), true),
        ("string.const = \"x\"", "const", json!("x"), true),
        ("string = {in: [\"a\", \"b\"]}", "enum", json!(["a", "b"]), true),
        ("string = {not_in: [\"a\"]}", "not", json!({ "enum": ["a"] }), false),
    ] {
        let (schema, required) = rule("string", given);
        assert_eq!((&schema[keyword], required), (&value, is_required), "{given}: {schema}");
    }
}

#[test]
fn the_bounds_of_numbers_are_keywords_and_those_of_64_bits_words() {
    for (kind, given, keyword, value, is_required) in [
        ("int32", "int32.gte = 1", "minimum", json!(1), true),
        ("int32", "int32.gt = -1", "exclusiveMinimum", json!(-1), false),
        ("uint32", "uint32.lte = 9", "maximum", json!(9), false),
        ("double", "double.lt = 0", "exclusiveMaximum", json!(0.0), true),
        ("int32", "int32 = {not_in: [0]}", "not", json!({ "enum": [0] }), true),
        ("int64", "int64.gt = 0", "pattern", json!("^0*[1-9][0-9]*$"), true),
        ("int64", "int64.gte = 0", "pattern", json!("^[0-9]+$"), false),
        ("int64", "int64 = {lte: 7, gte: -7}", "description", json!("At least -7. At most 7."), false),
        ("int64", "int64 = {in: [1, 2]}", "enum", json!(["1", "2"]), true),
    ] {
        let (schema, required) = rule(kind, given);
        assert_eq!((&schema[keyword], required), (&value, is_required), "{kind} {given}: {schema}");
    }
}

#[test]
fn the_bounds_of_lists_maps_enums_and_durations_are_told() {
    for (kind, given, pointer, value, is_required) in [
        ("repeated string", "repeated.min_items = 1", "/minItems", json!(1), true),
        ("repeated string", "repeated.max_items = 3", "/maxItems", json!(3), false),
        ("repeated string", "repeated.unique = true", "/uniqueItems", json!(true), false),
        ("repeated string", "repeated.items.string.max_len = 3", "/items/maxLength", json!(3), false),
        ("map<string, int32>", "map.max_pairs = 3", "/maxProperties", json!(3), false),
        ("map<string, int32>", "map.keys.string.max_len = 3", "/propertyNames/maxLength", json!(3), false),
        ("map<string, int32>", "map.values.int32.gte = 3", "/additionalProperties/minimum", json!(3), false),
        ("Kind", "enum = {not_in: [0]}", "/not/enum", json!(["KIND_UNSPECIFIED"]), true),
        ("Kind", "enum = {in: [1, 2]}", "/enum", json!(["TIGER", "LION"]), true),
        ("bytes", "bytes.max_len = 3", "/description", json!("At most 3 bytes."), false),
        (
            "google.protobuf.Duration",
            "duration = {gte: {nanos: 500000000}, lte: {seconds: 30}}",
            "/description",
            json!("At least 0.5 s. At most 30 s."),
            false,
        ),
    ] {
        let (schema, required) = rule(kind, given);
        assert_eq!((at(&schema, pointer), required), (&value, is_required), "{kind} {given}: {schema}");
    }
}

#[test]
fn a_field_with_presence_may_be_absent_unless_it_is_required() {
    assert!(!rule("optional string", "string.min_len = 1").1);
    assert!(rule("google.protobuf.Timestamp", "required = true").1);
    assert!(!bounded("string", "(buf.validate.field) = {string: {min_len: 1}, ignore: IGNORE_IF_ZERO_VALUE}").1);
    assert!(bounded("string", "(google.api.field_behavior) = REQUIRED").1);
}

#[test]
fn a_field_that_nobody_checks_has_no_bounds() {
    let (schema, _) = bounded("string", "(buf.validate.field) = {string: {min_len: 1}, ignore: IGNORE_ALWAYS}");
    assert!(schema.get("minLength").is_none(), "{schema}");
}

fn draft(change: impl FnOnce(&mut Value)) -> Value {
    let mut draft = json!({
        "items": [{ "productId": "prd_1", "quantity": 2 }],
        "shippingAddress": { "name": "Customer", "line1": "1 rue de la Paix", "city": "Paris", "postalCode": "75002",
            "countryCode": "FR" },
        "paymentToken": "tok_visa",
    });
    change(&mut draft);
    draft
}

#[test]
fn what_the_schema_of_an_order_refuses_its_service_refuses_too() {
    let (pool, document) = (pool(), described(&pool()));
    let order = schema(&document, "comptoir.orders.v1.OrderDraft-Input");
    let request = pool.get_message_by_name("comptoir.orders.v1.CreateOrderRequest").expect("it is there");
    let long = "x".repeat(257);
    for (draft, is_valid) in [
        (draft(|_| {}), true),
        (draft(|draft| draft["couponCode"] = json!("SUMMER-25")), true),
        (draft(|draft| draft["couponCode"] = json!("S")), false),
        (draft(|draft| draft["items"] = json!([])), false),
        (draft(|draft| drop(draft.as_object_mut().and_then(|draft| draft.remove("items")))), false),
        (draft(|draft| draft["items"] = json!(vec![draft["items"][0].clone(); 101])), false),
        (draft(|draft| draft["items"][0]["quantity"] = json!(0)), false),
        (draft(|draft| draft["items"][0]["quantity"] = json!(10_001)), false),
        (draft(|draft| draft["items"][0]["productId"] = json!("")), false),
        (draft(|draft| draft["shippingAddress"]["countryCode"] = json!("")), false),
        (draft(|draft| draft["shippingAddress"]["city"] = json!("")), false),
        (draft(|draft| draft["paymentToken"] = json!(long)), false),
        (draft(|draft| draft["expectedTotal"] = json!({ "currencyCode": "EUR", "units": "10" })), true),
    ] {
        let message = DynamicMessage::deserialize(request.clone(), json!({ "order": draft })).expect("its JSON fits");
        let checked = message.transcode_to::<CreateOrderRequest>().expect("it is the message").validate();
        let found = faults(&document, order, &draft);
        assert_eq!((found.is_empty(), checked.is_ok()), (is_valid, is_valid), "{draft}: {found:?}, {checked:?}");
    }
    let unknown = draft(|draft| draft["itemz"] = json!([]));
    assert_eq!(faults(&document, order, &unknown).len(), 1, "the gateway refuses a member that is no field");
}
