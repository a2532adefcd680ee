//! Groups of products, and the variants in them.

use super::search::{add, euro, found, search, word};
use anyhow::ensure;
use bson::{Document, doc};
use futures::future::join_all;
use kit::shop::{TIMEOUT, fields, id, reason};
use kit::{Client, Reply, Stack, eventually, shared};
use serde_json::{Value, json};

/// Variants that are made at once for the last two places of a group, and how many times.
const AT_ONCE: usize = 12;
const ROUNDS: usize = 8;

/// The names of the events of a product or group in the log, once there are as many.
async fn logged(stack: &Stack, id: &str, count: usize) -> Vec<String> {
    eventually(TIMEOUT, || async {
        let events = kit::log(&stack.db("products"), doc! { "aid": id }).await?;
        ensure!(events.len() >= count, "{events:?}");
        Ok(events.iter().map(|event| event.get_str("name").unwrap_or_default().to_owned()).collect())
    })
    .await
}

/// A new group whose variants differ in these options; its id.
async fn group(staff: &Client, varies_by: &[&str]) -> String {
    let made = staff.post("/v1/product-groups", json!({ "name": "Shirt", "variesBy": varies_by })).await.expect(201);
    id(&made, "groupId").to_owned()
}

fn options(options: &[(&str, &str)]) -> Value {
    options.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect()
}

/// The body of a new variant.
fn variant(group: &str, of: &[(&str, &str)]) -> Value {
    let sku = format!("TEST-{:016x}", rand::random::<u64>());
    json!({ "name": "Shirt", "sku": sku, "price": euro(500), "groupId": group, "options": options(of) })
}

/// How many variants a group counts.
async fn count(stack: &Stack, group: &str) -> i32 {
    let groups = stack.db("products").collection::<Document>("product_groups");
    let found = groups.find_one(doc! { "_id": group }).await.expect("mongod answers").expect("it is there");
    found.get_i32("variant_count").expect("a count")
}

/// How many replies have each status, and each reason.
fn tally(replies: &[Reply], status: u16, why: &str) -> usize {
    replies.iter().filter(|reply| reply.status == status && reason(reply) == why).count()
}

#[tokio::test]
async fn a_variant_is_a_product_that_its_group_finds_with_its_options_in_order() {
    let stack = shared().await;
    let (staff, visitor) = (Client::staff(stack).await, Client::anonymous(stack));
    let group = group(&staff, &["Colour", "Size"]).await;
    let body = variant(&group, &[("Size", "M"), ("Colour", "Red")]);
    let made = staff.post("/v1/products", body).await.expect(201);
    assert_eq!(made["options"], options(&[("Colour", "Red"), ("Size", "M")]), "{made}");
    let mut body = variant(&group, &[("Colour", "Blue"), ("Size", "M")]);
    body["status"] = json!("DRAFT");
    let draft = staff.post("/v1/products", body).await.expect(201);
    let (made, draft) = (id(&made, "productId"), id(&draft, "productId"));
    add(&staff, "Shirt", json!({})).await;
    let filter = [("filter", &*format!("group = {group}")), ("orderBy", "create_time")];
    assert_eq!(found(&visitor, &filter).await, [made], "a draft is for staff alone");
    assert_eq!(found(&staff, &filter).await, [made, draft]);
    assert_eq!(search(&visitor, &filter).await.expect(200)["facets"]["availableCount"], 0);
}

#[tokio::test]
async fn options_are_those_of_the_group_or_the_product_is_refused() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let group = group(&staff, &["Colour", "Size"]).await;
    for (group, of, field) in [
        (&*group, &[("Colour", "Red")][..], "options"),
        (&group, &[("Colour", "Red"), ("Length", "M")], "options"),
        (&group, &[("Colour", "Red"), ("Size", "M"), ("Length", "M")], "options"),
        (&group, &[], "options"),
        ("", &[("Colour", "Red")], "options"),
        ("grp_absent", &[("Colour", "Red")], "groupId"),
        (&group, &[("Colour", "Red"), ("Size", " ")], "options.value"),
    ] {
        let refused = staff.post("/v1/products", variant(group, of)).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{of:?}: {refused:?}");
    }
    assert_eq!(count(stack, &group).await, 0);
}

