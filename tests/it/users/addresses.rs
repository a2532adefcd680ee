//! The addresses that an account keeps.

use super::accounts::events;
use bson::doc;
use contracts::users::v1::UserUpdated;
use kit::shop::{draft, product, with_shipment};
use kit::{Client, DEMO_PASSWORD, Stack, shared};
use serde_json::{Value, json};

/// A new account and a client that is signed in to it.
async fn account(stack: &Stack) -> (Client, Value) {
    let email = format!("addresses-{:016x}@example.com", rand::random::<u64>());
    let body = json!({ "email": email, "name": "Test Customer", "password": DEMO_PASSWORD });
    let user = Client::anonymous(stack).post("/v1/users", body).await.expect(201);
    (Client::sign_in(stack, &email, DEMO_PASSWORD).await, user)
}

fn path(user: &Value) -> String {
    format!("/v1/users/{}", user["userId"].as_str().expect("it has an id"))
}

fn address(country: &str, region: &str, postal_code: &str) -> Value {
    json!({
        "name": "Test Customer", "line1": "1 Main Street", "city": "City", "region": region,
        "postalCode": postal_code, "countryCode": country,
    })
}

/// The postal code and region of each address, in their order.
fn codes(user: &Value) -> Vec<(&str, &str)> {
    let addresses = user["addresses"].as_array().map(Vec::as_slice).unwrap_or_default();
    addresses.iter().map(|it| (it["postalCode"].as_str().unwrap_or(""), it["region"].as_str().unwrap_or(""))).collect()
}

#[tokio::test]
async fn an_account_keeps_addresses_in_their_order_in_the_form_of_their_posts() {
    let stack = shared().await;
    let (me, user) = account(stack).await;
    let typed = json!({ "addresses": [address("us", "California", "CA 94043"), address("FR", "", "F-75 002")] });
    let kept = me.patch(&path(&user), typed).await.expect(200);
    assert_eq!(codes(&kept), [("94043", "CA"), ("75002", "")]);
    assert_eq!(kept["name"], user["name"], "nothing else changes");
    // Read, put into another order and sent back as a whole.
    let mut whole = me.get(&path(&user)).await.expect(200);
    assert_eq!(whole, kept);
    whole["addresses"].as_array_mut().expect("two").reverse();
    let turned = me.patch(&path(&user), whole.clone()).await.expect(200);
    assert_eq!(codes(&turned), [("75002", ""), ("94043", "CA")]);
    assert_eq!(me.patch(&path(&user), whole).await.status, 409, "what was read before is stale");
    let without = me.patch(&path(&user), json!({ "addresses": [] })).await.expect(200);
    assert_eq!(codes(&without), []);
}

#[tokio::test]
async fn an_event_tells_that_addresses_changed_and_none_of_them() {
    let stack = shared().await;
    let (me, user) = account(stack).await;
    me.patch(&path(&user), json!({ "addresses": [address("FR", "", "75002")] })).await.expect(200);
    let told = events(stack, &user, "updated").await;
    let event = told.last().expect("one at least").get_binary_generic("data").expect("its bytes").clone();
    let event: UserUpdated = prost::Message::decode(event.as_slice()).expect("it is one");
    let wanted = UserUpdated {
        user_id: user["userId"].as_str().expect("it has an id").to_owned(),
        language: "en".to_owned(),
        email_notifications: true,
        changed_fields: vec!["addresses".to_owned()],
    };
    assert_eq!(event, wanted, "and no address");
}

#[tokio::test]
async fn what_an_address_lacks_is_named_by_its_place_and_nothing_changes() {
    let stack = shared().await;
    let (me, user) = account(stack).await;
    let known = me.patch(&path(&user), json!({ "addresses": [address("FR", "", "75002")] })).await.expect(200);
    let refused = [
        (json!([address("FR", "", "75002"), address("DE", "", "x")]), "user.addresses[1].postalCode"),
        (json!([address("US", "Paris", "94043")]), "user.addresses[0].region"),
        (json!([address("XX", "", "1")]), "user.addresses[0].countryCode"),
        (json!([{ "name": "Test Customer", "city": "City", "countryCode": "FR" }]), "user.addresses[0].line1"),
        (json!(vec![address("FR", "", "75002"); 21]), "user.addresses"),
    ];
    for (addresses, field) in refused {
        let reply = me.patch(&path(&user), json!({ "addresses": addresses })).await.expect(400);
        let field = field.trim_start_matches("user.");
        assert!(reply.to_string().contains(&format!("\"field\":\"{field}\"")), "{field}: {reply}");
    }
    assert_eq!(me.get(&path(&user)).await.expect(200), known);
    me.patch(&path(&user), json!({ "addresses": vec![address("FR", "", "75002"); 20] })).await.expect(200);
}

#[tokio::test]
async fn an_address_of_the_account_is_that_of_an_order_as_it_is() {
    let stack = shared().await;
    let (me, user) = account(stack).await;
    let product = product(stack, 1).await;
    let typed = json!({ "addresses": [address("GB", "", "sw1a1aa")] });
    let kept = me.patch(&path(&user), typed).await.expect(200);
    let mut order = draft(&[(&product, 1)], "tok_visa");
    order["shippingAddress"] = kept["addresses"][0].clone();
    let placed = me.post("/v1/orders?wait=25s", order).await.expect(201);
    assert_eq!(placed["shippingAddress"], kept["addresses"][0]);
    assert_eq!(with_shipment(&me, placed).await["state"], "CONFIRMED");
}

#[tokio::test]
async fn nobody_but_their_owner_and_those_who_act_for_all_sees_or_sets_addresses() {
    let stack = shared().await;
    let (me, user) = account(stack).await;
    let (other, _) = account(stack).await;
    let addresses = json!({ "addresses": [address("FR", "", "75002")] });
    me.patch(&path(&user), addresses.clone()).await.expect(200);
    other.get(&path(&user)).await.expect(404);
    other.patch(&path(&user), addresses).await.expect(404);
    let seen = Client::staff(stack).await.get(&path(&user)).await.expect(200);
    assert_eq!(codes(&seen), [("75002", "")]);
}

#[tokio::test]
async fn a_closed_account_has_no_addresses() {
    let stack = shared().await;
    let (me, user) = account(stack).await;
    me.patch(&path(&user), json!({ "addresses": [address("FR", "", "75002")] })).await.expect(200);
    me.delete(&path(&user)).await.expect(200);
    events(stack, &user, "tokens_revoked").await;
    let users = stack.connect().await.database("users").collection::<bson::Document>("users");
    let kept =
        users.find_one(doc! { "_id": user["userId"].as_str().expect("it has an id") }).await.expect("it is read");
    let kept = kept.expect("who ordered under it must be found").to_string();
    assert!(kept.contains("Deleted") && !kept.contains("75002"), "{kept}");
}
