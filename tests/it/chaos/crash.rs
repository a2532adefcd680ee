//! SIGKILL of the whole system while orders are placed: what was answered is there, and everything comes to an end.

use super::frame;
use crate::cli::verify::is_clean;
use anyhow::ensure;
use async_nats::jetstream;
use bson::{Document, doc};
use futures::TryStreamExt;
use kit::shop::{TIMEOUT, draft, product, sagas_have_ended};
use kit::{Client, Stack, StackOptions, eventually};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};

const CUSTOMERS: usize = 6;
const ROUNDS: u64 = 3;
const TOKENS: [&str; 4] = ["tok_visa", "tok_visa", "tok_timeout", "tok_declined"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_any_moment_every_answered_order_exists_and_every_saga_ends() {
    let seed = frame::number("SEED").unwrap_or_else(rand::random);
    eprintln!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 1_000_000).await;
    let answered = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..ROUNDS {
        let customers = customers(&stack).await;
        let placing = customers.into_iter().enumerate().map(|(index, customer)| {
            let key = format!("{seed}-{round}-{index}");
            tokio::spawn(keep_placing(customer, product.clone(), key, answered.clone()))
        });
        let placing: Vec<_> = placing.collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(50..1500))).await; // the moment under test
        if random.random_bool(0.5) {
            stack.kill().await
        } else {
            stack.kill_all().await
        }
        for task in placing {
            task.await.expect("a customer does not panic");
        }
        stack.restart().await;
    }
    let answered = answered.lock().expect("no holder panics").clone();
    assert!(!answered.is_empty(), "no order was answered before the kills");
    sagas_have_ended(&stack, TIMEOUT).await;
    let orders = documents(&stack, "orders", "orders").await;
    assert!(orders.iter().all(|order| text(order, "state") != "Pending"), "{orders:?}");
    let known: BTreeSet<String> = orders.iter().map(|order| text(order, "_id")).collect();
    let lost: Vec<_> = answered.difference(&known).collect();
    assert!(lost.is_empty(), "answered and lost: {lost:?}");
    stock_and_money_agree(&stack, &orders, &product).await;
    the_streams_hold_every_event_once(&stack).await;
    history_equals_the_orders(&stack, &orders).await;
    is_clean(&stack).await;
    stack.stop().await;
}

async fn customers(stack: &Stack) -> Vec<Client> {
    let mut customers = Vec::new();
    for _ in 0..CUSTOMERS {
        customers.push(Client::register(stack).await.0);
    }
    customers
}

/// Places orders until the gateway is gone; notes each that was answered.
async fn keep_placing(customer: Client, product: String, key: String, answered: Arc<Mutex<BTreeSet<String>>>) {
    for number in 0.. {
        let body = draft(&[(&product, 1)], TOKENS[number % TOKENS.len()]);
        let request = customer.request(reqwest::Method::POST, "/v1/orders");
        let Ok(reply) = request.header("idempotency-key", format!("{key}-{number}")).json(&body).send().await else {
            return;
        };
        if reply.status() == 201
            && let Ok(order) = reply.json::<Value>().await
        {
            let id = order["orderId"].as_str().expect("an order has an id").to_owned();
            answered.lock().expect("no holder panics").insert(id);
        }
    }
}

async fn stock_and_money_agree(stack: &Stack, orders: &[Document], product: &str) {
    let confirmed: BTreeSet<String> =
        orders.iter().filter(|order| text(order, "state") == "Confirmed").map(|order| text(order, "_id")).collect();
    let counters = kit::shop::stock(stack, product).await;
    let sold = i64::try_from(confirmed.len()).expect("small");
    assert_eq!(counters, [1_000_000, 0, sold, 1_000_000 - sold]);
    for payment in documents(stack, "payments", "payments").await {
        let ledger = payment.get_array("ledger").expect("a payment has a ledger");
        let kinds: Vec<String> =
            ledger.iter().filter_map(|entry| entry.as_document()).map(|entry| text(entry, "kind")).collect();
        let authorizations = kinds.iter().filter(|kind| kind.eq_ignore_ascii_case("authorization")).count();
        assert!(authorizations <= 1, "charged twice: {payment}");
        let is_open = authorizations == 1 && kinds.len() == 1;
        assert_eq!(is_open, confirmed.contains(&text(&payment, "order_id")), "{payment}");
    }
}

/// Outbox and log of each service against its stream.
async fn the_streams_hold_every_event_once(stack: &Stack) {
    let nats = jetstream::new(stack.nats().await);
    for (service, table) in &topology::Topology::get().service {
        if table.aggregates.is_empty() {
            continue;
        }
        eventually(TIMEOUT, || async {
            let mut expected: HashMap<String, i64> = HashMap::new();
            for collection in table.aggregates.keys() {
                for document in documents(stack, service, collection).await {
                    expected.insert(text(&document, "_id"), document.get_i64("seq")?);
                }
            }
            let messages = messages(&nats, service).await?;
            let ids: BTreeSet<&String> = messages.iter().map(|(id, _, _)| id).collect();
            ensure!(ids.len() == messages.len(), "{service}: an event id is on the stream twice");
            let mut sequences: BTreeMap<&String, Vec<i64>> = BTreeMap::new();
            for (_, aggregate, seq) in &messages {
                sequences.entry(aggregate).or_default().push(*seq);
            }
            for (aggregate, last) in &expected {
                let seen = sequences.get(aggregate).cloned().unwrap_or_default();
                ensure!(seen == (1..=*last).collect::<Vec<_>>(), "{service} {aggregate}: 1..={last} became {seen:?}");
            }
            Ok(())
        })
        .await;
    }
}

/// Event id, aggregate id and sequence of each message, in stream order.
async fn messages(nats: &jetstream::Context, service: &str) -> anyhow::Result<Vec<(String, String, i64)>> {
    let stream = nats.get_stream(topology::stream(service)).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let last = stream.get_info().await?.state.messages;
    if last == 0 {
        return Ok(Vec::new());
    }
    let config = jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await?;
    let mut messages = consumer.messages().await?;
    let mut found = Vec::new();
    while let Some(message) = messages.try_next().await? {
        let header = |name: &str| {
            let value = message.headers.as_ref().and_then(|headers| headers.get(name));
            value.map(|value| value.as_str().to_owned()).unwrap_or_default()
        };
        found.push((header("ce-id"), header("ce-partitionkey"), header("ce-sequence").parse()?));
        if message.info().map_err(|error| anyhow::anyhow!("{error}"))?.pending == 0 {
            break;
        }
    }
    Ok(found)
}

async fn history_equals_the_orders(stack: &Stack, orders: &[Document]) {
    let staff = Client::staff(stack).await;
    for order in orders {
        let id = text(order, "_id");
        eventually(TIMEOUT, || async {
            let order = staff.get(&format!("/v1/orders/{id}")).await;
            let entry = staff.get(&format!("/v1/order-history/{id}")).await;
            ensure!(entry.status == 200, "{id}: {entry:?}");
            for field in ["state", "reason", "total", "items", "userId", "paymentState", "shipmentState"] {
                let (here, there) = (&order.body[field], &entry.body[field]);
                ensure!(here == there, "{id}: {field} is {here} but {there} in the history");
            }
            Ok(())
        })
        .await;
    }
}

async fn documents(stack: &Stack, service: &str, collection: &str) -> Vec<Document> {
    let found = stack.db(service).collection::<Document>(collection).find(doc! {}).await.expect("mongod answers");
    found.try_collect().await.expect("documents are whole")
}

fn text(document: &Document, field: &str) -> String {
    document.get_str(field).unwrap_or_default().to_owned()
}
