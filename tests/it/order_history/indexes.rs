//! Lists over many rows: what mongod examined for a page, as its profiler tells, and rows of an earlier release.

use super::entries::created;
use ::order_history::{fact, fold};
use anyhow::{Context, ensure};
use bson::{DateTime, Document, doc};
use contracts::orders::v1::order::State;
use kit::shop::TIMEOUT;
use kit::{Client, Stack, StackOptions, eventually};

const ROWS: i32 = 4000;

/// Entries of a page.
const PAGE: i64 = 20;

/// Most rows that mongod may examine for a page.
const MOST: i64 = 2 * PAGE;

/// The row of an order: half of all are of one user, one in forty has another state, product and word than its neighbours.
fn row(number: i32) -> Document {
    let entry = fold(None, &fact(&created()).expect("an order")).expect("the first event").expect("a row");
    let mut row = bson::serialize_to_document(&entry).expect("a row is a document");
    let user = if number % 2 == 0 { "usr_half".to_owned() } else { format!("usr_{}", number % 101) };
    let (state, word) = match number % 40 {
        0 => (State::Cancelling, "copper"),
        _ => (State::Delivered, "plain"),
    };
    let rare = if number == 1234 { "samovar" } else { "teapot" };
    row.insert("_id", format!("ord_{number:032}"));
    let order = row.get_document_mut("order").expect("it has its order");
    order.insert("user_id", user);
    order.insert("state", i32::from(state));
    order.insert("created_at", DateTime::from_millis(1_700_000_000_000 + i64::from(number) * 1000));
    order.insert("words", vec![word, rare]);
    let item = order.get_array_mut("items").expect("items")[0].as_document_mut().expect("an item");
    item.insert("product_id", format!("prd_{}", number % 40));
    row
}

/// The last look of the service for rows of a list: how many were examined, and how.
async fn examined(stack: &Stack) -> anyhow::Result<(i64, String)> {
    let profile = stack.db("order-history").collection::<Document>("system.profile");
    let lists = doc! { "command.find": "order_history", "command.sort": { "$exists": true } };
    let found = profile.find_one(lists).sort(doc! { "ts": -1 }).await?.context("no list was profiled")?;
    let count = found.get_i32("docsExamined").map(i64::from).or_else(|_| found.get_i64("docsExamined"))?;
    Ok((count, found.get_str("planSummary")?.to_owned()))
}

/// A system with the rows, whose order-history runs.
async fn with_rows() -> Stack {
    let stack = Stack::start(StackOptions::without(&["order-history"])).await;
    let rows = stack.db("order-history").collection::<Document>("order_history");
    rows.insert_many((0..ROWS).map(row)).await.expect("mongod");
    stack
}

/// The list with these parameters, once the service answers.
async fn list(client: &Client, parameters: &str) -> serde_json::Value {
    let path = format!("/v1/order-history?pageSize={PAGE}&{parameters}");
    eventually(TIMEOUT, || async {
        let reply = client.get(&path).await;
        ensure!(reply.status == 200, "{reply:?}");
        Ok(reply.body)
    })
    .await
}

#[tokio::test]
async fn a_page_of_any_list_examines_few_rows() {
    let stack = with_rows().await;
    let history = stack.serve("order-history");
    let staff = Client::staff(&stack).await;
    list(&staff, "").await;
    stack.db("order-history").run_command(doc! { "profile": 2 }).await.expect("root may");
    let (start, end) = ("startTime=2023-11-14T22:30:00Z", "endTime=2023-11-14T22:50:00Z");
    let mut wrong = Vec::new();
    for parameters in [
        "".to_owned(),
        "userId=usr_half".to_owned(),
        format!("userId=usr_half&{start}&{end}"),
        "userId=usr_half&states=CANCELLING".to_owned(),
        "userId=usr_half&states=CANCELLING&states=SHIPPED".to_owned(),
        "userId=usr_half&productId=prd_2".to_owned(),
        "userId=usr_half&query=teap".to_owned(),
        "states=CANCELLING".to_owned(),
        format!("states=CANCELLING&states=REJECTED&{start}"),
        format!("{start}&{end}"),
        "productId=prd_0".to_owned(),
        format!("productId=prd_0&{end}"),
        "productId=prd_0&states=CANCELLING".to_owned(),
        "productId=prd_0&states=PENDING".to_owned(),
        "query=teap".to_owned(),
        "query=samo".to_owned(),
        format!("query=teap&{start}"),
        "userId=usr_none&query=teap".to_owned(),
    ] {
        let page = list(&staff, &parameters).await;
        let mut looks = vec![(parameters.clone(), examined(&stack).await.expect("a profile"))];
        if let Some(token) = page["nextPageToken"].as_str().filter(|token| !token.is_empty()) {
            list(&staff, &format!("{parameters}&pageToken={token}")).await;
            looks.push((format!("{parameters}, second page"), examined(&stack).await.expect("a profile")));
        }
        wrong.extend(looks.into_iter().filter(|(_, (count, _))| *count > MOST));
    }
    assert!(wrong.is_empty(), "more than {MOST} rows examined: {wrong:#?}");
    history.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test]
async fn rows_of_an_earlier_release_are_found_by_words_and_lose_their_old_index() {
    let stack = with_rows().await;
    let rows = stack.db("order-history").collection::<Document>("order_history");
    rows.update_many(doc! {}, doc! { "$unset": { "order.words": "" } }).await.expect("mongod");
    let old = mongodb::IndexModel::builder().keys(doc! { "order.user_id": 1, "_id": -1 }).build();
    rows.create_index(old).await.expect("mongod");
    let history = stack.serve("order-history");
    let staff = Client::staff(&stack).await;
    eventually(TIMEOUT, || async {
        let left = rows.count_documents(doc! { "order.words": { "$exists": false } }).await?;
        let names = rows.list_index_names().await?;
        ensure!(left == 0 && !names.iter().any(|name| name == "order.user_id_1__id_-1"), "{left} rows, {names:?}");
        Ok(())
    })
    .await;
    // Their items are teapots with the SKU TEA-1.
    for query in ["teap", "tea1", "TEA-1"] {
        let page = list(&staff, &format!("query={query}")).await;
        assert_eq!(page["orderHistories"].as_array().map(Vec::len), Some(20), "{query}");
    }
    history.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
