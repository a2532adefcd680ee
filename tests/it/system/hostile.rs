//! What callers send to get at what is not theirs: fields that services set, and operators of the database.

use kit::shop::product;
use kit::{Client, Reply, reply, shared};
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use transcode::Router;

const OPERATOR: &str = r#"{"$gt": ""}"#;

fn pool() -> DescriptorPool {
    DescriptorPool::decode(contracts::DESCRIPTORS).expect("the contracts")
}

/// Whether a field is one that services set (google.api.field_behavior, OUTPUT_ONLY is 3).
fn is_output_only(field: &FieldDescriptor) -> bool {
    let behavior = field.parent_pool().get_extension_by_name("google.api.field_behavior").expect("the option");
    let options = field.options();
    let values = options.get_extension(&behavior);
    values.as_list().unwrap_or_default().iter().any(|value| value.as_enum_number() == Some(3))
}

/// The messages of our contracts within `kind`, itself included.
fn within(kind: &MessageDescriptor, found: &mut BTreeSet<String>) {
    if !kind.full_name().starts_with("comptoir.") || !found.insert(kind.full_name().to_owned()) {
        return;
    }
    for field in kind.fields() {
        if let Kind::Message(inner) = field.kind() {
            within(&inner, found);
        }
    }
}

/// Values of all fields of a message that services set, which no service would set.
fn assigned(pool: &DescriptorPool, message: &str) -> Map<String, Value> {
    let message = pool.get_message_by_name(message).expect("a message");
    let value = |field: &FieldDescriptor| match field.kind() {
        Kind::Enum(kind) => json!(kind.values().last().expect("a value").name()),
        Kind::Int64 => json!("77"),
        Kind::Bool => json!(true),
        Kind::String => json!("forged"),
        Kind::Message(_) => json!("2001-02-03T04:05:06Z"),
        other => panic!("a field of kind {other:?} has no value here"),
    };
    let list = |field: &FieldDescriptor| if field.is_list() { json!([value(field)]) } else { value(field) };
    let fields = message.fields().filter(is_output_only);
    fields.map(|field| (field.json_name().to_owned(), list(&field))).collect()
}

#[tokio::test]
async fn what_services_set_is_set_by_no_request() {
    let pool = pool();
    let stack = shared().await;
    let (staff, (customer, user)) = (Client::staff(stack).await, Client::register(stack).await);
    let product = product(stack, 1).await;
    let code = format!("MASS-{:08X}", rand::random::<u32>());
    let sku = format!("MASS-{:08x}", rand::random::<u32>());
    let price = json!({"currencyCode": "EUR", "units": "5"});
    let user_path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    let product_path = format!("/v1/products/{product}");
    let basket = customer.post("/v1/baskets", json!({})).await.expect(201);
    let basket_path = format!("/v1/baskets/{}", basket["basketId"].as_str().expect("an id"));
    let category = staff.post("/v1/categories", json!({"name": "Mass"})).await.expect(201);
    let category_path = format!("/v1/categories/{}", category["categoryId"].as_str().expect("an id"));
    let group = json!({"name": "Mass", "variesBy": ["Colour"]});
    let made = staff.post("/v1/product-groups", group.clone()).await.expect(201);
    let group_path = format!("/v1/product-groups/{}", made["groupId"].as_str().expect("an id"));
    let cases = [
        ("comptoir.products.v1.ProductGroup", &staff, Method::POST, "/v1/product-groups", group),
        ("comptoir.products.v1.ProductGroup", &staff, Method::PATCH, &group_path, json!({"name": "New name"})),
        ("comptoir.products.v1.Category", &staff, Method::POST, "/v1/categories", json!({"name": "Mass"})),
        ("comptoir.products.v1.Category", &staff, Method::PATCH, &category_path, json!({"name": "New name"})),
        ("comptoir.users.v1.User", &customer, Method::PATCH, user_path.as_str(), json!({"name": "New Name"})),
        ("comptoir.products.v1.Product", &staff, Method::PATCH, &product_path, json!({"name": "New name"})),
        (
            "comptoir.products.v1.Product",
            &staff,
            Method::POST,
            "/v1/products",
            json!({"sku": sku, "name": "Lamp", "price": price}),
        ),
        ("comptoir.baskets.v1.Basket", &customer, Method::POST, "/v1/baskets", json!({"countryCode": "FR"})),
        ("comptoir.baskets.v1.Basket", &customer, Method::PATCH, &basket_path, json!({"countryCode": "FR"})),
        ("comptoir.orders.v1.Coupon", &staff, Method::POST, "/v1/coupons", json!({"code": code, "percentage": "5"})),
    ];
    let mut requests = BTreeSet::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        within(&method.input(), &mut requests);
    }
    let has_some =
        |name: &&String| pool.get_message_by_name(name).expect("a message").fields().any(|f| is_output_only(&f));
    let known: BTreeSet<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let sent: BTreeSet<&str> = requests.iter().filter(has_some).map(String::as_str).collect();
    assert_eq!(known, sent, "each message that a request can bring, and that has a field which services set");
    for (name, client, method, path, body) in cases {
        let forged = assigned(&pool, name);
        let (mut whole, mut plain) = (body.as_object().expect("an object").clone(), Vec::new());
        whole.extend(forged.clone());
        let written = reply(client.request(method.clone(), path).json(&whole)).await;
        assert!(matches!(written.status, 200 | 201), "{method} {path}: {written:?}");
        for (field, value) in &forged {
            if written.body[field] == *value || written.body[field].is_null() {
                plain.push(field);
            }
        }
        assert!(plain.is_empty(), "{method} {path} sets {plain:?}: {written:?}");
    }
}

