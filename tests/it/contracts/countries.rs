//! Countries, languages and time zones: what is one, and what is told of what is none.

use kit::shop::{draft, fields, product_with, reason};
use kit::{Client, DEMO_PASSWORD, shared};
use serde_json::{Value, json};

fn message(body: &Value, field: &str) -> String {
    let details = body["details"].as_array().cloned().unwrap_or_default();
    let violations = details.iter().filter_map(|detail| detail["fieldViolations"].as_array()).flatten();
    let found = violations.filter(|violation| violation["field"].as_str().is_some_and(|it| it.ends_with(field)));
    found.filter_map(|violation| violation["description"].as_str()).collect()
}

#[tokio::test]
async fn no_order_and_no_quote_goes_to_a_country_that_there_is_not() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let price = json!({ "currencyCode": "EUR", "units": "12" });
    let product = product_with(stack, 5, json!({ "price": price })).await;
    for (country, meant) in [("UK", "GB"), ("EL", "GR"), ("XX", ""), ("XK", ""), ("USA", "US"), ("France", "FR")] {
        let mut body = draft(&[(&product, 1)], "tok_visa");
        body["shippingAddress"]["countryCode"] = json!(country);
        let basket = json!({ "items": body["items"], "countryCode": country });
        for refused in [customer.post("/v1/orders", body).await, customer.post("/v1/orders:quote", basket).await] {
            assert_eq!((refused.status, fields(&refused).len()), (400, 1), "{country}: {refused:?}");
            let told = message(&refused.body, "countryCode");
            assert!(told.contains("ISO 3166-1") && !told.contains('^'), "{country}: {told}");
            let hint = format!("did you mean {meant}?");
            assert_eq!(told.ends_with(&hint), !meant.is_empty(), "{country}: {told}");
        }
    }
    assert_eq!(customer.get("/v1/orders").await.expect(200)["orders"], json!([]));
}

#[tokio::test]
async fn preferences_are_kept_in_canonical_form_and_what_is_none_is_refused_by_field() {
    let stack = shared().await;
    let anonymous = Client::anonymous(stack);
    let email = format!("test-{:016x}@example.com", rand::random::<u64>());
    let register = |preferences: Value| json!({ "email": email, "name": "Ada", "password": DEMO_PASSWORD, "preferences": preferences });
    for (field, value) in [("language", "klingon"), ("language", "en-UK"), ("timezone", "CEST")] {
        let refused = anonymous.post("/v1/users", register(json!({ field: value }))).await;
        assert_eq!((refused.status, reason(&refused).as_str()), (400, "INVALID_FIELD"), "{refused:?}");
        assert!(fields(&refused)[0].ends_with(field), "{refused:?}");
    }
    let user = anonymous.post("/v1/users", register(json!({ "language": "pt_br", "timezone": "america/sao_paulo" })));
    let user = user.await.expect(201);
    assert_eq!(user["preferences"]["language"], "pt-BR");
    assert_eq!(user["preferences"]["timezone"], "America/Sao_Paulo");
    let (me, path) = (
        Client::sign_in(stack, &email, DEMO_PASSWORD).await,
        format!("/v1/users/{}", user["userId"].as_str().unwrap()),
    );
    let body = json!({ "preferences": { "timezone": "Mars" } });
    let refused = me.patch(&format!("{path}?updateMask=preferences.timezone"), body).await;
    assert!(refused.status == 400 && fields(&refused)[0].ends_with("preferences.timezone"), "{refused:?}");
    // What an account of before has is not held against a change of something else.
    let users = stack.db("users").collection::<bson::Document>("users");
    let older = bson::doc! { "$set": { "preferences.language": "klingon" }, "$inc": { "rev": 1_i64 } };
    users.update_one(bson::doc! { "_id": user["userId"].as_str().unwrap() }, older).await.expect("mongod answers");
    let body = json!({ "name": "Ada L.", "preferences": { "language": "klingon" } });
    let renamed = me.patch(&format!("{path}?updateMask=name,preferences.language"), body).await.expect(200);
    assert_eq!(
        (renamed["name"].as_str(), renamed["preferences"]["language"].as_str()),
        (Some("Ada L."), Some("klingon"))
    );
}
