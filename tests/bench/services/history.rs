//! Lists of a history of many orders, whose rows are made by the fold of order-history and inserted as they are.

use crate::{
    Sizes,
    catalogue::word,
    reads::{self, Kind},
};
use anyhow::Context;
use bson::{DateTime, Document};
use contracts::{
    google::r#type::Money,
    orders::v1::{OrderCreated, OrderItem, ProductSnapshot, order::State},
};
use kit::{Client, Stack};
use prost::{Message, Name};
use std::time::Instant;

/// Rows of one insert.
const BATCH: usize = 2_000;

/// Customers; one order in ten is of the first one.
const USERS: usize = 2_000;

/// Time of the first order, in seconds; there is one a minute.
const FIRST: i64 = 1_700_000_000;

pub async fn measure(stack: &Stack, sizes: &Sizes) -> anyhow::Result<()> {
    let (staff, began) = (Client::staff(stack).await, Instant::now());
    let rows = stack.db("order-history").collection::<Document>("order_history");
    for first in (0..sizes.orders).step_by(BATCH) {
        let batch: Vec<Document> = (first..sizes.orders.min(first + BATCH)).map(row).collect::<Result<_, _>>()?;
        rows.insert_many(batch).await?;
    }
    println!("\n{} rows folded and inserted in {:.0} s", sizes.orders, began.elapsed().as_secs_f64());
    let lists = [
        ("all", String::new()),
        ("of one of 2,000 users", "&userId=usr_1001".to_owned()),
        ("of a user of one order in ten", "&userId=usr_0".to_owned()),
        ("of that user, cancelled", "&userId=usr_0&states=CANCELLED".to_owned()),
        ("cancelled", "&states=CANCELLED".to_owned()),
        ("of a day", "&startTime=2023-11-20T00:00:00Z&endTime=2023-11-21T00:00:00Z".to_owned()),
        ("with a product", "&productId=prd_7".to_owned()),
        ("with a frequent word", format!("&query={}", word(0))),
        ("with a rare word", format!("&query={}", word(2_999))),
    ];
    let mut kinds = Vec::new();
    for (name, parameters) in lists {
        let path = format!("/v1/order-history?pageSize=20{parameters}");
        let first = staff.get(&path).await;
        anyhow::ensure!(first.status == 200, "{name}: {first:?}");
        let token = first.body["nextPageToken"].as_str().unwrap_or_default();
        if name == "all" && !token.is_empty() {
            kinds.push(Kind { name: "all, second page".to_owned(), path: format!("{path}&pageToken={token}") });
        }
        kinds.push(Kind { name: name.to_owned(), path });
    }
    let title = format!("Lists over {} orders, pages of 20", sizes.orders);
    reads::measure(&title, (&staff, &stack.db("order-history")), &kinds, sizes.time).await
}

/// The row of an order as order-history folds it from the event of its creation, in another state.
fn row(number: usize) -> anyhow::Result<Document> {
    let fact = order_history::fact(&event(number)).map_err(|error| anyhow::anyhow!("{error}"))?;
    let entry = order_history::fold(None, &fact).map_err(|gap| anyhow::anyhow!("{gap:?}"))?;
    let mut row = bson::serialize_to_document(&entry.context("the first event makes a row")?)?;
    let state = if number % 37 == 3 { State::Cancelled } else { State::Delivered };
    row.get_document_mut("order")?.insert("state", i32::from(state));
    row.insert("rev", 1_i64);
    Ok(row)
}

fn event(number: usize) -> events::Event {
    let seconds = FIRST + 60 * i64::try_from(number).unwrap_or_default();
    let euros = Some(Money { currency_code: "EUR".to_owned(), units: 12, nanos: 0 });
    // As unevenly frequent as the words of the catalogue.
    let rank = number.wrapping_mul(7_919) % 3_000;
    let snapshot = ProductSnapshot {
        name: format!("{} {}", word(rank * rank / 3_000), word(number % 3_000)),
        sku: format!("SKU-{}", number % 5_000),
        price: euros.clone(),
        ..Default::default()
    };
    let item = OrderItem {
        product_id: format!("prd_{}", number % 5_000),
        quantity: 1,
        product_snapshot: Some(snapshot),
        amount: euros.clone(),
        ..Default::default()
    };
    let user = if number.is_multiple_of(10) { 0 } else { number % USERS };
    let message = OrderCreated {
        order_id: format!("ord_{number:032}"),
        user_id: format!("usr_{user}"),
        items: vec![item],
        total: euros,
        create_time: Some(prost_types::Timestamp { seconds, nanos: 0 }),
        ..Default::default()
    };
    events::Event {
        id: format!("evt_{number}"),
        service: "orders".to_owned(),
        aggregate: "order".to_owned(),
        aggregate_id: message.order_id.clone(),
        seq: 1,
        log_sequence: 1,
        r#type: OrderCreated::full_name(),
        name: "created".to_owned(),
        at: DateTime::from_millis(seconds * 1_000),
        trace: None,
        actor: None,
        data: message.encode_to_vec().into(),
    }
}