/// The fields of the body of each route, which are texts.
fn texts(router: &Router, pool: &DescriptorPool) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for route in router.routes().iter().filter(|route| route.rpc.reachable()) {
        let Some(body) = route.body() else { continue };
        let (service, method) = route.rpc.path.trim_start_matches('/').split_once('/').expect("a path");
        let service = pool.get_service_by_name(service).expect("a service");
        let input = service.methods().find(|each| each.name() == method).expect("a method").input();
        let message = match body {
            "*" => Some(input),
            name => input.get_field_by_name(name).and_then(|field| field.kind().as_message().cloned()),
        };
        for field in message.iter().flat_map(MessageDescriptor::fields) {
            if field.kind() == Kind::String && !field.is_list() && !route.template.contains(field.name()) {
                found.push((route.method.clone(), route.template.clone(), field.json_name().to_owned()));
            }
        }
    }
    found
}

/// A template with `value` for each of its variables.
fn path(template: &str, value: &str) -> String {
    let pieces = template.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, rest)| rest));
    pieces.collect::<Vec<_>>().join(value)
}

fn is_refused(answer: &Reply) -> bool {
    matches!(answer.status, 400 | 404)
}

#[tokio::test]
async fn operators_of_the_database_are_no_values_and_as_texts_they_stay_texts() {
    let (pool, stack) = (pool(), shared().await);
    let router = Router::new(pool.clone()).expect("the routes");
    // Who may most: whom an RPC refuses, its fields are not read.
    let admin = Client::admin(stack).await;
    let (mut wrong, mut asked) = (Vec::new(), 0);
    for (method, template, field) in texts(&router, &pool) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let sent = async |value: Value| {
            let body = Value::Object(Map::from_iter([(field.clone(), value)]));
            reply(admin.request(method.clone(), &path(&template, "x")).json(&body)).await
        };
        // Other fields may be missing too: an operator is refused as a number is, and not taken for an absent value.
        let (number, absent) = (sent(json!(7)).await, sent(Value::Null).await);
        for operator in [json!({"$ne": null}), json!({"$gt": ""}), json!(["$where", "1"])] {
            let answer = sent(operator.clone()).await;
            asked += 1;
            if answer.status != 400 || answer.body != number.body || answer.body == absent.body {
                wrong.push(format!("{method} {template} {field} {operator}: {answer:?}, a number {number:?}"));
            }
        }
    }
    for route in router.routes().iter().filter(|route| route.rpc.reachable() && route.template.contains('{')) {
        let method = Method::from_bytes(route.method.as_bytes()).expect("a method");
        let at = path(&route.template, "%7B%22%24gt%22%3A%22%22%7D");
        let mut request = admin.request(method.clone(), &at);
        if route.body().is_some() {
            request = request.json(&json!({}));
        }
        let answer = reply(request).await;
        asked += 1;
        if !is_refused(&answer) {
            wrong.push(format!("{method} {at}: {answer:?}"));
        }
    }
    for query in ["/v1/products?query[$ne]=x", "/v1/orders?page_token[$gt]=", "/v1/products?$where=1"] {
        let answer = admin.get(query).await;
        asked += 1;
        if answer.status != 400 {
            wrong.push(format!("{query}: {answer:?}"));
        }
    }
    assert!(asked > 100, "{asked}");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    let (customer, user) = Client::register(stack).await;
    let at = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    for name in [OPERATOR, "$where", "a.$set", "$$ROOT"] {
        assert_eq!(customer.patch(&at, json!({"name": name})).await.expect(200)["name"], name);
        assert_eq!(customer.get(&at).await.expect(200)["name"], name);
    }
    let signed_in = json!({"grant_type": "password", "username": OPERATOR, "password": OPERATOR});
    assert_eq!(Client::anonymous(stack).post("/oauth2/token", signed_in).await.status, 400);
}
