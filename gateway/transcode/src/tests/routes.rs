//! Which route a path finds, and which rules build.

use super::*;

#[test]
fn every_template_of_the_contracts_finds_its_own_rpc() {
    assert!(ROUTER.routes().len() >= 20, "{}", ROUTER.routes().len());
    for route in ROUTER.routes() {
        let path = route.template.replace(['{', '}'], "");
        assert_eq!(rpc(&route.method, &path), route.rpc.name, "{} {path}", route.method);
        assert!(route.rpc.reachable(), "{} has a path but nobody may call it", route.rpc.full_name);
    }
}

#[test]
fn literals_and_verbs_win_over_variables() {
    assert_eq!(rpc("GET", "/v1/products"), "ListProducts");
    assert_eq!(rpc("GET", "/v1/products/prd_1"), "GetProduct");
    assert_eq!(rpc("GET", "/v1/products:batchGet"), "BatchGetProducts");
    assert_eq!(rpc("POST", "/v1/stock/prd_1:adjust"), "AdjustStock");
    assert_eq!(rpc("GET", "/v1/orders/ord_1:watch"), "WatchOrder");
    assert_eq!(rpc("GET", "/v1/orders/ord_1/details"), "GetOrderDetails");
    assert_eq!(rpc("GET", "/v1/products/a:b"), "GetProduct");
}

