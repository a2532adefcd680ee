//! Which products are available: as the events of inventory tell it, whatever comes in between.

use super::search::{add, found, ids, search, word};
use crate::{cli::events::events, mesh::events::stuck::limit_consumers};
use anyhow::ensure;
use async_nats::jetstream;
use bson::{Document, doc};
use kit::shop::{TIMEOUT, draft, id};
use kit::{Client, Stack, StackOptions, eventually, shared};
use serde_json::{Value, json};
use std::time::Duration;

/// Adds units to the stock of a product, or takes them.
async fn adjust(staff: &Client, product: &str, delta: i32) {
    let body = json!({ "delta": delta, "reason": "test" });
    staff.post(&format!("/v1/stock/{product}:adjust"), body).await.expect(200);
}

/// Waits until these, of the products of a word, are available.
async fn available(client: &Client, mark: &str, expected: &[&str]) -> Value {
    eventually(TIMEOUT, || async {
        let reply = search(client, &[("query", mark), ("orderBy", "create_time")]).await.expect(200);
        ensure!(reply["availableProductIds"] == json!(expected), "{reply}");
        Ok(reply)
    })
    .await
}

#[tokio::test]
async fn a_search_tells_finds_and_counts_of_which_products_a_unit_is_available() {
    let stack = shared().await;
    let (staff, visitor, mark) = (Client::staff(stack).await, Client::anonymous(stack), word());
    let stocked = add(&staff, &mark, json!({})).await;
    let (sold, never) = (add(&staff, &mark, json!({})).await, add(&staff, &mark, json!({})).await);
    adjust(&staff, &stocked, 1).await;
    adjust(&staff, &sold, 1).await;
    available(&visitor, &mark, &[&stocked, &sold]).await;
    let customer = Client::register(stack).await.0;
    customer.post("/v1/orders?wait=25s", draft(&[(&sold, 1)], "tok_visa")).await.expect(201);
    let reply = available(&visitor, &mark, &[&stocked]).await;
    assert_eq!(reply["facets"]["availableCount"], 1, "{reply}");
    for (filter, expected) in
        [("available = true", vec![stocked.as_str()]), ("available = false", vec![sold.as_str(), never.as_str()])]
    {
        let asked = [("query", mark.as_str()), ("filter", filter), ("orderBy", "create_time")];
        assert_eq!(found(&visitor, &asked).await, expected, "{filter}");
    }
    let refused = search(&visitor, &[("filter", "available = 1")]).await;
    assert_eq!((refused.status, kit::shop::fields(&refused)), (400, vec!["filter".to_owned()]), "{refused:?}");
}

#[tokio::test]
async fn units_that_are_owed_to_others_are_not_available() {
    let stack = shared().await;
    let (staff, mark) = (Client::staff(stack).await, word());
    let (owed, other) = (add(&staff, &mark, json!({})).await, add(&staff, &mark, json!({})).await);
    staff.post(&format!("/v1/stock/{owed}:setBackorder"), json!({ "allowed": true })).await.expect(200);
    adjust(&staff, &other, 1).await;
    available(&staff, &mark, &[&other]).await;
}

#[tokio::test]
async fn stock_changes_no_version_and_no_event_of_a_product_which_keeps_it() {
    let stack = shared().await;
    let (staff, mark) = (Client::staff(stack).await, word());
    let product = add(&staff, &mark, json!({})).await;
    let path = format!("/v1/products/{product}");
    let before = staff.get(&path).await.expect(200);
    adjust(&staff, &product, 1).await;
    available(&staff, &mark, &[&product]).await;
    assert_eq!(staff.get(&path).await.expect(200), before);
    let events = kit::log(&stack.db("products"), doc! { "aid": &product }).await.expect("mongod answers");
    assert_eq!(events.len(), 1, "product.created alone: {events:?}");
    let renamed = json!({ "name": format!("{mark} two"), "etag": before["etag"] });
    staff.patch(&path, renamed).await.expect(200);
    available(&staff, &mark, &[&product]).await;
}

/// Delivers all events of inventory to products again, and waits until it has handled them.
async fn replay(stack: &Stack) {
    let stream = jetstream::new(stack.nats().await).get_stream("EVT_INVENTORY").await.expect("it is there");
    stream.delete_consumer("products").await.expect("it was there");
    eventually(TIMEOUT, || async {
        let consumer = stream.consumer_info("products").await.map_err(|error| anyhow::anyhow!("{error}"))?;
        ensure!(consumer.num_pending == 0 && consumer.num_ack_pending == 0, "{consumer:?}");
        ensure!(consumer.delivered.stream_sequence > 0, "nothing is delivered yet");
        Ok(())
    })
    .await;
}

