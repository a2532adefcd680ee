//! Thousands of sagas due at once, all of them for a peer that is down.

use super::lost_replies::{answers, orders};
use crate::{cli::verify::verify, orders::stored::order};
use ::orders::{Order, SAGAS};
use anyhow::ensure;
use bson::{Document, doc};
use contracts::{
    id::Kind,
    orders::v1::{OrderChanged, OrderCreated, order::State as WireState},
};
use kit::shop::{TIMEOUT, draft, id, order_with, place, product};
use kit::{Client, Stack, StackOptions, all_but, eventually};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use store::{Documents, NewEvent, now};

/// Sagas that are due unless `SAGAS` tells how many: more than runners look at in one place.
const DUE: usize = 2_000;

/// Orders whose goods leave meanwhile.
const LEAVING: usize = 10;

/// How long after the healing every saga must have ended.
const LIMIT: Duration = Duration::from_secs(60);

/// An order whose owner changed their mind before inventory had answered for the first time, as orders stores it. The
/// replica that took the wish has died, so its saga is due.
async fn cancelled(documents: &Documents<Order>) {
    let (id, now) = (Kind::Order.new_id(), now());
    let placed = Order {
        payment_id: Kind::Payment.new_id(),
        shipment_id: Kind::Shipment.new_id(),
        saga: saga::Saga::start(&::orders::PLACE_ORDER, "gone", now),
        created_at: now,
        updated_at: now,
        request_key: id.clone(),
        ..order()
    };
    let created = OrderCreated {
        order_id: id.clone(),
        user_id: placed.user_id.clone(),
        items: Vec::new(),
        total: Some(placed.total.to_wire()),
        create_time: Some(store::fields::time::to_wire(now)),
        ..OrderCreated::default()
    };
    let wish = bson::deserialize_from_document(doc! { "reason": "CANCELLED", "actor": &placed.user_id });
    let order = placed.cancel(SAGAS, wish.expect("a wish"), now).expect("legal").expect("a change");
    let changed = OrderChanged {
        order_id: id.clone(),
        user_id: order.user_id.clone(),
        from: WireState::Pending.into(),
        to: WireState::Cancelling.into(),
        reason: order.reason.clone(),
        ..Default::default()
    };
    let events = vec![NewEvent::of("created", &created), NewEvent::of("cancelling", &changed)];
    documents.insert(&id, order, events).await.expect("mongod answers");
}

fn due() -> usize {
    std::env::var("SAGAS").map_or(DUE, |count| count.parse().expect("a number of thousands"))
}

async fn crowd(stack: &Stack, due: usize) {
    let documents = Documents::<Order>::new(&stack.db("orders").into());
    for _ in 0..due / 1_000 {
        futures::future::join_all((0..1_000).map(|_| cancelled(&documents))).await;
    }
}

async fn count(stack: &Stack, filter: Document) -> usize {
    let orders = stack.db("orders").collection::<Document>("orders");
    usize::try_from(orders.count_documents(filter).await.expect("mongod answers")).expect("small")
}

async fn has(stack: &Stack, limit: Duration, filter: Document, wanted: usize) {
    eventually(limit, || async {
        let found = count(stack, filter.clone()).await;
        ensure!(found == wanted, "{found} of {wanted} are {filter}");
        Ok(())
    })
    .await;
}

async fn confirmed(customer: &Client, product: &str) -> Vec<Value> {
    let mut orders = Vec::new();
    for _ in 0..LEAVING {
        let order = place(customer, &[(product, 1)], "tok_visa").await;
        assert_eq!(order["state"], "CONFIRMED", "{order}");
        orders.push(order);
    }
    orders
}

/// The goods leave; the money is taken as on any day, though the stock cannot be booked.
async fn leave(stack: &Stack, customer: &Client, orders: &[Value]) {
    let staff = Client::staff(stack).await;
    for order in orders {
        staff.post(&format!("/v1/shipments/{}:dispatch", id(order, "shipmentId")), json!({})).await.expect(200);
    }
    for order in orders {
        order_with(customer, order, "paymentState", "CAPTURED").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_due_for_a_dead_peer_hold_up_nobody_and_end_once_it_is_back() {
    let due = due();
    let mut stack = Stack::start(StackOptions::default()).await;
    stack.stop().await;
    stack.restart_with(all_but(&["orders", "inventory"])).await;
    let inventory = stack.serve("inventory");
    let replicas = [orders(&stack, "").await, stack.serve_with("orders", &[("COMPTOIR_LISTEN", "127.0.0.1:0")])];
    let product = product(&stack, 100).await;
    let (customer, _) = Client::register(&stack).await;
    let leaving = confirmed(&customer, &product).await;
    inventory.kill().await;
    crowd(&stack, due).await;

    leave(&stack, &customer, &leaving).await;
    let fresh = customer.post("/v1/orders", draft(&[(&product, 1)], "tok_visa")).await.expect(201);
    assert_eq!(fresh["state"], "PENDING", "orders are taken all the same");
    let still = doc! { "state": "Cancelling" };
    assert_eq!(count(&stack, still.clone()).await, due, "none of them can end");

    let _inventory = stack.serve("inventory");
    let healed = Instant::now();
    has(&stack, LIMIT, still, 0).await;
    has(&stack, LIMIT, doc! { "saga.status": { "$in": ["Running", "Compensating", "Parked"] } }, 0).await;
    let ended = healed.elapsed();
    assert!(ended < LIMIT, "{ended:?}");
    assert_eq!(count(&stack, doc! { "state": "Cancelled", "saga.status": "Compensated" }).await, due);
    assert_eq!(count(&stack, doc! { "state": "Shipped" }).await, LEAVING);
    order_with(&customer, &fresh, "state", "CONFIRMED").await;
    eprintln!("{due} due at once: {LEAVING} others moved on; all ended {ended:.1?} after the healing");
    answers(&stack).await;
    let output = verify(&stack, &["--patience", "120"]).await;
    assert!(output.status.success(), "{output:?}");
    for process in replicas {
        process.stop(TIMEOUT).await.expect("it drains");
    }
    stack.stop().await;
}
