//! The tree of categories: it stays a tree under whoever moves it, and its products keep it.

use anyhow::ensure;
use bson::doc;
use futures::future::{join, join_all};
use kit::shop::{TIMEOUT, fields, id, product, reason};
use kit::{Client, Reply, Stack, eventually, shared};
use serde_json::{Value, json};

/// A new category below `parent`, or at the top.
async fn category(staff: &Client, name: &str, parent: &str) -> String {
    let made = staff.post("/v1/categories", json!({ "name": name, "parentId": parent })).await.expect(201);
    id(&made, "categoryId").to_owned()
}

fn at(category: &str) -> String {
    format!("/v1/categories/{category}")
}

async fn moved(staff: &Client, category: &str, parent: &str) -> Reply {
    staff.patch(&format!("{}?updateMask=parentId", at(category)), json!({ "parentId": parent })).await
}

/// All categories, as a caller without an account reads them, page by page.
async fn listed(stack: &Stack) -> Vec<Value> {
    let (visitor, mut found, mut token) = (Client::anonymous(stack), Vec::new(), String::new());
    loop {
        let page = visitor.get(&format!("/v1/categories?pageSize=2&pageToken={token}")).await.expect(200);
        found.extend(page["categories"].as_array().expect("a page").clone());
        token = id(&page, "nextPageToken").to_owned();
        if token.is_empty() {
            return found;
        }
    }
}

async fn one(stack: &Stack, category: &str) -> Value {
    listed(stack).await.into_iter().find(|found| found["categoryId"] == category).expect("it is listed")
}

/// The names of the events of a category.
async fn events(stack: &Stack, category: &str) -> anyhow::Result<Vec<String>> {
    let entries = kit::log(&stack.db("products"), doc! { "aid": category, "agg": "category" }).await?;
    entries.iter().map(|entry| Ok(entry.get_str("name")?.to_owned())).collect()
}

