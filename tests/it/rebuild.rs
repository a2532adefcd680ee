//! A read model that is built anew: beside the one in use, without downtime, equal to the fold of the logs.

use crate::shop::{PATIENCE, draft, id, place, product};
use ::order_history::{Entry, fact, fold};
use anyhow::ensure;
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use contracts::{
    events::v1::{
        DropDeadLetterRequest, Event as WireEvent, ListDeadLettersRequest, ListEventsRequest, RebuildProgress,
        RebuildProjectionRequest, event_service_client::EventServiceClient, rebuild_progress::Phase,
    },
    id::Kind,
    orderhistory::v1::{GetOrderHistoryRequest, order_history_service_client::OrderHistoryServiceClient},
    products::v1::{Product, ProductUpdated},
};
use futures::TryStreamExt;
use kit::{Client, Process, Stack, StackOptions, eventually};
use prost::{Message, Name};
use rand::Rng;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tonic::{
    Code, Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

const ORDERS: usize = 220;
const READERS: usize = 2;

/// Adds a token to each call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// The event service of a service, as staff.
pub async fn event_service(stack: &Stack, service: &str) -> EventServiceClient<InterceptedService<Channel, Bearer>> {
    EventServiceClient::new(staff_channel(stack, stack.grpc(service)).await)
}

async fn staff_channel(stack: &Stack, address: &str) -> InterceptedService<Channel, Bearer> {
    let staff = Client::staff(stack).await;
    let header = format!("Bearer {}", staff.token().expect("staff has a token")).parse().expect("a token is ASCII");
    let endpoint = Channel::from_shared(address.to_owned()).expect("an address");
    InterceptedService::new(endpoint.connect_lazy(), Bearer(header))
}

/// Rebuilds the history; the last report.
async fn rebuild(stack: &Stack) -> Result<RebuildProgress, Status> {
    let mut service = event_service(stack, "order-history").await;
    let mut reports = service.rebuild_projection(RebuildProjectionRequest {}).await?.into_inner();
    let mut last = RebuildProgress::default();
    while let Some(report) = reports.message().await? {
        assert!(report.applied >= last.applied, "{last:?}, then {report:?}");
        last = report;
    }
    assert_eq!(last.phase(), Phase::Done, "{last:?}");
    Ok(last)
}

/// The suffix of the slot in use.
async fn suffix(stack: &Stack) -> &'static str {
    let state = stack.db("order-history").collection::<Document>("projection").find_one(doc! {}).await;
    match state.expect("mongod answers").as_ref().and_then(|state| state.get_str("slot").ok()) {
        Some("b") => "_b",
        _ => "",
    }
}

async fn count(stack: &Stack, collection: &str) -> u64 {
    let rows = stack.db("order-history").collection::<Document>(collection);
    rows.count_documents(doc! {}).await.expect("mongod answers")
}

/// The rows in use by order, without their revision.
async fn rows(stack: &Stack) -> anyhow::Result<BTreeMap<String, Entry>> {
    let name = format!("order_history{}", suffix(stack).await);
    let found: Vec<Entry> =
        stack.db("order-history").collection::<Entry>(&name).find(doc! {}).await?.try_collect().await?;
    Ok(found.into_iter().map(|entry| (entry.order_id.clone(), Entry { rev: 0, ..entry })).collect())
}

/// The rows as the logs of the sources tell them.
async fn fold_of_the_logs(stack: &Stack) -> anyhow::Result<BTreeMap<String, Entry>> {
    let mut rows = BTreeMap::new();
    for source in ["orders", "payments", "shipping"] {
        let mut service = event_service(stack, source).await;
        let mut after = 0;
        loop {
            let request = ListEventsRequest { after_log_sequence: after, ..Default::default() };
            let page = service.list_events(request).await?.into_inner().events;
            let Some(last) = page.last() else { break };
            after = last.log_sequence;
            for event in page {
                let fact = fact(&heard(event))?;
                if let Some(row) = fold(rows.get(&fact.order_id).cloned(), &fact)? {
                    rows.insert(fact.order_id, row);
                }
            }
        }
    }
    Ok(rows)
}

fn heard(event: WireEvent) -> events::Event {
    let at = event.time.expect("an event has a time");
    events::Event {
        id: event.id,
        service: event.service,
        aggregate: event.aggregate,
        aggregate_id: event.aggregate_id,
        seq: event.seq,
        log_sequence: event.log_sequence,
        r#type: event.r#type,
        name: event.name,
        at: store::Time::from_millis(at.seconds * 1000 + i64::from(at.nanos) / 1_000_000),
        trace: None,
        data: event.data.into(),
    }
}

