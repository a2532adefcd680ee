//! Partial updates by AIP-134: what a PATCH or an Update RPC changes, what it ignores, what it refuses.

use contracts::{
    products::v1::{Product, UpdateProductRequest, product_service_client::ProductServiceClient},
    users::v1::{Preferences, Profile, User},
};
use kit::shop::{fields, product, reason};
use kit::{Client, Stack, shared};
use prost_types::FieldMask;
use rpc::update::apply;
use serde_json::{Value, json};
use tonic::Request;

fn user() -> User {
    User {
        user_id: "usr_1".into(),
        email: "customer@example.com".into(),
        name: "Name".into(),
        profile: Some(Profile { bio: "Bio".into(), location: "Lyon".into(), ..Default::default() }),
        preferences: Some(Preferences { language: "fr".into(), ..Default::default() }),
        status: 1,
        etag: "7".into(),
        ..Default::default()
    }
}

fn mask(paths: &[&str]) -> Option<FieldMask> {
    Some(FieldMask { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}

fn changed(wanted: User, mask: Option<FieldMask>) -> Result<User, Vec<String>> {
    let applied = apply(&user(), &wanted, mask.as_ref(), "user");
    applied.map_err(|faults| faults.into_iter().map(|fault| fault.field).collect())
}

#[test]
fn without_a_mask_what_is_set_changes_at_any_depth() {
    let profile = Some(Profile { bio: "New".into(), ..Default::default() });
    let wanted = User { name: "Other".into(), profile, ..Default::default() };
    for mask in [None, mask(&[])] {
        let found = changed(wanted.clone(), mask).expect("valid");
        assert_eq!((found.name.as_str(), found.profile.clone().unwrap().bio.as_str()), ("Other", "New"));
        assert_eq!((found.profile.unwrap().location.as_str(), found.preferences), ("Lyon", user().preferences));
    }
    let empty = User { profile: Some(Profile::default()), ..Default::default() };
    assert_eq!(changed(empty, None), Ok(user()), "an empty message sets nothing");
}

#[test]
fn a_star_replaces_all_that_can_change_and_nothing_else() {
    let wanted = User { name: "Other".into(), status: 2, etag: "1".into(), ..Default::default() };
    let found = changed(wanted, mask(&["*"])).expect("valid");
    let (profile, preferences) = (Some(Profile::default()), Some(Preferences::default()));
    assert_eq!(found, User { name: "Other".into(), profile, preferences, ..user() });
}

#[test]
fn a_path_of_the_mask_takes_its_field_also_when_it_is_empty() {
    let found = changed(User::default(), mask(&["profile.bio", "preferences"])).expect("valid");
    let profile = found.profile.expect("set");
    assert_eq!((profile.bio.as_str(), profile.location.as_str()), ("", "Lyon"));
    assert_eq!(found.preferences, Some(Preferences::default()));
    for unknown in ["nickname", "profile.age", "name.first", "roles.x", "", "profile."] {
        assert_eq!(
            changed(User::default(), mask(&["name", unknown])),
            Err(vec!["update_mask".to_owned()]),
            "{unknown}"
        );
    }
}

#[test]
fn output_only_fields_are_ignored_and_fixed_ones_must_be_equal() {
    let time = Some(prost_types::Timestamp { seconds: 1, nanos: 0 });
    let read = User { status: 2, create_time: time, update_time: time, etag: "x".into(), ..user() };
    for mask in [None, mask(&["*"]), mask(&["status", "create_time", "etag", "user_id", "email", "roles", "name"])] {
        assert_eq!(changed(read.clone(), mask.clone()), Ok(user()), "{mask:?}");
    }
    let other = User { user_id: "usr_2".into(), email: "x@example.com".into(), roles: vec!["staff".into()], ..user() };
    let fixed = ["user.user_id", "user.email", "user.roles"].map(str::to_owned).to_vec();
    assert_eq!(changed(other.clone(), None), Err(fixed.clone()));
    assert_eq!(changed(other.clone(), mask(&["*"])), Err(fixed));
    assert_eq!(changed(other.clone(), mask(&["email", "name"])), Err(vec!["user.email".to_owned()]));
    assert_eq!(changed(other, mask(&["name"])), Ok(user()), "what the mask leaves out does not matter");
    assert_eq!(changed(User::default(), mask(&["email"])), Err(vec!["user.email".to_owned()]), "nor can it be removed");
}

#[tokio::test]
async fn what_was_read_edited_and_sent_back_changes_what_was_edited() {
    let stack = shared().await;
    let (me, mut user) = Client::register(stack).await;
    let path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    user["profile"]["bio"] = json!("Edited");
    let mut after = me.patch(&path, user.clone()).await.expect(200);
    assert_ne!(after["etag"], user["etag"]);
    (after["etag"], after["updateTime"]) = (user["etag"].clone(), user["updateTime"].clone());
    assert_eq!(after, user);
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    let mut read = staff.get(&path).await.expect(200);
    read["weightGrams"] = json!(250);
    let changed = staff.patch(&path, read.clone()).await.expect(200);
    assert_eq!((&changed["weightGrams"], &changed["name"]), (&json!(250), &read["name"]));
    let stale = staff.patch(&path, read).await;
    assert_eq!((stale.status, reason(&stale).as_str()), (409, "STALE_ETAG"), "its etag guards it still");
}

#[tokio::test]
async fn empty_objects_change_nothing_and_null_and_zero_do() {
    let stack = shared().await;
    let (me, user) = Client::register(stack).await;
    let path = format!("/v1/users/{}", user["userId"].as_str().expect("an id"));
    let profile = json!({ "bio": "Kept", "location": "Lyon", "avatar": "" });
    me.patch(&path, json!({ "profile": profile })).await.expect(200);
    for empty in
        [json!({ "profile": {} }), json!({ "profile": {}, "preferences": {} }), json!({}), json!({ "etag": "2" })]
    {
        assert_eq!(me.patch(&path, empty.clone()).await.expect(200)["profile"], profile, "{empty}");
    }
    let cleared = me.patch(&path, json!({ "profile": { "bio": null, "location": "" } })).await.expect(200);
    assert_eq!(cleared["profile"], json!({ "bio": "", "location": "", "avatar": "" }));
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    staff.patch(&path, json!({ "weightGrams": 5 })).await.expect(200);
    assert_eq!(staff.patch(&path, json!({ "weightGrams": 0 })).await.expect(200)["weightGrams"], 0);
}

#[tokio::test]
async fn a_mask_in_any_spelling_decides_and_a_wrong_one_names_itself() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let path = format!("/v1/products/{}", product(stack, 0).await);
    let patch = |mask: &str, body: Value| {
        let (staff, path) = (staff.clone(), format!("{path}?updateMask={mask}"));
        async move { staff.patch(&path, body).await }
    };
    let body = json!({ "name": "Ignored", "weightGrams": 7, "taxCategory": "FOOD" });
    assert_eq!(patch("weight_grams", body.clone()).await.expect(200)["weightGrams"], 7);
    let changed = patch("taxCategory", body).await.expect(200);
    assert_eq!((&changed["taxCategory"], &changed["name"]), (&json!("FOOD"), &json!("Test product")));
    let unchanged = patch("create_time,etag", json!({ "createTime": "2020-01-01T00:00:00Z" })).await.expect(200);
    assert_eq!(unchanged, changed);
    let unknown = patch("weight", json!({ "weightGrams": 7 })).await;
    assert_eq!((unknown.status, fields(&unknown)), (400, vec!["updateMask".to_owned()]));
    let price = json!({ "currencyCode": "EUR", "units": "3", "nanos": 0 });
    let all = json!({ "name": "All", "sku": changed["sku"], "price": price });
    let replaced = patch("*", all).await.expect(200);
    assert_eq!((&replaced["name"], &replaced["price"]["units"]), (&json!("All"), &json!("3")));
    assert_eq!((&replaced["weightGrams"], &replaced["taxCategory"]), (&json!(0), &json!("")));
    let lacking = patch("*", json!({ "name": "All", "sku": "x" })).await;
    assert_eq!((lacking.status, fields(&lacking)), (400, vec!["price".to_owned()]), "{lacking:?}");
    let elsewhere = staff.patch(&path, json!({ "productId": "prd_other", "name": "x" })).await;
    assert_eq!((elsewhere.status, reason(&elsewhere).as_str()), (400, "FIELD_BOUND_TWICE"));
}

async fn over_grpc(stack: &Stack, product: Product, update_mask: Option<FieldMask>) -> Result<Product, tonic::Status> {
    let channel = rpc::Channel::new(stack.grpc("products"), None).expect("an address");
    let mut request =
        Request::new(UpdateProductRequest { product: Some(product), update_mask, request_id: String::new() });
    let token = Client::staff(stack).await.token().expect("signed in").to_owned();
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("ascii"));
    ProductServiceClient::new(channel).update_product(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn an_update_over_grpc_without_a_mask_changes_what_is_set() {
    let stack = shared().await;
    let product_id = product(stack, 0).await;
    let wanted = Product { product_id: product_id.clone(), weight_grams: 12, ..Default::default() };
    let changed = over_grpc(stack, wanted.clone(), None).await.expect("valid");
    assert_eq!((changed.weight_grams, changed.name.as_str(), changed.etag.as_str()), (12, "Test product", "2"));
    let again = over_grpc(stack, changed.clone(), mask(&[])).await.expect("what was read can be sent");
    assert_eq!(again, changed, "and changes nothing");
    let refused = over_grpc(stack, wanted, mask(&["weight"])).await.expect_err("there is no such field");
    assert_eq!(refused.message(), "update_mask: weight is not a field of Product");
}