#[tokio::test]
async fn of_variants_with_one_combination_that_are_made_at_once_one_stays() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let group = group(&staff, &["Colour"]).await;
    let spellings = ["Red", "RED", "red", "Ｒed", " Red "];
    let replies = join_all(spellings.map(|value| staff.post("/v1/products", variant(&group, &[("Colour", value)]))));
    let replies = replies.await;
    assert_eq!((tally(&replies, 201, ""), tally(&replies, 409, "OPTIONS_TAKEN")), (1, 4), "{replies:?}");
    assert_eq!(count(stack, &group).await, 1);
    let blue = staff.post("/v1/products", variant(&group, &[("Colour", "Blue")])).await.expect(201);
    let path = format!("/v1/products/{}", id(&blue, "productId"));
    let refused = staff.patch(&path, json!({ "options": options(&[("Colour", "rED")]) })).await;
    assert_eq!((refused.status, &*reason(&refused)), (409, "OPTIONS_TAKEN"), "{refused:?}");
    assert_eq!(staff.get(&path).await.expect(200), blue);
}

#[tokio::test]
async fn options_of_a_group_change_only_while_no_product_is_in_it() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    for _ in 0..8 {
        let group = group(&staff, &["Colour"]).await;
        let path = format!("/v1/product-groups/{group}");
        let (renamed, made) = tokio::join!(
            staff.patch(&path, json!({ "variesBy": ["Size"] })),
            staff.post("/v1/products", variant(&group, &[("Colour", "Red")])),
        );
        match (renamed.status, made.status) {
            (200, 400) => assert_eq!((fields(&made), count(stack, &group).await), (vec!["options".to_owned()], 0)),
            (400, 201) => assert_eq!((&*reason(&renamed), count(stack, &group).await), ("GROUP_HAS_VARIANTS", 1)),
            other => panic!("{other:?}: {renamed:?} {made:?}"),
        }
    }
    let group = group(&staff, &["Colour"]).await;
    let path = format!("/v1/product-groups/{group}");
    staff.post("/v1/products", variant(&group, &[("Colour", "Red")])).await.expect(201);
    let refused = staff.patch(&path, json!({ "variesBy": ["Colour", "Size"] })).await;
    assert_eq!((refused.status, &*reason(&refused)), (400, "GROUP_HAS_VARIANTS"), "{refused:?}");
    let renamed = staff.patch(&path, json!({ "name": "Blouse" })).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["etag"]), (&json!("Blouse"), &json!("2")), "its name may change");
}

#[tokio::test]
async fn a_group_has_a_hundred_variants_and_no_more_whoever_adds_them_at_once() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let groups = stack.db("products").collection::<Document>("product_groups");
    let mut group = String::new();
    // Who has read the group before another variant is counted, and writes after it, is rare.
    for _ in 0..ROUNDS {
        group = self::group(&staff, &["Number"]).await;
        let nearly = doc! { "$set": { "variant_count": 98 } };
        groups.update_one(doc! { "_id": &group }, nearly).await.expect("root may");
        let add =
            async |number: usize| staff.post("/v1/products", variant(&group, &[("Number", &number.to_string())])).await;
        let replies = join_all((0..AT_ONCE).map(add)).await;
        let refused = tally(&replies, 400, "TOO_MANY_VARIANTS");
        assert_eq!((tally(&replies, 201, ""), refused), (2, AT_ONCE - 2), "{replies:?}");
        assert_eq!(count(stack, &group).await, 100);
    }
    let other = add(&staff, "Shirt", json!({})).await;
    let join = json!({ "groupId": group, "options": options(&[("Number", "99")]) });
    let refused = staff.patch(&format!("/v1/products/{other}"), join).await;
    assert_eq!((refused.status, &*reason(&refused)), (400, "TOO_MANY_VARIANTS"), "{refused:?}");
}

#[tokio::test]
async fn a_product_joins_changes_and_leaves_groups_which_count_it_once() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (first, second) = (group(&staff, &["Colour"]).await, group(&staff, &["Size"]).await);
    let counts = async || [count(stack, &first).await, count(stack, &second).await];
    let product = add(&staff, "Shirt", json!({})).await;
    let path = format!("/v1/products/{product}");
    let join = json!({ "groupId": first, "options": options(&[("Colour", "Red")]) });
    for _ in 0..2 {
        let request = staff.request(reqwest::Method::PATCH, &path).header("Idempotency-Key", "join").json(&join);
        assert_eq!(kit::reply(request).await.expect(200)["groupId"], first);
        assert_eq!(counts().await, [1, 0], "a repeat of the request does nothing");
    }
    let other = json!({ "groupId": second, "options": options(&[("Size", "M")]) });
    let request = staff.request(reqwest::Method::PATCH, &path).header("Idempotency-Key", "join").json(&other);
    assert_eq!(kit::reply(request).await.status, 409, "another request under its key");
    staff.patch(&path, json!({ "groupId": second })).await.expect(400);
    staff.patch(&path, json!({ "groupId": "" })).await.expect(400);
    assert_eq!(counts().await, [1, 0]);
    staff.patch(&path, other).await.expect(200);
    assert_eq!(counts().await, [0, 1]);
    staff.post("/v1/products", variant(&first, &[("Colour", "Red")])).await.expect(201);
    let plain = json!({ "name": "Shirt", "sku": word(), "price": euro(1) });
    let gone = staff.patch(&format!("{path}?updateMask=*"), plain).await.expect(200);
    assert_eq!((&gone["groupId"], &gone["options"]), (&json!(""), &json!([])), "{gone}");
    assert_eq!(counts().await, [1, 0]);
    assert_eq!(logged(stack, &product, 4).await, ["created", "updated", "updated", "updated"], "one for each change");
}

