//! Consumers against real stores: killed, poisoned, robbed of their durable, and with holes in the stream.

use anyhow::ensure;
use async_nats::jetstream::{self, stream::Stream};
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use contracts::{
    events::v1::{
        DeadLetter, DropDeadLetterRequest, Event, GetDeadLetterRequest, GetLagRequest, Lag, ListDeadLettersRequest,
        ReplayEventsRequest, RetryDeadLettersRequest, event_service_client::EventServiceClient,
    },
    id::Kind,
    products::v1::{Product, ProductUpdated},
    shipping::v1::{ShipmentChanged, shipment},
};
use futures::TryStreamExt;
use kit::{Process, Stack, StackOptions, eventually};
use prost::{Message, Name};
use std::time::Duration;
use tonic::{
    Code, Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
};

const TIMEOUT: Duration = Duration::from_secs(90);

async fn stack_without(absent: &[&str]) -> Stack {
    let services = topology::Topology::get().service.keys().filter(|name| !absent.contains(&name.as_str())).cloned();
    Stack::start(StackOptions { services: Some(services.collect()), ..Default::default() }).await
}

/// An outbox with `each` events of type `M`, as a service would have written it; `data` makes the message of a seq.
fn outbox<M: Name>(each: i64, data: impl Fn(i64) -> Vec<u8>) -> Vec<Bson> {
    let entry = |seq: i64| -> Bson {
        let data = Binary { subtype: BinarySubtype::Generic, bytes: data(seq) };
        doc! {
            "id": Kind::Event.new_id(), "seq": seq, "type": M::full_name(), "name": "updated", "at": store::now(),
            "trace": Bson::Null, "data": data,
        }
        .into()
    };
    (1..=each).map(entry).collect()
}

/// Products with `each` events; `data` makes the message of a product and seq.
fn with_outbox(ids: &[String], each: i64, data: impl Fn(usize, i64) -> Vec<u8>) -> Vec<Document> {
    let now = store::now();
    let document = |(index, id): (usize, &String)| {
        doc! {
            "_id": id, "rev": each, "seq": each, "outbox": outbox::<ProductUpdated>(each, |seq| data(index, seq)),
            "name": "written by a test", "description": "", "sku": format!("MANY-{id}"),
            "price": { "currency": "EUR", "amount": bson::Decimal128::from_bytes([0; 16]) },
            "status": "Active", "created_at": now, "updated_at": now, "request_key": id,
        }
    };
    ids.iter().enumerate().map(document).collect()
}

/// Shipments of these orders with `each` events.
fn shipments(orders: &[String], each: i64) -> Vec<Document> {
    let document = |order_id: &String| {
        let shipment_id = Kind::Shipment.new_id();
        let state = shipment::State::Created.into();
        let message = ShipmentChanged {
            shipment_id: shipment_id.clone(),
            order_id: order_id.clone(),
            to: state,
            ..Default::default()
        };
        let outbox = outbox::<ShipmentChanged>(each, |_| message.encode_to_vec());
        doc! { "_id": shipment_id, "rev": each, "seq": each, "outbox": outbox, "order_id": order_id }
    };
    orders.iter().map(document).collect()
}

async fn write(stack: &Stack, products: Vec<Document>) {
    stack.db("products").collection("products").insert_many(products).await.expect("inserts");
}

fn renamed(seq: i64) -> Vec<u8> {
    let product = Product { name: format!("name {seq}"), ..Default::default() };
    ProductUpdated { product: Some(product), changed_fields: vec!["name".into()] }.encode_to_vec()
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|_| Kind::Product.new_id()).collect()
}

/// What order-history knows of a product: the last applied seq and the name.
async fn known(stack: &Stack, id: &str) -> (i64, String) {
    let found = stack.db("order-history").collection::<Document>("products").find_one(doc! { "_id": id }).await;
    let found = found.expect("mongod answers").unwrap_or_default();
    (found.get_i64("seq").unwrap_or(0), found.get_str("name").unwrap_or_default().to_owned())
}

async fn wait_for_all(stack: &Stack, ids: &[String], each: i64) {
    eventually(TIMEOUT, || async {
        let filter = doc! { "_id": { "$in": ids }, "seq": each, "name": format!("name {each}") };
        let done = stack.db("order-history").collection::<Document>("products").count_documents(filter).await?;
        ensure!(done == ids.len() as u64, "{done} of {} products are complete", ids.len());
        Ok(())
    })
    .await;
}

