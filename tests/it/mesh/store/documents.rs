//! Whatever state follows whatever other state of an aggregate, what is read back is what was written.

use crate::orders::stored::order;
use ::orders::{Coupon, Order};
use baskets::Basket;
use bson::{Bson, Document, doc};
use inventory::{Reservation, Stock};
use kit::Stores;
use payments::Payment;
use privacy::Erasure;
use products::{Category, Product, ProductGroup};
use rand::{Rng, SeedableRng, rngs::StdRng};
use shipping::Shipment;
use store::{Aggregate, Change, Database, Documents, NewEvent, Time};
use users::{Client, User};

/// States of one aggregate that are saved over each other.
const STATES: usize = 8;

fn money(amount: &str) -> Document {
    doc! { "currency": "EUR", "amount": Bson::Decimal128(amount.parse().expect("a decimal")) }
}

fn now() -> Time {
    Time::from_millis(1_700_000_000_000)
}

fn full_order() -> Document {
    let mut document = bson::serialize_to_document(&order()).expect("an order is a document");
    let sums = ["subtotal", "discount", "shipping", "tax", "included_tax", "total"];
    document.extend(doc! {
        "discount": { "code": "TEN", "amount": money("1.00") },
        "amounts": sums.map(|name| (name.to_owned(), money("1.00").into())).into_iter().collect::<Document>(),
        "cancellation": { "reason": "changed my mind", "actor": "usr_1" },
        "shipments": [{ "id": "shp_1", "lines": [], "state": "Created", "capture": null }],
        "frozen": "charged back",
        "hold_expires_at": now(),
    });
    document
}

fn full_user() -> Document {
    doc! {
        "email": "customer@example.com", "email_key": "customer@example.com", "name": "Customer",
        "profile": { "avatar": "https://example.com/a.png", "bio": "A bio", "location": "Paris" },
        "preferences": { "language": "fr", "timezone": "Europe/Paris", "email_notifications": false },
        "status": "Active", "roles": ["staff"], "password_hash": "$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
        "lock_reason": "A stolen card", "token_generation": 2_i64,
        "identity": { "issuer": "https://login.example.com", "subject": "1", "told_at": now() },
        "created_at": now(), "updated_at": now(), "request_key": "key",
    }
}

fn full_erasure() -> Document {
    doc! {
        "state": "Waiting", "receipts": [{ "service": "orders", "erased": 2_i64, "remaining": 1_i64, "at": now() }],
        "passes": 1, "passed_at": now(), "created_at": now(), "updated_at": now(), "completed_at": now(),
        "saga": full_order().get_document("saga").expect("an order has one").clone(),
    }
}

fn full_client() -> Document {
    doc! {
        "name": "Warehouse", "role": "staff", "secret_digest": "digest", "token_generation": 2_i64,
        "created_at": now(), "secret_created_at": now(),
    }
}

fn full_basket() -> Document {
    doc! {
        "user_id": "usr_1", "token_digest": "digest", "state": "CheckingOut",
        "items": [{ "product_id": "prd_1", "quantity": 2 }], "country_code": "FR", "coupon_code": "SUMMER",
        "currency_code": "EUR",
        "checkout": { "attempts": ["1", "2"], "at": now(), "rev": 3_i64 }, "order_id": "ord_1", "merged_into": "bsk_2",
        "created_at": now(), "updated_at": now(), "expires_at": now(), "request_key": "key", "request_digest": "digest",
    }
}

fn full_product() -> Document {
    doc! {
        "name": "Bread", "description": "Of rye", "sku": "BREAD", "price": money("4.20"), "status": "Active",
        "tax_category": "FOOD", "weight_grams": 750, "created_at": now(), "updated_at": now(), "request_key": "key",
        "category_ids": ["cat_1"], "media": [{ "uri": "https://example.com/bread.jpg", "alt_text": "A loaf" }],
        "words": ["bread", "of", "rye"], "name_key": "bread", "prices": [{ "price": money("4.20"), "at": now() }],
        "group_id": "grp_1", "options": [{ "name": "Colour", "value": "Brown" }], "variant_key": "grp_1\nbrown",
        "stock": { "seq": 3_i64, "is_available": true },
        "other_prices": [money("4.20")],
        "other_spans": [{ "price": money("4.20"), "at": now(), "until": now() }],
        "price_keys": { "EUR": "000000000000420prd_1" }, "price_keys_at": now(),
    }
}