/// What products has stored of the stock of a product, `{seq, is_available}`.
async fn kept(stack: &Stack, collection: &str, product: &str) -> anyhow::Result<Document> {
    let found = stack.db("products").collection::<Document>(collection).find_one(doc! { "_id": product }).await?;
    let stock = found.and_then(|found| found.get_document("stock").ok().cloned());
    stock.ok_or_else(|| anyhow::anyhow!("{product} has no stock in {collection}"))
}

#[tokio::test]
async fn a_replay_of_the_log_makes_the_same_and_no_older_event_undoes_a_newer_one() {
    let stack = Stack::start(StackOptions::default()).await;
    let (staff, mark) = (Client::staff(&stack).await, word());
    let (first, second) = (add(&staff, &mark, json!({})).await, add(&staff, &mark, json!({})).await);
    for product in [&first, &second] {
        adjust(&staff, product, 2).await;
        adjust(&staff, product, -2).await;
        adjust(&staff, product, 1).await;
    }
    available(&staff, &mark, &[&first, &second]).await;
    // The second one has heard of what is still to come.
    let products = stack.db("products").collection::<Document>("products");
    let later = doc! { "seq": 100_i64, "is_available": false };
    products.update_one(doc! { "_id": &second }, doc! { "$set": { "stock": &later } }).await.expect("root may");
    products.update_one(doc! { "_id": &first }, doc! { "$unset": { "stock": "" } }).await.expect("root may");
    replay(&stack).await;
    let known = doc! { "seq": 3_i64, "is_available": true };
    assert_eq!(kept(&stack, "products", &first).await.expect("it has"), known);
    assert_eq!(kept(&stack, "products", &second).await.expect("it has"), later);
    stack.stop().await;
}

#[tokio::test]
async fn stock_that_is_told_before_its_product_is_there_is_not_lost() {
    let mut stack = Stack::start(StackOptions::default()).await;
    let (staff, mark) = (Client::staff(&stack).await, word());
    let body = |number: i32| {
        let price = json!({ "currencyCode": "EUR", "units": "5" });
        json!({ "name": mark, "sku": format!("{mark}-{number}"), "price": price })
    };
    let create = async |staff: &Client, number: i32| {
        staff.post_with_key("/v1/products", body(number), &format!("{mark}-{number}")).await.expect(201)
    };
    let [first, second] = [create(&staff, 1).await, create(&staff, 2).await].map(|it| id(&it, "productId").to_owned());
    let products = stack.db("products").collection::<Document>("products");
    for product in [&first, &second] {
        adjust(&staff, product, 1).await;
    }
    available(&staff, &mark, &[&first, &second]).await;
    let mut gone = Vec::new();
    for product in [&first, &second] {
        let mut found = products.find_one_and_delete(doc! { "_id": product }).await.expect("root may").expect("is");
        found.remove("stock");
        gone.push(found);
    }
    replay(&stack).await;
    for product in [&first, &second] {
        kept(&stack, "early_stock", product).await.expect("it waits");
    }
    products.insert_many(gone).await.expect("root may");
    assert_eq!(ids(&search(&staff, &[("query", &mark)]).await.expect(200)).len(), 2);
    // Who adds a product finds its stock: here a repeat, since a product that was added has an identifier of its own.
    create(&staff, 1).await;
    available(&staff, &mark, &[&first]).await;
    stack.stop().await;
    stack.restart().await;
    available(&Client::staff(&stack).await, &mark, &[&first, &second]).await;
    let left = stack.db("products").collection::<Document>("early_stock").count_documents(doc! {}).await;
    assert_eq!(left.expect("mongod answers"), 0);
    stack.stop().await;
}

/// Availability is a hint, which may be old; what shops need of the catalogue does not hang on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_catalogue_stays_ready_while_the_events_of_inventory_cannot_be_read() {
    let mut names = vec!["gateway".to_owned()];
    let consumes = |name: &str| topology::Topology::get().service[name].consumes.iter().any(|from| from == "inventory");
    names.extend(topology::Topology::get().service.keys().filter(|name| !consumes(name)).cloned());
    let stack = Stack::start(StackOptions { services: Some(names), ..Default::default() }).await;
    limit_consumers(&stack, "EVT_INVENTORY", 1).await;
    let products = stack.serve("products");
    let refusal = "the broker refuses the durable consumer products on EVT_INVENTORY";
    let anyone = Client::anonymous(&stack);
    eventually(TIMEOUT, || async {
        let ready = anyone.get("/readyz").await;
        ensure!(ready.body["upstreams"]["comptoir.products.v1"] == "SERVING", "{:?}", ready.body);
        ensure!(events(&stack, &["lag", "--service", "products"]).contains(refusal), "{}", products.tail(20));
        Ok(())
    })
    .await;
    anyone.get("/v1/products").await.expect(200);
    tokio::time::sleep(Duration::from_secs(3)).await; // readiness is looked at each second
    let ready = anyone.get("/readyz").await;
    assert_eq!(ready.body["upstreams"]["comptoir.products.v1"], "SERVING", "{:?}", ready.body);
    products.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
