//! What people type and paste, in whatever encoding: one canonical form per kind of text, before every check and comparison.

use crate::orders::coupons::{coupon, look, with_coupon};
use anyhow::ensure;
use argon2::{Argon2, PasswordHasher, password_hash::phc::PasswordHash as Phc};
use bson::{Document, doc};
use contracts::{
    Normalize,
    orders::v1::OrderDraft,
    shipping::v1::{Address, CreateShipmentRequest},
    text,
};
use kit::shop::{TIMEOUT, draft, fields, id, place, product, reason};
use kit::{Client, DEMO_PASSWORD, Reply, Stack, eventually, shared};
use proptest::prelude::*;
use serde_json::{Value, json};

#[test]
fn each_kind_of_text_has_one_form() {
    type Form = fn(&str) -> String;
    let cases: [(Form, &str, &str); 25] = [
        (text::line, "  Ame\u{301}lie\u{a0}\u{3000} Poulain\t", "Amélie Poulain"),
        (text::line, "\u{feff}Ada\u{200b}", "Ada"),
        (text::line, "می\u{200c}خواهم", "می\u{200c}خواهم"),
        (text::line, "ｱ ﬁ", "ｱ ﬁ"),
        (text::paragraphs, "\n one \n\n two \n", "one \n\n two"),
        (text::code, " summer–25 ", "SUMMER-25"),
        (text::code, "ＳＵＭＭＥＲ　２５", "SUMMER25"),
        (text::code, "eur\u{200b}", "EUR"),
        (text::category, "pet-food", "PET_FOOD"),
        (text::category, " pet  food ", "PET_FOOD"),
        (text::word, " Staff", "staff"),
        (text::number, " 12.5 %", "12.5"),
        (text::number, "１２", "12"),
        (text::postal_code, "〒100ー0001", "100-0001"),
        (text::id, " PRD_0190A5C2D3E47F608192A3B4C5D6E7F8\n", "prd_0190a5c2d3e47f608192a3b4c5d6e7f8"),
        (text::id, " Evt 7-A ", "Evt 7-A"),
        (text::email, " Jo@MÜLLER.example ", "Jo@xn--mller-kva.example"),
        (text::email, "ｊｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "jo@example.com"),
        (text::email, "jo@例え。example", "jo@xn--r8jz45g.example"),
        (text::email, "jo@\u{ad}example.com\u{200b}", "jo@example.com"),
        (text::email_key, "JO@Mu\u{308}ller.EXAMPLE", "jo@xn--mller-kva.example"),
        (text::password, "cafe\u{301}\u{a0}\u{3000}bar", "café  bar"),
        (text::password, "Ｐａｓｓ ", "Ｐａｓｓ "),
        (text::folded, "Î.-d'Ô", "ido"),
        (text::folded, "\u{8d4} \u{734}", "\u{734}\u{8d4}"),
    ];
    for (form, typed, canonical) in cases {
        assert_eq!(form(typed), canonical, "{typed:?}");
    }
}

proptest! {
    #[test]
    fn a_canonical_form_is_its_own_canonical_form(typed in "\\PC*|.{0,40}|[a-zA-Z0-9 @.\u{a0}ー–ａ-ｚéü-]{0,40}") {
        let forms = [
            text::line, text::paragraphs, text::code, text::category, text::word, text::number, text::postal_code,
            text::id, text::email, text::email_key, text::password, text::folded,
        ];
        for (index, form) in forms.iter().enumerate() {
            let once = form(&typed);
            prop_assert_eq!(form(&once), once, "form {} of {:?}", index, typed);
        }
    }
}

#[test]
fn what_a_service_has_kept_is_not_brought_into_another_form() {
    let address = || Address { name: "Ame\u{301}lie ".into(), country_code: "uk".into(), ..Default::default() };
    let mut kept = CreateShipmentRequest { address: Some(address()), order_id: " ord".into(), ..Default::default() };
    kept.normalize();
    assert_eq!((kept.address, kept.order_id.as_str()), (Some(address()), "ord"));
    let mut typed = OrderDraft { shipping_address: Some(address()), ..Default::default() };
    typed.payment_token = " tok ".into();
    typed.normalize();
    let address = typed.shipping_address.expect("it is there");
    assert_eq!(
        (address.name.as_str(), address.country_code.as_str(), typed.payment_token.as_str()),
        ("Amélie", "UK", " tok ")
    );
}

async fn sign_in(stack: &Stack, email: &str, password: &str) -> Reply {
    let body = json!({ "grant_type": "password", "username": email, "password": password });
    Client::anonymous(stack).post("/oauth2/token", body).await
}

async fn register(stack: &Stack, email: &str, password: &str) -> Reply {
    Client::anonymous(stack).post("/v1/users", json!({ "email": email, "name": "Ada", "password": password })).await
}

fn unique() -> String {
    format!("{:016x}", rand::random::<u64>())
}

#[tokio::test]
async fn an_account_is_found_by_its_address_in_whatever_encoding() {
    let stack = shared().await;
    let name = unique();
    let user = register(stack, &format!(" Jose\u{301}-{name}@Bücher.example "), DEMO_PASSWORD).await.expect(201);
    assert_eq!(user["email"], format!("José-{name}@xn--bcher-kva.example"));
    for typed in [
        format!("josé-{name}@bücher.example"),
        format!("JOSE\u{301}-{name}@XN--BCHER-KVA.EXAMPLE"),
        format!("\u{feff}josé-{name}＠bu\u{308}cher．example "),
    ] {
        sign_in(stack, &typed, DEMO_PASSWORD).await.expect(200);
        let taken = register(stack, &typed, DEMO_PASSWORD).await;
        assert_eq!((taken.status, reason(&taken).as_str()), (409, "EMAIL_TAKEN"), "{typed}");
    }
    for none in [format!("jo se-{name}@example.com"), format!("{name}@exa mple.com"), format!("{name}@\u{301}.example")]
    {
        let refused = register(stack, &none, DEMO_PASSWORD).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec!["email".to_owned()]), "{none}");
    }
}