fn full_category() -> Document {
    doc! {
        "name": "Food", "parent_id": "cat_1", "deleted": false, "created_at": now(), "updated_at": now(),
        "request_key": "key", "request_digest": "digest",
    }
}

fn full_product_group() -> Document {
    doc! {
        "name": "Bread", "description": "Of rye", "varies_by": ["Weight"], "variant_count": 3, "created_at": now(),
        "updated_at": now(), "request_key": "key", "request_digest": "digest",
    }
}

fn full_stock() -> Document {
    doc! { "on_hand": 3, "reserved": 1, "committed": 1, "backorder": true, "moves": 4_i64, "updated_at": now() }
}

fn full_reservation() -> Document {
    let lines = [doc! { "product_id": "prd_1", "quantity": 2 }];
    doc! {
        "state": "Shipped", "lines": lines.clone(), "returned": lines, "callers": { "keys": ["key"], "epoch": 2_i64 },
        "expires_at": now(), "created_at": now(), "updated_at": now(),
    }
}

fn full_payment() -> Document {
    doc! {
        "order_id": "ord_1", "user_id": "usr_1", "state": "Authorized", "asked": { "amount": money("10.00") },
        "token": "tok_visa", "provider_reference": "sbx_1", "decline_reason": "", "ledger": [], "intent": null,
        "refusals": 1, "check_at": now(), "frozen": "charged back", "callers": { "keys": ["key"], "epoch": 1_i64 },
        "created_at": now(), "updated_at": now(),
    }
}

fn full_shipment() -> Document {
    let lines = [doc! { "product_id": "prd_1", "quantity": 2, "name": "Bread", "sku": "BREAD", "weight_grams": 1 }];
    doc! {
        "order_id": "ord_1", "user_id": "usr_1", "state": "Dispatched", "lines": lines.clone(), "planned": lines.clone(),
        "split_from": "shp_0", "splits": [{ "request_id": "key", "shipment_id": "shp_2", "lines": lines }],
        "label": { "carrier": "sandbox", "tracking_number": "1" },
        "news": [{ "carrier": "sandbox", "event_id": "1", "kind": "InTransit", "at": now() }],
        "address": full_order().get_document("address").expect("an order has one").clone(),
        "callers": { "keys": ["key"], "epoch": 1_i64 }, "created_at": now(), "updated_at": now(),
    }
}

fn full_coupon() -> Document {
    doc! {
        "terms": {
            "benefit": { "Percentage": 1_000 }, "max_redemptions": 1, "max_redemptions_per_user": 1,
            "minimum": money("5.00"), "starts_at": now(), "expires_at": now(),
        },
        "redemption_count": 1_i64, "state": "Active", "created_at": now(), "updated_at": now(), "request_key": "key",
    }
}

/// What a field can be beside its value in the full document: absent, null, or empty.
fn variants(value: &Bson) -> Vec<Option<Bson>> {
    let empty = match value {
        Bson::String(_) => Bson::String(String::new()),
        Bson::Array(_) => Bson::Array(Vec::new()),
        Bson::Int32(_) => Bson::Int32(0),
        Bson::Boolean(value) => Bson::Boolean(!value),
        _ => Bson::Null,
    };
    vec![Some(value.clone()), None, Some(Bson::Null), Some(empty)]
}

/// A state drawn from the full one: each field as one of its variants that the aggregate can be read with.
fn draw<T: Aggregate>(full: &Document, random: &mut StdRng) -> T {
    let mut drawn = full.clone();
    for (name, value) in full {
        let mut candidate = drawn.clone();
        let variants = variants(value);
        match variants[random.random_range(0..variants.len())].clone() {
            Some(variant) => drop(candidate.insert(name, variant)),
            None => drop(candidate.remove(name)),
        }
        if bson::deserialize_from_document::<T>(candidate.clone()).is_ok() {
            drawn = candidate;
        }
    }
    bson::deserialize_from_document(drawn).expect("each step could be read")
}

fn stored<T: Aggregate>(state: &T) -> Document {
    bson::serialize_to_document(state).expect("a state is a document")
}

