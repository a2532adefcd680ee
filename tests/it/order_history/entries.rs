//! The read model: folding events (pure, no stack), and what it answers of a real order.

use ::order_history::{Entry, Gap, fact, fold};
use anyhow::ensure;
use contracts::{
    google::r#type::Money,
    orders::v1::{OrderChanged, OrderCreated, OrderItem, ProductSnapshot, order},
    payments::v1::{PaymentChanged, payment},
    shipping::v1::{ShipmentChanged, ShipmentSplit, shipment},
};
use events::Event;
use kit::shop::place_draft;
use kit::{Client, eventually, shared};
use proptest::prelude::*;
use prost::{Message, Name};
use serde_json::{Value, json};
use std::{collections::VecDeque, time::Duration};

pub const ORDER: &str = "ord_1";
pub const PAYMENT: &str = "pay_1";
const SHIPMENT: &str = "shp_1";

fn event<M: Message + Name>(service: &str, aggregate_id: &str, seq: i64, message: &M) -> Event {
    Event {
        id: format!("evt_{aggregate_id}_{seq}"),
        service: service.to_owned(),
        aggregate: service.trim_end_matches('s').to_owned(),
        aggregate_id: aggregate_id.to_owned(),
        seq,
        log_sequence: seq,
        r#type: M::full_name(),
        name: "test".to_owned(),
        at: store::Time::from_millis(1_000_000 + seq),
        trace: None,
        actor: None,
        data: message.encode_to_vec().into(),
    }
}

fn euros(units: i64) -> Option<Money> {
    Some(Money { currency_code: "EUR".to_owned(), units, nanos: 0 })
}

pub fn created() -> Event {
    let snapshot = ProductSnapshot {
        name: "Teapot".to_owned(),
        sku: "TEA-1".to_owned(),
        price: euros(5),
        ..ProductSnapshot::default()
    };
    let item = OrderItem {
        product_id: "prd_1".to_owned(),
        quantity: 2,
        product_snapshot: Some(snapshot),
        amount: euros(10),
        ..OrderItem::default()
    };
    let message = OrderCreated {
        order_id: ORDER.to_owned(),
        user_id: "usr_1".to_owned(),
        items: vec![item],
        total: euros(10),
        create_time: Some(prost_types::Timestamp { seconds: 1_000, nanos: 1_000_000 }),
        ..OrderCreated::default()
    };
    event("orders", ORDER, 1, &message)
}

pub fn moved(seq: i64, from: order::State, to: order::State, reason: &str) -> Event {
    let message = OrderChanged {
        order_id: ORDER.to_owned(),
        user_id: "usr_1".to_owned(),
        from: from.into(),
        to: to.into(),
        reason: reason.to_owned(),
        payment_state: payment::State::Authorized.into(),
        ..Default::default()
    };
    event("orders", ORDER, seq, &message)
}

pub fn payment(seq: i64, to: payment::State) -> Event {
    let message = PaymentChanged {
        payment_id: PAYMENT.to_owned(),
        order_id: ORDER.to_owned(),
        to: to.into(),
        captured_amount: euros(if to == payment::State::Captured { 10 } else { 0 }),
        ..Default::default()
    };
    event("payments", PAYMENT, seq, &message)
}

pub fn shipment(seq: i64, to: shipment::State) -> Event {
    let message = ShipmentChanged {
        shipment_id: SHIPMENT.to_owned(),
        order_id: ORDER.to_owned(),
        to: to.into(),
        ..Default::default()
    };
    event("shipping", SHIPMENT, seq, &message)
}

fn after(entry: Option<Entry>, event: &Event) -> Result<Option<Entry>, Gap> {
    fold(entry, &fact(event).unwrap())
}