#[tokio::test]
async fn a_password_is_one_however_its_accents_and_blanks_are_encoded() {
    let stack = shared().await;
    let email = format!("{}@example.com", unique());
    let (composed, decomposed) = ("pâté en croûte", "pa\u{302}te\u{301} en crou\u{302}te");
    register(stack, &email, decomposed).await.expect(201);
    for typed in [composed, decomposed, "pâté\u{a0}en\u{3000}croûte"] {
        sign_in(stack, &email, typed).await.expect(200);
    }
    for other in ["pate en croute", "Pâté en croûte", "pâté  en croûte", "pâté en croûte "] {
        assert_eq!(sign_in(stack, &email, other).await.status, 400, "{other:?}");
    }
    // The bounds count what is compared: eight letters typed as four with accents are four.
    let short = register(stack, &format!("{}@example.com", unique()), &"e\u{301}".repeat(4)).await;
    assert_eq!((short.status, fields(&short)), (400, vec!["password".to_owned()]));
    let email = format!("{}@example.com", unique());
    register(stack, &email, &"e\u{301}".repeat(128)).await.expect(201);
    sign_in(stack, &email, &"é".repeat(128)).await.expect(200);
}

#[tokio::test]
async fn an_account_of_before_is_still_found_by_what_was_typed_then() {
    let stack = shared().await;
    let (name, password) = (unique(), "pâté\u{a0}en croûte");
    let email = format!("{name}@example.com");
    let user = register(stack, &email, DEMO_PASSWORD).await.expect(201);
    let hash: Phc = Argon2::default().hash_password(password.as_bytes()).expect("it can be hashed");
    let key = format!("jose\u{301}-{name}@example.com");
    let older = doc! { "$set": { "email_key": &key, "email": &key, "password_hash": hash.to_string() }, "$inc": { "rev": 1_i64 } };
    let users = stack.db("users").collection::<Document>("users");
    users.update_one(doc! { "_id": id(&user, "userId") }, older).await.expect("mongod answers");
    sign_in(stack, &key.to_uppercase(), password).await.expect(200);
    let composed = format!("josé-{name}@example.com");
    let token = sign_in(stack, &composed, password).await.expect(200);
    let (me, path) = (Client::anonymous(stack).with_token(token["access_token"].as_str()), id(&user, "userId"));
    let mut mine = me.get(&format!("/v1/users/{path}")).await.expect(200);
    mine["name"] = json!("Ada L.");
    let renamed = me.patch(&format!("/v1/users/{path}"), mine).await.expect(200);
    assert_eq!((renamed["name"].as_str(), renamed["email"].as_str()), (Some("Ada L."), Some(key.as_str())));
    let taken = register(stack, &composed, DEMO_PASSWORD).await;
    assert_eq!((taken.status, reason(&taken).as_str()), (409, "EMAIL_TAKEN"), "{taken:?}");
}

