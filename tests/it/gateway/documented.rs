//! Replies of a running system, checked by the schemas of `/openapi.json`.

use kit::shop::{draft, id, place, product};
use kit::{Client, Reply, reply, shared};
use reqwest::Method;
use serde_json::{Value, json};

/// The operation whose replies are checked.
struct Operation<'a> {
    document: &'a Value,
    method: &'a str,
    path: &'a str,
}

impl Operation<'_> {
    /// Checks a reply by the schema that its status and content type have, and answers its body.
    #[track_caller]
    fn check(&self, reply: Reply) -> Value {
        let Operation { document, method, path } = self;
        let responses = &document["paths"][path][method]["responses"];
        let status = reply.status.to_string();
        let response = if responses[&status].is_object() { &responses[&status] } else { &responses["default"] };
        let response = response["$ref"].as_str().map_or(response, |target| {
            document.pointer(target.trim_start_matches('#')).expect("a reference leads somewhere")
        });
        let content_type = reply.headers["content-type"].to_str().expect("ascii");
        let schema = &response["content"][content_type]["schema"];
        assert!(schema.is_object(), "{method} {path}: {status} {content_type} is not documented");
        let whole = json!({ "allOf": [schema], "components": document["components"] });
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("test:///schema", whole).expect("a name");
        let index = compiler.compile("test:///schema", &mut schemas).expect("a schema");
        let found = schemas.validate(&reply.body, index);
        assert!(found.is_ok(), "{method} {path}: {found:#?} of {}", reply.body);
        reply.body
    }
}

#[tokio::test]
async fn what_a_customer_and_staff_are_answered_is_valid_by_the_document() {
    let stack = shared().await;
    let document = Client::anonymous(stack).get("/openapi.json").await.expect(200);
    let of = |method, path| Operation { document: &document, method, path };
    let (customer, user) = Client::register(stack).await;
    let staff = Client::staff(stack).await;
    let sold = product(stack, 5).await;
    of("get", "/v1/products/{productId}").check(customer.get(&format!("/v1/products/{sold}")).await);
    of("get", "/v1/users/{userId}").check(customer.get(&format!("/v1/users/{}", id(&user, "userId"))).await);
    let body = draft(&[(&sold, 2)], "tok_visa");
    let order = of("post", "/v1/orders").check(customer.post("/v1/orders?wait=10s", body).await);
    let path = format!("/v1/orders/{}", id(&order, "orderId"));
    for (template, path) in [
        ("/v1/orders/{orderId}", path.clone()),
        ("/v1/orders/{orderId}/saga", format!("{path}/saga")),
        ("/v1/orders/{orderId}/details", format!("{path}/details")),
        ("/v1/orders", "/v1/orders".to_owned()),
        ("/v1/order-history", "/v1/order-history".to_owned()),
    ] {
        of("get", template).check(customer.get(&path).await);
    }
    let basket = json!({ "items": [{ "productId": sold, "quantity": 1 }], "countryCode": "FR" });
    let basket = of("post", "/v1/baskets").check(customer.post("/v1/baskets", basket).await);
    let path_of_basket = format!("/v1/baskets/{}", id(&basket, "basketId"));
    of("get", "/v1/baskets/{basketId}").check(customer.get(&path_of_basket).await);
    of("get", "/v1/baskets/{basketId}:quote").check(customer.get(&format!("{path_of_basket}:quote")).await);
    of("get", "/v1/baskets").check(customer.get("/v1/baskets").await);
    for (template, path) in [
        ("/v1/stock/{productId}", format!("/v1/stock/{sold}")),
        ("/v1/stock/{productId}/movements", format!("/v1/stock/{sold}/movements")),
        ("/v1/payments/{paymentId}", format!("/v1/payments/{}", id(&order, "paymentId"))),
        ("/v1/sagas", "/v1/sagas".to_owned()),
        ("/v1/coupons", "/v1/coupons".to_owned()),
    ] {
        of("get", template).check(staff.get(&path).await);
    }
    let cancelled = customer.post(&format!("{path}:cancel"), json!({})).await;
    of("post", "/v1/orders/{orderId}:cancel").check(cancelled);
}

#[tokio::test]
async fn what_is_refused_is_refused_as_documented() {
    let stack = shared().await;
    let document = Client::anonymous(stack).get("/openapi.json").await.expect(200);
    let of = |method, path| Operation { document: &document, method, path };
    let (customer, _) = Client::register(stack).await;
    let none = of("get", "/v1/orders/{orderId}").check(customer.get("/v1/orders/ord_none").await);
    assert_eq!(none["code"], 5);
    let wrong = of("post", "/v1/orders").check(customer.post("/v1/orders", json!({ "itemz": [] })).await);
    assert_eq!(wrong["code"], 3);
    let accept = |path| customer.request(Method::GET, path).header("accept", "application/problem+json");
    let problem = of("get", "/v1/orders/{orderId}").check(reply(accept("/v1/orders/ord_none")).await);
    assert_eq!(problem["status"], 404);
    let body = [("grant_type", "password"), ("username", "nobody@example.com"), ("password", "none-such-1")];
    let refused = reply(customer.request(Method::POST, "/oauth2/token").form(&body)).await;
    assert_eq!(of("post", "/oauth2/token").check(refused)["error"], "invalid_grant");
}

#[tokio::test]
async fn each_line_of_a_watch_is_valid_by_the_document() {
    let stack = shared().await;
    let document = Client::anonymous(stack).get("/openapi.json").await.expect(200);
    let (customer, _) = Client::register(stack).await;
    let sold = product(stack, 1).await;
    let order = place(&customer, &[(&sold, 1)], "tok_declined").await;
    let watch = customer.request(Method::GET, &format!("/v1/orders/{}:watch", id(&order, "orderId")));
    let Reply { status, headers, body } = reply(watch).await;
    // Several lines are no JSON, and come as one text.
    let text = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert!(!lines.is_empty());
    let watch = Operation { document: &document, method: "get", path: "/v1/orders/{orderId}:watch" };
    for line in lines {
        let body = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        watch.check(Reply { status, headers: headers.clone(), body });
    }
}