#[tokio::test]
async fn a_variant_that_is_sent_back_in_another_order_of_options_is_not_changed() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let group = group(&staff, &["Colour", "Size"]).await;
    let made = staff.post("/v1/products", variant(&group, &[("Colour", "Red"), ("Size", "M")])).await.expect(201);
    let mut whole = made.clone();
    whole["options"] = options(&[("Size", "M"), ("Colour", "Red")]);
    let path = format!("/v1/products/{}", id(&made, "productId"));
    assert_eq!(staff.patch(&path, whole.clone()).await.expect(200), made);
    whole["name"] = json!("Blouse");
    let renamed = staff.patch(&path, whole).await.expect(200);
    assert_eq!(
        (&renamed["name"], &renamed["options"], &renamed["etag"]),
        (&json!("Blouse"), &made["options"], &json!("2"))
    );
}

#[tokio::test]
async fn groups_are_made_once_a_request_listed_by_page_and_changed_under_their_version() {
    let stack = shared().await;
    let (staff, visitor) = (Client::staff(stack).await, Client::anonymous(stack));
    let (body, key) = (json!({ "name": "Lamp", "variesBy": ["Colour"] }), word());
    let made = staff.post_with_key("/v1/product-groups", body.clone(), &key).await.expect(201);
    assert_eq!(staff.post_with_key("/v1/product-groups", body, &key).await.expect(201), made);
    let other = json!({ "name": "Other", "variesBy": ["Colour"] });
    let refused = staff.post_with_key("/v1/product-groups", other, &key).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    let path = format!("/v1/product-groups/{}", id(&made, "groupId"));
    assert_eq!(visitor.get(&path).await.expect(200), made);
    assert_eq!(visitor.get("/v1/product-groups/grp_absent").await.status, 404);
    assert_eq!(staff.patch(&path, made.clone()).await.expect(200), made, "no change");
    let changed = staff.patch(&path, json!({ "description": "Bright", "etag": "1" })).await.expect(200);
    assert_eq!((&changed["description"], &changed["etag"]), (&json!("Bright"), &json!("2")), "{changed}");
    let refused = staff.patch(&path, json!({ "name": "Dark", "etag": "1" })).await;
    assert_eq!(&*reason(&refused), "STALE_ETAG", "{refused:?}");
    for (wrong, field) in [
        (json!({ "name": " ", "variesBy": ["Colour"] }), "name"),
        (json!({ "name": "Lamp" }), "variesBy"),
        (json!({ "name": "Lamp", "variesBy": ["Colour", "COLOUR"] }), "variesBy"),
        (json!({ "name": "Lamp", "variesBy": ["a", "b", "c", "d"] }), "variesBy"),
        (json!({ "name": "Lamp", "variesBy": ["a=b"] }), "variesBy"),
    ] {
        let refused = staff.post("/v1/product-groups", wrong).await;
        assert_eq!((refused.status, fields(&refused)), (400, vec![field.to_owned()]), "{refused:?}");
    }
    assert_eq!(logged(stack, id(&made, "groupId"), 2).await, ["created", "updated"]);
    assert_eq!(visitor.get("/v1/product-groups").await.status, 401, "what is being prepared is not shown");
    let (mut listed, mut token) = (Vec::new(), String::new());
    while listed.is_empty() || !token.is_empty() {
        let page = staff.get(&format!("/v1/product-groups?pageSize=1&pageToken={token}")).await.expect(200);
        listed.extend(page["productGroups"].as_array().expect("a page").iter().map(|it| id(it, "groupId").to_owned()));
        token = id(&page, "nextPageToken").to_owned();
    }
    assert!(listed.is_sorted() && listed.contains(&id(&made, "groupId").to_owned()), "{listed:?}");
}