type Operator = EventServiceClient<InterceptedService<rpc::Channel, AsStaff>>;

/// Puts the token of a member of staff on every call.
#[derive(Clone)]
struct AsStaff(String);

impl Interceptor for AsStaff {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {}", self.0).parse().expect("ascii"));
        Ok(request)
    }
}

fn operator(stack: &Stack) -> Operator {
    let key = std::fs::read_to_string(stack.data().join("keys").join("user-tokens.pem")).expect("the key file");
    let signer = rpc::Signer::new(rpc::token::USER_TOKENS, &key).expect("a key");
    let token = signer.user_token("usr_operator", &["staff".to_owned()], Duration::from_secs(600)).expect("signs");
    let channel = rpc::Channel::new(stack.grpc("order-history"), None).expect("an address");
    EventServiceClient::with_interceptor(channel.with_deadline(Duration::from_secs(60)), AsStaff(token))
}

/// The dead letters by their place, once there are `count`.
async fn letters(operator: &Operator, count: usize) -> Vec<DeadLetter> {
    let mut letters = eventually(TIMEOUT, || {
        let mut operator = operator.clone();
        async move {
            let found = operator.list_dead_letters(ListDeadLettersRequest::default()).await?.into_inner().dead_letters;
            ensure!(found.len() == count, "{} letters", found.len());
            Ok(found)
        }
    })
    .await;
    letters.sort_by_key(|letter| event(letter).seq);
    letters
}

fn event(letter: &DeadLetter) -> Event {
    letter.event.clone().expect("a letter has an event")
}

/// The lag once nothing is left to deliver or to acknowledge.
async fn no_lag(operator: &Operator) -> Lag {
    eventually(TIMEOUT, || {
        let mut operator = operator.clone();
        async move {
            let lag = operator.get_lag(GetLagRequest {}).await?.into_inner();
            ensure!(lag.consumers.iter().all(|one| one.pending == 0 && one.unacknowledged == 0), "{lag:?}");
            Ok(lag)
        }
    })
    .await
}

/// The stream of the products, once it has `count` messages.
async fn stream_of(stack: &Stack, count: u64) -> Stream {
    let nats = jetstream::new(stack.nats().await);
    eventually(TIMEOUT, || async {
        let stream = nats.get_stream("EVT_PRODUCTS").await.map_err(|error| anyhow::anyhow!("{error}"))?;
        let messages = stream.get_info().await?.state.messages;
        ensure!(messages == count, "{messages} of {count} messages");
        Ok(stream)
    })
    .await
}

/// Removes the messages of these places in their aggregates from a stream of `count`.
async fn make_holes(stream: &Stream, count: u64, seqs: &[i64]) {
    for sequence in 1..=count {
        let message = stream.get_raw_message(sequence).await.expect("is there");
        let seq = message.headers.get("ce-sequence").and_then(|value| value.as_str().parse().ok());
        if seq.is_some_and(|seq| seqs.contains(&seq)) {
            stream.delete_message(sequence).await.expect("deletes");
        }
    }
}

#[tokio::test]
async fn one_poison_event_among_10000_holds_up_its_aggregate_alone_until_the_retry() {
    let stack = stack_without(&["products"]).await;
    let ids = ids(1000);
    let poison = |index: usize, seq: i64| if (index, seq) == (500, 5) { vec![0xff, 0xff] } else { renamed(seq) };
    write(&stack, with_outbox(&ids, 10, poison)).await;
    let relay = stack.serve("products");
    let healthy: Vec<String> =
        ids.iter().enumerate().filter(|(index, _)| *index != 500).map(|(_, id)| id.clone()).collect();
    wait_for_all(&stack, &healthy, 10).await;
    let parked = &ids[500];
    assert_eq!(known(&stack, parked).await, (4, "name 4".to_owned()));

    let mut operator = operator(&stack);
    let letters = letters(&operator, 6).await;
    let seqs: Vec<i64> = letters.iter().map(|letter| event(letter).seq).collect();
    assert_eq!(seqs, [5, 6, 7, 8, 9, 10]);
    let first = &letters[0];
    assert!(first.reason.contains("cannot be decoded") && first.next_attempt_time.is_none(), "{first:?}");
    let event_id = event(first).id;
    let shown = operator.get_dead_letter(GetDeadLetterRequest { event_id: event_id.clone() }).await;
    assert_eq!(shown.expect("is there").into_inner().event, first.event);

    let retry = RetryDeadLettersRequest { aggregate_id: parked.clone() };
    let still = operator.retry_dead_letters(retry.clone()).await.expect_err("the poison is still there");
    assert_eq!(still.code(), Code::FailedPrecondition);
    let cured = Binary { subtype: BinarySubtype::Generic, bytes: renamed(5) };
    let dead_letters = stack.db("order-history").collection::<Document>("dead_letters");
    dead_letters.update_one(doc! { "_id": &event_id }, doc! { "$set": { "data": cured } }).await.expect("updates");
    let retried = operator.retry_dead_letters(retry).await.expect("now it works").into_inner();
    assert_eq!((retried.applied, retried.left), (6, 0));
    assert_eq!(known(&stack, parked).await, (10, "name 10".to_owned()));
    relay.stop(TIMEOUT).await.expect("products drains");
}