#[tokio::test]
async fn a_coupon_is_found_as_it_is_typed_and_a_wrong_one_is_refused_in_words() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let code = coupon(stack, json!({ "percentage": "10 %" })).await;
    assert_eq!(look(stack, &code).await["percentage"], "10");
    let product = product(stack, 9).await;
    let full_width: String = code.chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c)).collect();
    for typed in [code.to_lowercase(), format!(" {code}\u{a0}"), code.replace('-', "–"), full_width] {
        let order = customer.post("/v1/orders", with_coupon(&product, &typed, "tok_visa")).await.expect(201);
        assert_eq!(order["couponCode"], code.as_str(), "{typed}");
    }
    let typed = code.to_lowercase();
    Client::staff(stack).await.get(&format!("/v1/coupons/{typed}")).await.expect(200);
    Client::staff(stack).await.post(&format!("/v1/coupons/{typed}:disable"), json!({})).await.expect(200);
    let again = Client::staff(stack).await.post("/v1/coupons", json!({ "code": typed, "percentage": "5" })).await;
    assert_eq!((again.status, reason(&again).as_str()), (409, "COUPON_EXISTS"), "{again:?}");
    let refused = customer.post("/v1/orders", with_coupon(&product, "save_10!", "tok_visa")).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["couponCode".to_owned()]));
    assert!(refused.body.to_string().contains("letters, digits and hyphens"), "{refused:?}");
}

#[tokio::test]
async fn an_order_is_kept_as_its_countries_write_it_however_it_was_typed() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 9).await;
    let mut body = draft(&[(&format!(" {}\u{200b}", product.to_uppercase()), 1)], "tok_visa");
    body["shippingAddress"] = json!({
        "name": " Ame\u{301}lie\u{a0} Poulain", "line1": "1\tMain Street", "city": "Mountain View", "region": "California",
        "postalCode": "９４０４３", "countryCode": "us",
    });
    let order = customer.post("/v1/orders?wait=25s", body).await.expect(201);
    assert_eq!(
        (order["state"].as_str(), order["items"][0]["productId"].as_str()),
        (Some("CONFIRMED"), Some(product.as_str()))
    );
    let wanted = json!({
        "name": "Amélie Poulain", "line1": "1 Main Street", "line2": "", "city": "Mountain View", "region": "CA",
        "postalCode": "94043", "countryCode": "US",
    });
    for (field, value) in wanted.as_object().expect("an object") {
        assert_eq!(order["shippingAddress"][field].as_str().unwrap_or_default(), value, "{field}");
    }
    let path = format!("/v1/orders/%20{}%0A", id(&order, "orderId").to_uppercase());
    assert_eq!(customer.get(&path).await.expect(200)["orderId"], order["orderId"]);
}

#[tokio::test]
async fn a_product_keeps_its_texts_in_canonical_form() {
    let stack = shared().await;
    let (staff, sku) = (Client::staff(stack).await, format!("SKU {}", unique()));
    let body = |sku: &str| json!({ "name": " The\u{301} ", "sku": sku, "taxCategory": "pet food", "price": { "currencyCode": "eur", "units": "5" } });
    let made = staff.post("/v1/products", body(&format!(" {sku} \u{200b}"))).await.expect(201);
    let kept = ["name", "sku", "taxCategory"].map(|field| id(&made, field));
    assert_eq!((kept, made["price"]["currencyCode"].as_str()), (["Thé", sku.as_str(), "PET_FOOD"], Some("EUR")));
    for typed in [
        sku.to_lowercase(),
        sku.replace("SKU", "ＳＫＵ"),
        format!("{sku} "),
        format!("\u{a0}{sku}"),
        sku.replace(' ', "\u{3000}"),
        sku.replace(' ', "  "),
    ] {
        let taken = staff.post("/v1/products", body(&typed)).await;
        assert_eq!((taken.status, reason(&taken).as_str()), (409, "SKU_TAKEN"), "{typed:?}: {taken:?}");
    }
    let wrong = staff.post("/v1/products", json!({ "name": "x", "sku": unique(), "taxCategory": "food!" })).await;
    assert_eq!((wrong.status, fields(&wrong)), (400, vec!["taxCategory".to_owned()]), "{wrong:?}");
    assert!(wrong.body.to_string().contains("such as FOOD") && !wrong.body.to_string().contains('^'), "{wrong:?}");
}