#[test]
fn an_unknown_path_is_404_and_a_known_one_under_another_method_is_405() {
    for path in ["/", "", "/v1", "/v1/nothing", "/v1/products/", "/v1/products/a/b", "//v1/products", "/v1%2Fproducts"]
    {
        assert!(matches!(ROUTER.find("GET", path), Err(Error::NotFound)), "{path}");
    }
    let Err(Error::MethodNotAllowed { allowed }) = ROUTER.find("PUT", "/v1/users/usr_1") else { panic!() };
    assert_eq!(allowed, ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH"]);
    let Err(Error::MethodNotAllowed { allowed }) = ROUTER.find("GET", "/v1/orders/ord_1:cancel") else { panic!() };
    assert_eq!(allowed, ["OPTIONS", "POST"]);
}

#[test]
fn an_encoded_slash_or_a_dot_segment_never_reaches_another_route() {
    for path in ["/v1/users/..%2Fhealth", "/v1/users/..", "/v1/users/%2e%2E", "/v1/users/a%2fb", "/v1/users/."] {
        let Err(Error::Invalid(violations)) = ROUTER.find("GET", path) else { panic!("{path}") };
        assert_eq!((violations[0].field.as_str(), violations[0].reason), ("userId", Reason::InvalidPath), "{path}");
    }
    assert!(matches!(ROUTER.find("GET", "/v1/users/%FF"), Err(Error::Invalid(_))));
    assert!(matches!(ROUTER.find("GET", "/v1/users/%4"), Err(Error::Invalid(_))));
}

#[test]
fn a_path_segment_is_decoded_once() {
    let (request, _) = bind::<users::GetUserRequest>("GET", "/v1/users/a%2541%20b+c", Parts::default()).unwrap();
    assert_eq!(request.user_id, "a%41 b+c");
}

/// The router of the contracts and of one more service: `Echo(Thing) returns (Thing)` with the binding `rule`, and a
/// second method with `more`.
fn build(rule: Value, more: Value) -> Result<Router, BuildError> {
    let field = |number: i32, name: &str, kind: &str| match kind.strip_prefix('.') {
        None => json!({"name": name, "number": number, "label": "LABEL_OPTIONAL", "type": kind}),
        Some("own.Level") => {
            json!({"name": name, "number": number, "label": "LABEL_OPTIONAL", "type": "TYPE_ENUM", "typeName": kind})
        }
        Some(_) => {
            json!({"name": name, "number": number, "label": "LABEL_OPTIONAL", "type": "TYPE_MESSAGE", "typeName": kind})
        }
    };
    let member = |number: i32, name: &str| json!({"name": name, "number": number, "label": "LABEL_OPTIONAL", "type": "TYPE_STRING", "oneofIndex": 0});
    let method = |name: &str, rule: Value| {
        json!({"name": name, "inputType": ".own.Thing", "outputType": ".own.Thing",
               "options": {"[google.api.http]": rule}})
    };
    let file = json!({
        "name": "own.proto", "package": "own", "syntax": "proto3",
        "dependency": ["google/api/annotations.proto", "google/protobuf/timestamp.proto", "google/protobuf/duration.proto"],
        "enumType": [{"name": "Level", "value": [{"name": "LOW", "number": 0}, {"name": "HIGH", "number": 1}]}],
        "messageType": [
            {"name": "Inner", "field": [field(1, "flag", "TYPE_BOOL"), field(2, "level", ".own.Level")]},
            {"name": "Thing", "oneofDecl": [{"name": "one"}], "field": [
                field(1, "name", "TYPE_STRING"), field(2, "inner", ".own.Inner"), field(3, "level", ".own.Level"),
                field(4, "time", ".google.protobuf.Timestamp"), field(5, "big", "TYPE_INT64"),
                field(6, "some", ".google.protobuf.Duration"), field(7, "path", "TYPE_STRING"),
                member(8, "left"), member(9, "right"),
            ]},
        ],
        "service": [{"name": "Own", "method": [method("Echo", rule), method("Other", more)]}],
    });
    let mut pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let descriptor = pool.get_message_by_name("google.protobuf.FileDescriptorProto").unwrap();
    let file = DynamicMessage::deserialize(descriptor, file).unwrap();
    pool.decode_file_descriptor_proto(file.encode_to_vec().as_slice()).unwrap();
    Router::new(pool)
}

pub(super) fn own_router(rule: Value) -> Router {
    build(rule, json!({"get": "/other"})).unwrap()
}

#[test]
fn templates_that_cannot_be_served_do_not_build() {
    let other = || json!({"get": "/other"});
    let refused = |rule: Value, more: Value| build(rule, more).map(|_| ()).unwrap_err();
    let conflicts = [
        (json!({"get": "/a/{name}"}), json!({"get": "/a/{path}"})),
        (json!({"get": "/a/{path=**}"}), json!({"get": "/a/**"})),
        (json!({"get": "/a", "additionalBindings": [{"get": "/a"}]}), other()),
    ];
    for (rule, more) in conflicts {
        assert!(matches!(refused(rule.clone(), more), BuildError::Conflict { .. }), "{rule}");
    }
    for template in [
        "a",
        "",
        "/",
        "/a/",
        "//",
        "/{}",
        "/{=a}",
        "/a/{name",
        "/a/name}",
        "/a/**/b",
        "/a/**/*",
        "/a//b",
        "/a/{name}/{name}",
        "/a:",
        "/a:b:",
        "/{name=**}/x",
        "/a/{name=}",
        "/{name=a/{path=b}}",
        "/a/{name=b/**/c}",
        "/a/b%20c",
        "/a?b",
        "/a/***",
    ] {
        let error = refused(json!({"get": template}), other());
        assert!(matches!(error, BuildError::Template { .. }), "{template}: {error}");
    }
    for rule in [
        json!({"get": "/{inner}"}),
        json!({"get": "/{nothing}"}),
        json!({"get": "/{name.x}"}),
        json!({"post": "/a", "body": "nothing"}),
    ] {
        assert!(matches!(refused(rule.clone(), other()), BuildError::Field { .. }), "{rule}");
    }
    assert!(build(json!({"get": "/a/{name}"}), json!({"post": "/a/{name}", "body": "*"})).is_ok());
    assert!(build(json!({"get": "/a/{name}:x"}), json!({"get": "/a/{name}:y"})).is_ok());
}

#[test]
fn wildcards_capture_what_they_match() {
    let router = own_router(json!({"get": "/files/{path=**}", "additionalBindings": [
        {"get": "/shelves/{path=books/*}/{name}"}, {"get": "/any/*/{name}:go"}, {"get": "/deep/{inner.flag}"},
    ]}));
    let bound = |path: &str| {
        let found = router.find("GET", path).unwrap();
        let request = found.request(Parts::default()).unwrap();
        let json: Value = serde_json::from_slice(&found.route.response(&request.message).unwrap()).unwrap();
        (json["path"].as_str().unwrap().to_owned(), json["name"].as_str().unwrap_or_default().to_owned(), json)
    };
    assert_eq!(bound("/files/a/b%2Fc/d%20e").0, "a/b%2Fc/d e");
    assert_eq!(bound("/files").0, "");
    let (path, name, _) = bound("/shelves/books/7/n");
    assert_eq!((path.as_str(), name.as_str()), ("books/7", "n"));
    assert_eq!(bound("/any/thing/n:go").1, "n");
    assert_eq!(bound("/deep/true").2["inner"]["flag"], true);
    assert!(matches!(router.find("GET", "/files/a/../b"), Err(Error::Invalid(_))));
    assert!(matches!(router.find("GET", "/shelves/films/7/n"), Err(Error::NotFound)));
    let found = router.find("GET", "/deep/maybe").unwrap();
    assert!(matches!(found.request(Parts::default()), Err(Error::Invalid(_))));
}

#[test]
fn two_members_of_a_oneof_are_refused() {
    let router = own_router(json!({"post": "/x", "body": "*", "additionalBindings": [{"get": "/x"}]}));
    let body = json_body(r#"{"left": "a", "right": "b"}"#);
    assert!(matches!(router.find("POST", "/x").unwrap().request(body), Err(Error::Invalid(_))));
    assert!(matches!(router.find("GET", "/x").unwrap().request(query("left=a&right=b")), Err(Error::Invalid(_))));
}

#[test]
fn a_response_body_is_the_field_alone() {
    let router = own_router(json!({"post": "/x", "body": "inner", "responseBody": "inner"}));
    let found = router.find("POST", "/x").unwrap();
    let request = found.request(json_body(r#"{"flag": true}"#)).unwrap();
    assert_eq!(found.route.response(&request.message).unwrap(), br#"{"flag":true,"level":"LOW"}"#);
}