/// Saves each of a sequence of states over each other one, and reads every one of them back.
async fn each_over_each<T: Aggregate>(database: &Database, full: Document) {
    let seed = rand::random();
    let mut random = StdRng::seed_from_u64(seed);
    let whole: T = bson::deserialize_from_document(full.clone()).expect("the full document is a state");
    let drawn = (1..STATES).map(|_| draw::<T>(&full, &mut random));
    let states: Vec<T> = std::iter::once(whole).chain(drawn).collect();
    let documents = Documents::<T>::new(database);
    let event = || NewEvent { name: "changed".into(), r#type: "test.Changed".into(), data: Vec::new(), actor: None };
    for (number, first) in states.iter().enumerate() {
        for (other, second) in states.iter().enumerate() {
            let id = format!("{}_{number}_{other}", T::NOUN);
            let old = documents.insert(&id, first.clone(), vec![event()]).await.expect("it is new");
            let change = Change { state: second.clone(), events: vec![event()] };
            documents.save(&old, change).await.expect("nobody else writes");
            let read = documents.load(&id).await.expect("mongod answers").expect("it is there");
            assert_eq!(stored(&read.state), stored(second), "seed {seed}: {} after {:?}", T::NOUN, stored(first));
            let found = documents.collection().find_one(doc! { "_id": &id }).await.expect("mongod answers");
            let mut found = found.expect("it is there");
            for field in ["_id", "rev", "seq", "outbox", "mark"] {
                found.remove(field);
            }
            assert_eq!(found, stored(second), "seed {seed}: the form of {} in the store", T::NOUN);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_saved_over_any_other_is_read_back_as_it_was_saved() {
    let stores = Stores::start().await;
    let database = stores.db("products").await;
    each_over_each::<Order>(&database, full_order()).await;
    each_over_each::<Coupon>(&database, full_coupon()).await;
    each_over_each::<User>(&database, full_user()).await;
    each_over_each::<Client>(&database, full_client()).await;
    each_over_each::<Basket>(&database, full_basket()).await;
    each_over_each::<Product>(&database, full_product()).await;
    each_over_each::<Category>(&database, full_category()).await;
    each_over_each::<ProductGroup>(&database, full_product_group()).await;
    each_over_each::<Stock>(&database, full_stock()).await;
    each_over_each::<Reservation>(&database, full_reservation()).await;
    each_over_each::<Payment>(&database, full_payment()).await;
    each_over_each::<Shipment>(&database, full_shipment()).await;
    each_over_each::<Erasure>(&database, full_erasure()).await;
}

/// What a newer version of a service stores in a field that this version does not know.
#[tokio::test]
async fn a_write_keeps_the_fields_that_this_version_does_not_know() {
    let stores = Stores::start().await;
    let documents = Documents::<Product>::new(&stores.db("products").await);
    let product: Product = bson::deserialize_from_document(full_product()).expect("a product");
    documents.insert("prd_1", product.clone(), Vec::new()).await.expect("it is new");
    let newer = doc! { "$set": { "colour": "green" } };
    documents.collection().update_one(doc! { "_id": "prd_1" }, newer).await.expect("mongod answers");
    let old = documents.load("prd_1").await.expect("mongod answers").expect("it is there");
    let state = Product { tax_category: String::new(), ..product };
    documents.save(&old, Change { state, events: Vec::new() }).await.expect("nobody else writes");
    let raw =
        documents.collection().find_one(doc! { "_id": "prd_1" }).await.expect("mongod answers").expect("is there");
    assert_eq!((raw.get("colour"), raw.get("tax_category")), (Some(&Bson::from("green")), None));
}

/// Every aggregate of the services is in the test above.
#[test]
fn no_aggregate_is_left_out_of_the_states_that_are_saved_over_each_other() {
    let services = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../services");
    let tested = include_str!("documents.rs").lines().filter(|line| line.starts_with("    each_over_each::<")).count();
    assert_eq!(tested, aggregates_in(&services));
}

fn aggregates_in(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let count = |path: std::path::PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => text.matches("impl Aggregate for ").count(),
        Err(_) => aggregates_in(&path),
    };
    entries.map(|entry| count(entry.path())).sum()
}