fn history() -> Vec<Event> {
    vec![
        created(),
        payment(1, payment::State::Authorizing),
        payment(2, payment::State::Authorized),
        moved(2, order::State::Pending, order::State::Confirmed, ""),
        shipment(1, shipment::State::Created),
        moved(3, order::State::Confirmed, order::State::Confirmed, ""),
        shipment(2, shipment::State::Dispatched),
        payment(3, payment::State::Captured),
        moved(4, order::State::Confirmed, order::State::Shipped, ""),
    ]
}

fn in_order(events: &[Event]) -> Entry {
    events.iter().fold(None, |entry, event| after(entry, event).unwrap()).unwrap()
}

#[test]
fn events_in_order_make_the_row() {
    let entry = in_order(&history());
    let order = entry.order.as_ref().unwrap();
    assert_eq!(order.state, i32::from(order::State::Shipped));
    assert_eq!(order.payment_state, i32::from(payment::State::Authorized));
    assert_eq!((order.items.len(), order.items[0].name.as_str()), (1, "Teapot"));
    assert_eq!(order.total.0.to_string(), "10.00 EUR");
    assert_eq!(order.created_at.timestamp_millis(), 1_000_001);
    let payment = entry.payment.as_ref().unwrap();
    assert_eq!(payment.state, i32::from(payment::State::Captured));
    assert_eq!(payment.captured.as_ref().unwrap().0.to_string(), "10.00 EUR");
    assert_eq!(entry.shipment.as_ref().unwrap().state, i32::from(shipment::State::Dispatched));
    assert_eq!((entry.applied(ORDER), entry.applied(PAYMENT), entry.applied(SHIPMENT)), (4, 3, 2));
    assert_eq!(entry.updated_at.timestamp_millis(), 1_000_004);
}

#[test]
fn a_row_of_two_shipments_shows_the_first_in_whatever_order_they_are_heard_of() {
    let other = format!("{SHIPMENT}9");
    let told = |seq: i64, to: shipment::State| {
        let (shipment_id, order_id) = (other.clone(), ORDER.to_owned());
        event("shipping", &other, seq, &ShipmentChanged { shipment_id, order_id, to: to.into(), ..Default::default() })
    };
    let (shipment_id, order_id) = (SHIPMENT.to_owned(), ORDER.to_owned());
    let split = ShipmentSplit { shipment_id, order_id, split_off_id: other.clone(), ..Default::default() };
    let split = event("shipping", SHIPMENT, 2, &split);
    let first = [shipment(1, shipment::State::Created), split, shipment(3, shipment::State::Dispatched)];
    let second =
        [told(1, shipment::State::Created), told(2, shipment::State::Dispatched), told(3, shipment::State::Lost)];
    let row = in_order(&[&first[..], &second].concat());
    assert_eq!(in_order(&[&second[..], &first].concat()), row);
    let shown = row.shipment.as_ref().unwrap();
    assert_eq!((shown.shipment_id.as_str(), shown.state), (SHIPMENT, i32::from(shipment::State::Dispatched)));
    assert_eq!((row.split_off.first(), row.applied(SHIPMENT), row.applied(&other)), (Some(&other), 3, 3));
}

#[test]
fn a_second_delivery_has_no_effect() {
    let entry = in_order(&history());
    for event in history() {
        assert_eq!(after(Some(entry.clone()), &event), Ok(None), "{event:?}");
    }
}

#[test]
fn an_event_that_overtook_its_predecessor_is_a_gap() {
    let confirmed = moved(2, order::State::Pending, order::State::Confirmed, "");
    assert_eq!(after(None, &confirmed), Err(Gap { expected: 1, seq: 2 }));
    let entry = after(None, &created()).unwrap();
    let cancelled = moved(3, order::State::Confirmed, order::State::Cancelling, "CHANGED_MIND");
    assert_eq!(after(entry, &cancelled), Err(Gap { expected: 2, seq: 3 }));
    assert_eq!(after(None, &payment(2, payment::State::Captured)), Err(Gap { expected: 1, seq: 2 }));
}