#[tokio::test]
async fn an_event_that_is_given_up_counts_as_applied_and_those_behind_it_follow() {
    let stack = stack_without(&["products"]).await;
    let ids = ids(1);
    let poison = |_: usize, seq: i64| if seq == 2 { vec![0xff] } else { renamed(seq) };
    write(&stack, with_outbox(&ids, 4, poison)).await;
    let relay = stack.serve("products");
    let mut operator = operator(&stack);
    let letters = letters(&operator, 3).await;
    let drop = |letter: &DeadLetter| DropDeadLetterRequest { event_id: event(letter).id };
    let later = operator.drop_dead_letter(drop(&letters[1])).await;
    assert_eq!(later.expect_err("not the first").code(), Code::FailedPrecondition);
    let dropped = operator.drop_dead_letter(drop(&letters[0])).await.expect("drops").into_inner();
    assert_eq!((dropped.applied, dropped.left), (2, 0));
    assert_eq!(known(&stack, &ids[0]).await, (4, "name 4".to_owned()));
    relay.stop(TIMEOUT).await.expect("products drains");
}

/// The rows of these orders, once each has ten events of its shipment.
async fn rows_with_ten_events(stack: &Stack, orders: &[String]) -> Vec<Document> {
    let rows = stack.db("order-history").collection::<Document>("order_history");
    let is_ten = |seq: &Bson| seq.as_i64() == Some(10);
    let has_all = |row: &Document| row.get_document("applied").is_ok_and(|applied| applied.values().any(is_ten));
    eventually(TIMEOUT, || async {
        let rows = rows.find(doc! { "_id": { "$in": orders } }).sort(doc! { "_id": 1 }).await?;
        let rows: Vec<Document> = rows.try_collect().await?;
        let done = rows.iter().filter(|row| has_all(row)).count();
        ensure!(done == orders.len(), "{done} of {} rows have 10 events", orders.len());
        Ok(rows)
    })
    .await
}

/// A stack without order-history in which shipping has ten events of the shipment of each of 20 orders.
async fn shipments_that_nobody_reads() -> (Stack, Vec<String>, Process) {
    let stack = stack_without(&["shipping", "order-history"]).await;
    let orders: Vec<String> = (0..20).map(|_| Kind::Order.new_id()).collect();
    stack.db("shipping").collection("shipments").insert_many(shipments(&orders, 10)).await.expect("inserts");
    let relay = stack.serve("shipping");
    (stack, orders, relay)
}

#[tokio::test]
async fn a_consumer_killed_after_its_effect_and_before_its_ack_applies_each_event_once() {
    let (stack, orders, relay) = shipments_that_nobody_reads().await;
    for pass in [1, 50, 120] {
        let consumer = stack.serve_with("order-history", &[("COMPTOIR_CRASH_AT", &format!("consumer.applied:{pass}"))]);
        consumer.ended(TIMEOUT).await.expect("it crashes where it was told to");
    }
    let consumer = stack.serve("order-history");
    let complete = rows_with_ten_events(&stack, &orders).await;
    no_lag(&operator(&stack)).await; // what was not acknowledged has come again
    assert_eq!(rows_with_ten_events(&stack, &orders).await, complete, "what came again has written");
    consumer.stop(TIMEOUT).await.expect("order-history drains");
    relay.stop(TIMEOUT).await.expect("shipping drains");
}

