//! A rebuild of a log with events that cannot be applied.

use super::{event_service, rebuild};
use anyhow::ensure;
use bson::{Binary, Bson, Document, doc, spec::BinarySubtype};
use contracts::{
    events::v1::{DropDeadLetterRequest, ListDeadLettersRequest},
    id::Kind,
    products::v1::{Product, ProductUpdated},
};
use kit::shop::TIMEOUT;
use kit::{Stack, StackOptions, eventually};
use prost::{Message, Name};

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
    let parked = eventually(TIMEOUT, || async {
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
    eventually(TIMEOUT, || {
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