async fn rows_are_the_fold_of_the_logs(stack: &Stack) {
    eventually(PATIENCE, || async {
        let (rows, fold) = (rows(stack).await?, fold_of_the_logs(stack).await?);
        ensure!(rows.len() == fold.len(), "{} rows, the logs tell of {}", rows.len(), fold.len());
        for (id, row) in &fold {
            ensure!(rows.get(id) == Some(row), "{id} is {:?}, the logs tell {row:?}", rows.get(id));
        }
        Ok(())
    })
    .await;
}

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
    eventually(PATIENCE, || async {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_repairs_a_row_that_was_changed_by_hand() {
    let mut stack = Stack::start(StackOptions::default()).await;
    let product = product(&stack, 10).await;
    let customer = Client::customer(&stack).await;
    let order = place(&customer, &[(&product, 2)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    let path = format!("/v1/order-history/{}", id(&order, "orderId"));
    let rows = stack.db("order-history").collection::<Document>("order_history");
    let lie = doc! { "$set": { "order.reason": "CHANGED_BY_HAND" } };
    rows.update_one(doc! { "_id": id(&order, "orderId") }, lie).await.expect("updates");
    assert_eq!(customer.get(&path).await.expect(200)["reason"], "CHANGED_BY_HAND");
    let done = rebuild(&stack).await.expect("rebuilds");
    assert_ne!(done.old_hash, done.new_hash, "{done:?}");
    assert_eq!(customer.get(&path).await.expect(200)["reason"], "");
    rows_are_the_fold_of_the_logs(&stack).await;
    let again = rebuild(&stack).await.expect("rebuilds");
    assert_eq!((&again.old_hash, &again.new_hash), (&done.new_hash, &done.new_hash));
    // The consumers of the slot in use go on after a restart.
    rebuild(&stack).await.expect("rebuilds");
    stack.stop().await;
    stack.restart().await;
    let customer = Client::customer(&stack).await;
    place(&customer, &[(&product, 1)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    assert_eq!(suffix(&stack).await, "_b");
    stack.stop().await;
}

#[tokio::test]
async fn a_second_rebuild_at_the_same_time_is_refused_and_one_that_is_left_changes_nothing() {
    let stack = Stack::start(StackOptions::default()).await;
    let mut service = event_service(&stack, "order-history").await;
    let first = service.rebuild_projection(RebuildProjectionRequest {}).await.expect("begins").into_inner();
    let refused = rebuild(&stack).await.expect_err("the first one is running");
    assert_eq!((refused.code(), rpc::status::reason(&refused).as_str()), (Code::FailedPrecondition, "REBUILD_RUNNING"));
    drop(first);
    let done = eventually(PATIENCE, || async { Ok(rebuild(&stack).await?) }).await;
    assert_eq!(done.old_hash, done.new_hash);
    assert_eq!(suffix(&stack).await, "_b", "the one that was left did not switch");
    let mut orders = event_service(&stack, "orders").await;
    let refused = orders.rebuild_projection(RebuildProjectionRequest {}).await.expect_err("has no read model");
    assert_eq!(refused.code(), Code::Unimplemented);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_the_switch_keeps_the_old_model_and_one_after_it_the_new_model() {
    let stack = stack_without_history().await;
    let product = product(&stack, 10).await;
    let customer = Client::customer(&stack).await;
    place(&customer, &[(&product, 1)], "tok_visa").await;
    for (label, expected) in [("rebuild.switching", ""), ("rebuild.switched", "_b")] {
        let crashing = stack.serve_with("order-history", &[("COMPTOIR_CRASH_AT", label)]);
        rows_are_the_fold_of_the_logs(&stack).await;
        let crashed = eventually(PATIENCE, || async {
            let failed = rebuild(&stack).await.expect_err("the process dies in it");
            let reason = rpc::status::reason(&failed);
            // It is not up yet, or the lease of the one that died has not run out.
            ensure!(crashing.ended(Duration::ZERO).await.is_ok(), "{reason}: {failed}");
            Ok(failed)
        })
        .await;
        assert_eq!(suffix(&stack).await, expected, "{label}: {crashed}");
        let idle = if expected.is_empty() { "order_history_b" } else { "order_history" };
        assert!(count(&stack, idle).await > 0, "{label} left something to clean up");
        let calm = stack.serve("order-history");
        rows_are_the_fold_of_the_logs(&stack).await;
        eventually(PATIENCE, || async {
            let left = count(&stack, idle).await;
            ensure!(left == 0, "{left} rows in {idle}");
            Ok(())
        })
        .await;
        calm.stop(PATIENCE).await.expect("order-history drains");
    }
    let calm = stack.serve("order-history");
    let done = eventually(PATIENCE, || async { Ok(rebuild(&stack).await?) }).await;
    assert_eq!(done.old_hash, done.new_hash);
    assert_eq!(suffix(&stack).await, "");
    calm.stop(PATIENCE).await.expect("order-history drains");
}

/// A stack in which order-history does not run; the gateway does.
async fn stack_without_history() -> Stack {
    let services = topology::Topology::get().service.keys().filter(|name| *name != "order-history").cloned();
    let services = services.chain(["gateway".to_owned()]).collect();
    Stack::start(StackOptions { services: Some(services), ..Default::default() }).await
}

/// A second replica, at an address of its own.
fn replica(stack: &Stack) -> (Process, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("there is a free port").to_string();
    let process = stack.serve_with("order-history", &[("COMPTOIR_LISTEN", &address)]);
    (process, format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_replica_follows_a_switch_and_nobody_fills_the_old_slot() {
    let stack = stack_without_history().await;
    let first = stack.serve("order-history");
    let (second, address) = replica(&stack);
    let product = product(&stack, 10).await;
    let customer = Client::customer(&stack).await;
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    let rows = stack.db("order-history").collection::<Document>("order_history");
    let lie = doc! { "$set": { "order.reason": "CHANGED_BY_HAND" } };
    rows.update_one(doc! { "_id": id(&order, "orderId") }, lie).await.expect("updates");
    let second_history = OrderHistoryServiceClient::new(staff_channel(&stack, &address).await);
    let reason = |order: &Value| {
        let (mut service, order_id) = (second_history.clone(), id(order, "orderId").to_owned());
        async move {
            let entry = service.get_order_history(GetOrderHistoryRequest { order_id }).await?;
            anyhow::Ok(entry.into_inner().reason)
        }
    };
    assert_eq!(eventually(PATIENCE, || reason(&order)).await, "CHANGED_BY_HAND");
    let done = eventually(PATIENCE, || async { Ok(rebuild(&stack).await?) }).await;
    assert_ne!(done.old_hash, done.new_hash);
    assert_eq!(reason(&order).await.expect("is there"), "", "the replica reads the new model");
    first.kill().await; // the second one fills the new slot alone
    let order = place(&customer, &[(&product, 1)], "tok_visa").await;
    rows_are_the_fold_of_the_logs(&stack).await;
    assert_eq!(reason(&order).await.expect("is there"), "");
    assert_eq!(count(&stack, "order_history").await, 0, "nobody fills the old slot");
    let nats = async_nats::jetstream::new(stack.nats().await);
    for source in &topology::Topology::get().service["order-history"].consumes {
        let stream = nats.get_stream(topology::stream(source)).await.expect("is there");
        let names: Vec<String> = stream.consumer_names().try_collect().await.expect("answers");
        let ours: Vec<&String> = names.iter().filter(|name| name.starts_with("order-history")).collect();
        assert_eq!(ours, ["order-history-b"], "{source}");
    }
    second.stop(PATIENCE).await.expect("order-history drains");
}

/// A product whose second event cannot be decoded.
fn poisoned(id: &str) -> Document {
    let now = store::now();
    let product = Product { name: "before".into(), ..Default::default() };
    let sound = ProductUpdated { product: Some(product), ..Default::default() }.encode_to_vec();
    let entry = |(seq, bytes): (i64, Vec<u8>)| -> Bson {
        let data = Binary { subtype: BinarySubtype::Generic, bytes };
        doc! {
            "id": Kind::Event.new_id(), "seq": seq, "type": ProductUpdated::full_name(), "name": "updated", "at": now,
            "trace": Bson::Null, "data": data,
        }
        .into()
    };
    let outbox: Vec<Bson> = [(1, sound.clone()), (2, vec![0xff]), (3, sound)].into_iter().map(entry).collect();
    doc! {
        "_id": id, "rev": 3_i64, "seq": 3_i64, "outbox": outbox, "name": "poisoned", "description": "", "sku": id,
        "price": { "currency": "EUR", "amount": "5".parse::<bson::Decimal128>().expect("a number") },
        "status": "Active", "created_at": now, "updated_at": now, "request_key": id,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_parks_what_cannot_be_applied_and_skips_what_was_given_up() {
    let stack = Stack::start(StackOptions::default()).await;
    let id = Kind::Product.new_id();
    let products = stack.db("products").collection::<Document>("products");
    products.insert_one(poisoned(&id)).await.expect("inserts");
    let service = event_service(&stack, "order-history").await;
    let letters = || {
        let mut service = service.clone();
        async move {
            let answer = service.list_dead_letters(ListDeadLettersRequest::default()).await?;
            anyhow::Ok(answer.into_inner().dead_letters)
        }
    };
    let parked = eventually(PATIENCE, || async {
        let parked = letters().await?;
        ensure!(parked.len() == 2, "{parked:?}");
        Ok(parked)
    })
    .await;
    let done = rebuild(&stack).await.expect("rebuilds around it");
    assert_eq!(done.old_hash, done.new_hash);
    let again = letters().await.expect("answers");
    let ids = |letters: &[contracts::events::v1::DeadLetter]| -> Vec<String> {
        letters.iter().filter_map(|letter| letter.event.as_ref()).map(|event| event.id.clone()).collect()
    };
    assert_eq!(ids(&again), ids(&parked), "the same events wait for the new model");
    let first = ids(&again)[0].clone();
    eventually(PATIENCE, || {
        let (mut service, event_id) = (service.clone(), first.clone());
        async move { Ok(service.drop_dead_letter(DropDeadLetterRequest { event_id }).await?) }
    })
    .await;
    let done = rebuild(&stack).await.expect("rebuilds");
    assert_eq!(done.old_hash, done.new_hash);
    assert_eq!(ids(&letters().await.expect("answers")), Vec::<String>::new());
    let found = stack.db("order-history").collection::<Document>("products").find_one(doc! { "_id": &id }).await;
    assert_eq!(found.expect("mongod answers").and_then(|found| found.get_i64("seq").ok()), Some(3));
    stack.stop().await;
}