#[tokio::test]
async fn a_consumer_killed_before_it_writes_what_it_holds_has_acknowledged_none_of_it() {
    let (stack, orders, relay) = shipments_that_nobody_reads().await;
    // The first write has one event; by the second all are held.
    let killed = stack.serve_with("order-history", &[("COMPTOIR_CRASH_AT", "order_history.writing:2")]);
    killed.ended(TIMEOUT).await.expect("it crashes where it was told to");
    let consumer = stack.serve("order-history");
    rows_with_ten_events(&stack, &orders).await;
    consumer.stop(TIMEOUT).await.expect("order-history drains");
    relay.stop(TIMEOUT).await.expect("shipping drains");
}

#[tokio::test]
async fn a_consumer_whose_durable_is_deleted_makes_it_anew_and_misses_nothing() {
    let stack = stack_without(&["products"]).await;
    let relay = stack.serve("products");
    let (first, second) = (ids(5), ids(5));
    write(&stack, with_outbox(&first, 3, |_, seq| renamed(seq))).await;
    wait_for_all(&stack, &first, 3).await;
    let nats = jetstream::new(stack.nats().await);
    let stream = nats.get_stream("EVT_PRODUCTS").await.expect("is there");
    stream.delete_consumer("order-history").await.expect("deletes");
    write(&stack, with_outbox(&second, 3, |_, seq| renamed(seq))).await;
    wait_for_all(&stack, &second, 3).await;
    wait_for_all(&stack, &first, 3).await;
    relay.stop(TIMEOUT).await.expect("products drains");
}

#[tokio::test]
async fn a_hole_in_the_stream_is_filled_from_the_owners_log() {
    let stack = stack_without(&["products", "order-history"]).await;
    let ids = ids(3);
    write(&stack, with_outbox(&ids, 8, |_, seq| renamed(seq))).await;
    let relay = stack.serve("products");
    make_holes(&stream_of(&stack, 24).await, 24, &[2, 3, 6]).await;
    let consumer = stack.serve("order-history");
    wait_for_all(&stack, &ids, 8).await;
    consumer.stop(TIMEOUT).await.expect("order-history drains");
    relay.stop(TIMEOUT).await.expect("products drains");
}

/// gRPC takes messages of 4 MiB.
#[tokio::test]
async fn a_hole_that_is_larger_than_a_message_between_services_is_filled_in_pages() {
    let stack = stack_without(&["products", "order-history"]).await;
    let ids = ids(1);
    let large = |_: usize, seq: i64| {
        let product = Product { name: format!("name {seq}"), description: "x".repeat(200_000), ..Default::default() };
        ProductUpdated { product: Some(product), changed_fields: Vec::new() }.encode_to_vec()
    };
    write(&stack, with_outbox(&ids, 40, large)).await;
    let relay = stack.serve("products");
    let hole: Vec<i64> = (2..40).collect();
    make_holes(&stream_of(&stack, 40).await, 40, &hole).await;
    let consumer = stack.serve("order-history");
    wait_for_all(&stack, &ids, 40).await;
    assert!(!consumer.output().contains("cannot fill a gap"), "{}", consumer.tail(20));
    consumer.stop(TIMEOUT).await.expect("order-history drains");
    relay.stop(TIMEOUT).await.expect("products drains");
}

#[tokio::test]
async fn a_replay_has_no_further_effect_and_lag_counts_what_is_left() {
    let stack = stack_without(&["products"]).await;
    let ids = ids(10);
    write(&stack, with_outbox(&ids, 5, |_, seq| renamed(seq))).await;
    let relay = stack.serve("products");
    wait_for_all(&stack, &ids, 5).await;
    let mut operator = operator(&stack);
    let replay = ReplayEventsRequest { source: "products".into(), from_log_sequence: 11 };
    let replayed = operator.replay_events(replay).await.expect("replays").into_inner().replayed;
    assert_eq!(replayed, 40, "50 events without the first ten");
    wait_for_all(&stack, &ids, 5).await;
    let lag = no_lag(&operator).await;
    let sources: Vec<&str> = lag.consumers.iter().map(|one| one.source.as_str()).collect();
    assert_eq!(sources, ["users", "products", "orders", "payments", "shipping"]);
    relay.stop(TIMEOUT).await.expect("products drains");
}