#[test]
fn a_payment_before_its_order_makes_a_row_without_an_order() {
    let stub = after(None, &payment(1, payment::State::Authorized)).unwrap().unwrap();
    assert_eq!((stub.order_id.as_str(), &stub.order), (ORDER, &None));
    let entry = after(Some(stub), &created()).unwrap().unwrap();
    assert_eq!(entry.order.unwrap().state, i32::from(order::State::Pending));
    assert_eq!(entry.payment.unwrap().payment_id, PAYMENT);
}

#[test]
fn state_and_reason_are_those_of_the_last_event() {
    let rejected = moved(2, order::State::Pending, order::State::Rejected, "OUT_OF_STOCK");
    let order = in_order(&[created(), rejected]).order.unwrap();
    assert_eq!((order.state, order.reason.as_str()), (order::State::Rejected.into(), "OUT_OF_STOCK"));
}

#[test]
fn an_unknown_type_is_skipped_and_counted() {
    let mut unknown = moved(2, order::State::Pending, order::State::Confirmed, "");
    unknown.r#type = "comptoir.orders.v1.OrderTeleported".to_owned();
    let entry = in_order(&[created(), unknown, moved(3, order::State::Pending, order::State::Confirmed, "")]);
    assert_eq!(entry.applied(ORDER), 3);
    assert_eq!(entry.order.unwrap().state, i32::from(order::State::Confirmed));
}

#[test]
fn an_event_that_breaks_its_contract_is_an_error_and_no_fact() {
    let mut broken = created();
    broken.data = vec![0xff].into();
    assert!(fact(&broken).unwrap_err().to_string().contains(&broken.id));
    let empty = event("orders", ORDER, 1, &OrderCreated { order_id: ORDER.to_owned(), ..Default::default() });
    assert!(fact(&empty).unwrap_err().to_string().ends_with("has no total"));
}

#[test]
fn a_row_survives_its_storage() {
    let entry = in_order(&history());
    let stored = bson::serialize_to_document(&entry).unwrap();
    assert_eq!(stored.get_str("_id").unwrap(), ORDER);
    assert_eq!(bson::deserialize_from_document::<Entry>(stored).unwrap(), entry);
}

proptest! {
    /// Whatever the order of delivery and however often, what is sent back on a gap comes again: the row is the same.
    #[test]
    fn any_delivery_leads_to_the_same_row(
        deliveries in Just([history(), history()].concat()).prop_shuffle(),
    ) {
        let mut queue: VecDeque<Event> = deliveries.into();
        let mut row = None;
        let mut attempts = 0;
        while let Some(event) = queue.pop_front() {
            attempts += 1;
            prop_assert!(attempts < 1_000, "gaps never close");
            match after(row.clone(), &event) {
                Ok(Some(next)) => row = Some(next),
                Ok(None) => {}
                Err(_) => queue.push_back(event),
            }
        }
        prop_assert_eq!(row, Some(in_order(&history())));
    }
}

async fn product(staff: &Client, stock: i64) -> Value {
    let sku = format!("HIST-{:016x}", rand::random::<u64>());
    let price = json!({ "currencyCode": "EUR", "units": "5" });
    let product = staff.post("/v1/products", json!({ "name": "Teapot", "sku": sku, "price": price })).await.expect(201);
    let path = format!("/v1/stock/{}:adjust", product["productId"].as_str().unwrap());
    staff.post(&path, json!({ "delta": stock, "reason": "test" })).await.expect(200);
    product
}

async fn place(customer: &Client, product: &Value) -> Value {
    let body = json!({
        "items": [{ "productId": product["productId"], "quantity": 1 }],
        "shippingAddress": {
            "name": "Ada", "line1": "1 Quay", "city": "Brest", "postalCode": "29200", "countryCode": "FR",
        },
        "paymentToken": "tok_visa",
    });
    let placed = place_draft(customer, body).await;
    assert_eq!(placed["state"], "CONFIRMED", "{placed}");
    placed
}

