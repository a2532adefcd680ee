//! A rebuild while orders are placed and read.

use super::{
    rebuild,
    rows::{count, rows_are_the_fold_of_the_logs, suffix},
};
use anyhow::ensure;
use kit::shop::{TIMEOUT, draft, id, product};
use kit::{Client, Stack, StackOptions, eventually};
use rand::Rng;
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Orders before the rebuild begins.
const ORDERS: usize = 220;
/// Readers at a time.
const READERS: usize = 2;

/// Reads all the time until `stop`: whatever was once seen must stay, and never get older. How often it read.
async fn keep_reading(staff: Client, stop: Arc<AtomicBool>) -> usize {
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut reads = 0;
    while !stop.load(Ordering::Relaxed) {
        let page = staff.get("/v1/order-history?pageSize=20").await.expect(200);
        for entry in page["orderHistories"].as_array().expect("a list") {
            note(&mut seen, entry);
        }
        let picks: Vec<usize> = (0..5.min(seen.len())).map(|_| rand::rng().random_range(0..seen.len())).collect();
        for pick in picks.into_iter().chain(seen.len().checked_sub(1)) {
            let path = format!("/v1/order-history/{}", seen[pick].0);
            note(&mut seen, &staff.get(&path).await.expect(200));
            reads += 1;
        }
    }
    reads
}

fn note(seen: &mut Vec<(String, String)>, entry: &Value) {
    let (order, time) = (id(entry, "orderId").to_owned(), id(entry, "updateTime").to_owned());
    match seen.iter_mut().find(|(known, _)| *known == order) {
        Some((_, before)) => {
            assert!(millis(&time) >= millis(before), "{order} went back from {before} to {time}");
            *before = time;
        }
        None => seen.push((order, time)),
    }
}

fn millis(time: &str) -> i64 {
    bson::DateTime::parse_rfc3339_str(time).expect("a time").timestamp_millis()
}

/// Places orders until `stop`.
async fn keep_ordering(customer: Client, product: String, placed: Arc<AtomicUsize>, stop: Arc<AtomicBool>) {
    // Fast until there is something to rebuild, then at a pace: readers and folders share two cores with the writers.
    let mut pace = tokio::time::interval(Duration::from_millis(300));
    while !stop.load(Ordering::Relaxed) {
        customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
        if placed.fetch_add(1, Ordering::Relaxed) >= ORDERS {
            pace.tick().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_under_load_is_equal_and_no_reader_notices() {
    let stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 1_000_000).await;
    let (stop, placed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut ordering = Vec::new();
    for _ in 0..3 {
        let customer = Client::register(&stack).await.0;
        ordering.push(tokio::spawn(keep_ordering(customer, product.clone(), placed.clone(), stop.clone())));
    }
    eventually(TIMEOUT, || async {
        let placed = placed.load(Ordering::Relaxed);
        ensure!(placed >= ORDERS, "{placed} orders");
        Ok(())
    })
    .await;
    let staff = Client::staff(&stack).await;
    let reading: Vec<_> = (0..READERS).map(|_| tokio::spawn(keep_reading(staff.clone(), stop.clone()))).collect();
    let before = placed.load(Ordering::Relaxed);
    let done = rebuild(&stack).await.expect("rebuilds");
    let during = placed.load(Ordering::Relaxed) - before;
    assert_eq!(done.old_hash, done.new_hash, "{done:?}");
    assert_eq!((done.old_hash.len(), suffix(&stack).await), (64, "_b"));
    assert!(during > 0, "no order was placed during the rebuild");
    stop.store(true, Ordering::Relaxed);
    for task in ordering {
        task.await.expect("every order is accepted");
    }
    let mut reads = 0;
    for task in reading {
        reads += task.await.expect("a reader sees no error, no missing entry and nothing older");
    }
    rows_are_the_fold_of_the_logs(&stack).await;
    eprintln!("{} orders, {during} of them during the rebuild, {reads} reads", placed.load(Ordering::Relaxed));
    for collection in ["order_history", "users", "products"] {
        assert_eq!(count(&stack, collection).await, 0, "{collection} is empty when it is not in use");
    }
    stack.stop().await;
}