#[tokio::test]
async fn a_category_moves_with_all_below_it_and_only_an_empty_one_is_deleted() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let home = category(&staff, "Home", "").await;
    let kitchen = category(&staff, "Kitchen", &home).await;
    let knives = category(&staff, " Knives ", &kitchen).await;
    let garden = category(&staff, "Garden", "").await;
    assert_eq!(one(stack, &knives).await["path"], json!(["Home", "Kitchen", "Knives"]));
    moved(&staff, &kitchen, &garden).await.expect(200);
    staff.patch(&at(&garden), json!({ "name": "Outside" })).await.expect(200);
    assert_eq!(one(stack, &knives).await["path"], json!(["Outside", "Kitchen", "Knives"]));
    let refused = moved(&staff, &garden, &knives).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "CATEGORY_CYCLE"), "{refused:?}");
    let refused = moved(&staff, &garden, "cat_absent").await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["parentId".to_owned()]), "{refused:?}");
    let refused = staff.delete(&at(&kitchen)).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "CATEGORY_NOT_EMPTY"), "{refused:?}");
    assert_eq!(moved(&staff, &kitchen, "").await.expect(200)["path"], json!(["Kitchen"]));
    let stale = staff.delete(&format!("{}?etag=77", at(&garden))).await;
    assert_eq!((stale.status, reason(&stale).as_str()), (409, "STALE_ETAG"), "{stale:?}");
    for _ in 0..2 {
        staff.delete(&at(&garden)).await.expect(200);
    }
    assert!(listed(stack).await.iter().all(|found| found["categoryId"] != garden), "it is deleted");
    assert_eq!(moved(&staff, &home, &garden).await.status, 400, "nor can anything be put there");
    assert_eq!(
        (staff.delete(&at("cat_absent")).await.status, moved(&staff, "cat_absent", "").await.status),
        (404, 404)
    );
    eventually(TIMEOUT, || async {
        let (garden, kitchen) = (events(stack, &garden).await?, events(stack, &kitchen).await?);
        ensure!(garden == ["created", "updated", "deleted"], "{garden:?}");
        ensure!(kitchen == ["created", "updated", "updated"], "{kitchen:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_product_is_in_categories_that_there_are_and_its_category_stays() {
    let stack = shared().await;
    let (staff, product) = (Client::staff(stack).await, product(stack, 0).await);
    let (tea, gifts) = (category(&staff, "Tea", "").await, category(&staff, "Gifts", "").await);
    let path = format!("/v1/products/{product}");
    let refused = staff.patch(&path, json!({ "categoryIds": [tea, "cat_absent"] })).await;
    assert_eq!((refused.status, fields(&refused)), (400, vec!["categoryIds".to_owned()]), "{refused:?}");
    let changed = staff.patch(&path, json!({ "categoryIds": [tea, gifts, tea] })).await.expect(200);
    assert_eq!(changed["categoryIds"], json!([tea, gifts]));
    let refused = staff.delete(&at(&tea)).await;
    assert_eq!((refused.status, reason(&refused).as_str()), (400, "CATEGORY_NOT_EMPTY"), "{refused:?}");
    staff.patch(&path, json!({ "categoryIds": [gifts] })).await.expect(200);
    staff.delete(&at(&tea)).await.expect(200);
    let many: Vec<String> = (0..21).map(|number| format!("cat_{number}")).collect();
    assert_eq!(fields(&staff.patch(&path, json!({ "categoryIds": many })).await), ["categoryIds"]);
    assert_eq!(staff.get(&path).await.expect(200)["categoryIds"], json!([gifts]));
}

#[tokio::test]
async fn of_two_that_are_moved_below_each_other_at_once_one_stays() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (left, right) = (category(&staff, "Left", "").await, category(&staff, "Right", "").await);
    for round in 0..20 {
        let (first, second) = join(moved(&staff, &left, &right), moved(&staff, &right, &left)).await;
        let mut answers = [(first.status, reason(&first)), (second.status, reason(&second))];
        answers.sort();
        assert_eq!(answers, [(200, String::new()), (400, "CATEGORY_CYCLE".to_owned())], "round {round}");
        let paths = [one(stack, &left).await, one(stack, &right).await].map(|found| found["path"].clone());
        let lengths: Vec<usize> = paths.iter().map(|path| path.as_array().map_or(0, Vec::len)).collect();
        assert!(lengths == [1, 2] || lengths == [2, 1], "round {round}: {paths:?}");
        join_all([moved(&staff, &left, ""), moved(&staff, &right, "")]).await;
    }
}

#[tokio::test]
async fn a_category_is_not_deleted_while_another_one_is_put_into_it() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    for round in 0..20 {
        let parent = category(&staff, "Parent", "").await;
        let child = json!({ "name": "Child", "parentId": parent });
        let (deleted, made) = join(staff.delete(&at(&parent)), staff.post("/v1/categories", child)).await;
        match (deleted.status, made.status) {
            (200, 400) => assert_eq!(fields(&made), ["parentId"], "round {round}"),
            (400, 201) => assert_eq!(made.body["path"], json!(["Parent", "Child"]), "round {round}"),
            both => panic!("round {round}: {both:?} {deleted:?} {made:?}"),
        }
    }
}

#[tokio::test]
async fn the_repeat_of_a_request_makes_no_other_category() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (key, body) = (format!("key-{:016x}", rand::random::<u64>()), json!({ "name": "Once" }));
    let sent = || staff.post_with_key("/v1/categories", body.clone(), &key);
    let made: Vec<Value> = join_all((0..4).map(|_| sent())).await.into_iter().map(|reply| reply.expect(201)).collect();
    assert!(made.iter().all(|each| *each == made[0]), "{made:?}");
    let other = staff.post_with_key("/v1/categories", json!({ "name": "Twice" }), &key).await;
    assert_eq!((other.status, reason(&other).as_str()), (409, "IDEMPOTENCY_KEY_REUSED"), "{other:?}");
}