/// The entry of an order, once `test` holds.
pub async fn entry(client: &Client, order: &Value, test: impl Fn(&Value) -> bool) -> Value {
    let path = format!("/v1/order-history/{}", order["orderId"].as_str().unwrap());
    eventually(Duration::from_secs(20), || async {
        let reply = client.get(&path).await;
        ensure!(reply.status == 200 && test(&reply.body), "{reply:?}");
        Ok(reply.body)
    })
    .await
}

#[tokio::test]
async fn an_order_appears_with_its_payment_and_shipment() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (customer, user) = Client::register(stack).await;
    let order = place(&customer, &product(&staff, 5).await).await;
    let found = entry(&customer, &order, |it| {
        it["state"] == "CONFIRMED" && it["payment"]["state"] == "AUTHORIZED" && it["shipment"]["state"] == "CREATED"
    })
    .await;
    assert_eq!(found["userId"], user["userId"]);
    assert_eq!(found["total"], order["total"]);
    assert_eq!(found["items"], order["items"]);
    assert_eq!(found["createTime"], order["createTime"]);
    assert_eq!(found["userDeleted"], false);
    assert_eq!(found["renamedProducts"], json!({}));
}

#[tokio::test]
async fn a_renamed_product_and_a_closed_account_show_in_the_entry() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (customer, user) = Client::register(stack).await;
    let product = product(&staff, 5).await;
    let order = place(&customer, &product).await;
    let id = product["productId"].as_str().unwrap();
    let price = json!({ "currencyCode": "EUR", "units": "7" });
    staff.patch(&format!("/v1/products/{id}"), json!({ "name": "Samovar", "price": price })).await.expect(200);
    let renamed = entry(&customer, &order, |it| it["renamedProducts"][id] == "Samovar").await;
    assert_eq!(renamed["items"], order["items"], "names and prices are those of the purchase");
    assert_eq!(renamed["items"][0]["productSnapshot"]["name"], "Teapot");
    customer.delete(&format!("/v1/users/{}", user["userId"].as_str().unwrap())).await.expect(200);
    entry(&staff, &order, |it| it["userDeleted"] == true).await;
}

#[tokio::test]
async fn everyone_lists_their_own_entries_newest_first_page_by_page() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (customer, _) = Client::register(stack).await;
    let product = product(&staff, 5).await;
    let (first, second) = (place(&customer, &product).await, place(&customer, &product).await);
    for order in [&first, &second] {
        entry(&customer, order, |_| true).await;
    }
    let page = customer.get("/v1/order-history?pageSize=1").await.expect(200);
    assert_eq!(page["orderHistories"][0]["orderId"], second["orderId"]);
    let token = page["nextPageToken"].as_str().unwrap();
    let path = format!("/v1/order-history?pageSize=1&pageToken={token}");
    let rest = customer.get(&path).await.expect(200);
    assert_eq!(rest["orderHistories"][0]["orderId"], first["orderId"]);
    assert_eq!(rest["nextPageToken"], "");
    staff.get(&path).await.expect(400);
}

#[tokio::test]
async fn somebody_elses_entry_is_not_found() {
    let stack = shared().await;
    let staff = Client::staff(stack).await;
    let (customer, _) = Client::register(stack).await;
    let (stranger, _) = Client::register(stack).await;
    let order = place(&customer, &product(&staff, 5).await).await;
    entry(&staff, &order, |_| true).await;
    let path = format!("/v1/order-history/{}", order["orderId"].as_str().unwrap());
    stranger.get(&path).await.expect(404);
    stranger.get("/v1/order-history/ord_absent").await.expect(404);
    Client::anonymous(stack).get(&path).await.expect(401);
    assert_eq!(stranger.get("/v1/order-history").await.expect(200)["orderHistories"], json!([]));
}
