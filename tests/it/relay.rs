//! The relay against real stores: what was written while it was off, and the broker that lost data.

use anyhow::ensure;
use async_nats::jetstream;
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::{Client, Stack, StackOptions, eventually};
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};
use store::{Change, Documents, NewEvent};

const PATIENCE: Duration = Duration::from_secs(60);

/// A stack in which the products service does not run, so that its relay is off.
async fn stack_without_products() -> Stack {
    let services = topology::Topology::get().service.keys().filter(|name| *name != "products").cloned();
    Stack::start(StackOptions { services: Some(services.collect()), ..Default::default() }).await
}

/// `documents` aggregates with `changes` events each, written as the service would.
async fn write(stack: &Stack, documents: usize, changes: usize) {
    let repository: Documents<products::Product> = Documents::new(&stack.db("products"));
    let price = contracts::money::Money::new("EUR", 5.into()).expect("money");
    for index in 0..documents {
        let draft = products::Draft {
            name: "Written while the relay was off".into(),
            description: String::new(),
            sku: format!("OFF-{index}"),
            price: price.clone(),
            status: products::Status::Active,
        };
        let id = contracts::id::Kind::Product.new_id();
        let product = products::Product::create(draft, id.clone(), store::now()).expect("a product");
        let event =
            |number: usize| NewEvent { name: "updated".into(), r#type: "test".into(), data: vec![number as u8] };
        let mut newest = repository.insert(&id, product, vec![event(1)]).await.expect("inserts");
        for number in 2..=changes {
            let state = products::Product { description: number.to_string(), ..newest.state.clone() };
            newest = repository.save(&newest, Change { state, events: vec![event(number)] }).await.expect("saves");
        }
    }
}

/// Sequences on the stream by aggregate, in stream order; and the number of messages.
async fn published(stack: &Stack) -> anyhow::Result<(BTreeMap<String, Vec<i64>>, u64)> {
    let nats = jetstream::new(stack.nats().await);
    let stream = nats.get_stream("EVT_PRODUCTS").await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let state = stream.get_info().await?.state;
    let mut sequences: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await?;
        let header = |name: &str| message.headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
        sequences.entry(header("ce-partitionkey")).or_default().push(header("ce-sequence").parse()?);
    }
    Ok((sequences, state.messages))
}

async fn wait_for(stack: &Stack, documents: usize, changes: usize) {
    eventually(PATIENCE, || async {
        let (sequences, messages) = published(stack).await?;
        ensure!(messages == (documents * changes) as u64, "{messages} messages");
        ensure!(sequences.len() == documents);
        let whole: Vec<i64> = (1..=changes as i64).collect();
        ensure!(sequences.values().all(|seen| *seen == whole), "out of order: {sequences:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_starts_after_1000_changes_publishes_all_of_them_in_order_per_aggregate() {
    let stack = stack_without_products().await;
    write(&stack, 25, 40).await;
    let products = stack.serve("products");
    wait_for(&stack, 25, 40).await;
    let log = stack.db("products").collection::<Document>("events");
    let numbers: Vec<Document> =
        log.find(doc! {}).sort(doc! { "_id": 1 }).await.expect("finds").try_collect().await.expect("reads");
    let numbers: Vec<i64> = numbers.iter().filter_map(|entry| entry.get_i64("_id").ok()).collect();
    assert_eq!(numbers, (1..=1000).collect::<Vec<i64>>(), "the log has no gaps");
    products.stop(PATIENCE).await.expect("products drains");
}

#[tokio::test]
async fn a_killed_relay_is_replaced_and_nothing_is_published_twice() {
    let stack = stack_without_products().await;
    let first = stack.serve("products");
    write(&stack, 5, 20).await;
    first.kill().await;
    let second = stack.serve("products");
    wait_for(&stack, 5, 20).await;
    second.stop(PATIENCE).await.expect("products drains");
}

#[tokio::test]
async fn two_relays_of_one_service_publish_each_event_once() {
    let stack = stack_without_products().await;
    let both = [stack.serve("products"), stack.serve("products")];
    write(&stack, 10, 20).await;
    wait_for(&stack, 10, 20).await;
    for relay in both {
        relay.kill().await;
    }
}

#[tokio::test]
async fn a_deleted_stream_is_published_again_from_the_log() {
    let stack = stack_without_products().await;
    let first = stack.serve("products");
    write(&stack, 4, 10).await;
    wait_for(&stack, 4, 10).await;
    let nats = jetstream::new(stack.nats().await);
    nats.delete_stream("EVT_PRODUCTS").await.expect("deletes");
    first.stop(PATIENCE).await.expect("products drains");
    let second = stack.serve("products");
    wait_for(&stack, 4, 10).await;
    second.stop(PATIENCE).await.expect("products drains");
}

#[tokio::test]
async fn a_full_outbox_refuses_the_write_and_loses_nothing() {
    let stack = stack_without_products().await;
    let repository: Documents<products::Product> = Documents::new(&stack.db("products"));
    write(&stack, 1, 64).await;
    let full = repository.find_one(doc! {}).await.expect("reads").expect("is there");
    let event = NewEvent { name: "updated".into(), r#type: "test".into(), data: vec![0] };
    let refused = repository.save(&full, Change { state: full.state.clone(), events: vec![event.clone()] }).await;
    assert!(matches!(refused, Err(store::Error::Backlog(64))), "{refused:?}");
    let relay = stack.serve("products");
    wait_for(&stack, 1, 64).await;
    let accepted = repository.save(&full, Change { state: full.state.clone(), events: vec![event] }).await;
    accepted.expect("with the outbox in the log the write is accepted");
    wait_for(&stack, 1, 65).await;
    relay.stop(PATIENCE).await.expect("products drains");
}

#[tokio::test]
async fn a_service_can_open_no_database_and_no_subject_but_its_own() {
    let stack = kit::shared().await;
    let variables = stack.variables_of("products").expect("the variables of products");
    let own = mongodb::Client::with_uri_str(&variables["COMPTOIR_MONGODB_URI"]).await.expect("connects");
    own.database("products").collection::<Document>("products").find_one(doc! {}).await.expect("its own opens");
    let refused = own.database("orders").collection::<Document>("orders").find_one(doc! {}).await;
    assert!(refused.expect_err("orders must be closed").to_string().contains("not authorized"));
    let login = async_nats::ConnectOptions::with_user_and_password(
        "products".into(),
        variables["COMPTOIR_NATS_PASSWORD"].clone(),
    );
    let nats =
        login.custom_inbox_prefix("_INBOX_products").connect(&variables["COMPTOIR_NATS_URL"]).await.expect("connects");
    let request = async_nats::Request::new().payload("x".into()).timeout(Some(Duration::from_secs(2)));
    let refused = nats.send_request("evt.orders.order.created.ord_1", request).await;
    assert!(refused.is_err(), "products must not publish the events of orders");
    let state = jetstream::new(stack.nats().await).get_stream("EVT_ORDERS").await.expect("is there");
    assert!(state.get_last_raw_message_by_subject("evt.orders.order.created.ord_1").await.is_err());
    let customer = Client::customer(stack).await;
    customer.post("/v1/orders", json!({})).await.expect(400);
}