#[tokio::test]
async fn a_carrier_is_known_in_whatever_case_and_keys_are_compared_byte_by_byte() {
    let stack = shared().await;
    let (customer, _) = Client::register(stack).await;
    let product = product(stack, 9).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    let path = format!("/v1/shipments/{}", id(&order, "shipmentId"));
    let staff = Client::staff(stack).await;
    staff.post(&format!("{path}:dispatch"), json!({})).await.expect(200);
    let event = |carrier: &str| json!({ "event": { "carrier": carrier, "eventId": "E-1 ", "kind": "IN_TRANSIT", "occurTime": "2026-01-02T03:04:05Z" } });
    for carrier in ["Sandbox", " SANDBOX ", "sand-box"] {
        let shipment = staff.post(&format!("{path}:recordTrackingEvent"), event(carrier)).await.expect(200);
        let told: Vec<&Value> = shipment["trackingEvents"].as_array().expect("events").iter().collect();
        assert_eq!(
            (told.len(), &told[0]["carrier"], &told[0]["eventId"]),
            (1, &json!("sandbox"), &json!("E-1")),
            "{carrier}"
        );
    }
    let key = unique();
    let body = draft(&[(&product, 1)], "tok_visa");
    let mut orders = Vec::new();
    for key in [key.clone(), format!("{key}K"), format!("{key}k"), key.clone()] {
        let order = customer.post_with_key("/v1/orders", body.clone(), &key).await;
        orders.push(id(&order.body, "orderId").to_owned());
    }
    assert_eq!(orders[0], orders[3], "the same key");
    assert!(orders[0] != orders[1] && orders[1] != orders[2] && orders[0] != orders[2], "{orders:?}");
}

#[tokio::test]
async fn skus_of_before_are_kept_apart_from_new_ones_and_two_that_were_one_both_stay() {
    let stack = shared().await;
    let (staff, sku) = (Client::staff(stack).await, format!("OLD-{}", unique()));
    let body = |sku: &str| json!({ "name": "Old", "sku": sku, "price": { "currencyCode": "EUR", "units": "5" } });
    let products = stack.db("products").collection::<Document>("products");
    let mut old = Vec::new();
    for (typed, then) in [(sku.clone(), sku.clone()), (format!("{sku}-2"), sku.to_lowercase())] {
        let product = id(&staff.post("/v1/products", body(&typed)).await.expect(201), "productId").to_owned();
        let older = doc! { "$set": { "sku": then }, "$unset": { "sku_key": "" }, "$inc": { "rev": 1_i64 } };
        products.update_one(doc! { "_id": &product }, older).await.expect("mongod answers");
        old.push(product);
    }
    let address = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.expect("a free port").to_string();
    let _next = stack.serve_with("products", &[("COMPTOIR_LISTEN", &address)]);
    eventually(TIMEOUT, || async {
        let keyed = products.count_documents(doc! { "_id": { "$in": &old }, "sku_key": sku.to_lowercase() }).await?;
        ensure!(keyed == 1, "{keyed} have the key");
        Ok(())
    })
    .await;
    for product in &old {
        let path = format!("/v1/products/{product}?updateMask=name");
        assert_eq!(staff.patch(&path, json!({ "name": "New" })).await.expect(200)["name"], "New");
    }
    for typed in [sku.clone(), sku.to_lowercase(), sku.replace('-', "–")] {
        let taken = staff.post("/v1/products", body(&typed)).await;
        assert_eq!((taken.status, reason(&taken).as_str()), (409, "SKU_TAKEN"), "{typed:?}: {taken:?}");
    }
}
