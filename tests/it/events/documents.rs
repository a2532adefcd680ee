//! What every writer relies on: an older revision writes nothing, and a request that was carried out is remembered.

use super::{
    shop::Shop,
    write::{event, fresh_name, product},
};
use contracts::id::Kind;
use products::Product;
use std::convert::Infallible;
use store::{Change, Documents, Error, Versioned};

/// A product with one event.
async fn stored(documents: &Documents<Product>) -> Versioned<Product> {
    let id = Kind::Product.new_id();
    documents.insert(&id, product(&id), vec![event("first")]).await.expect("mongod takes it")
}

/// `old` with this description, and an event.
fn described(old: &Versioned<Product>, description: &str) -> Change<Product> {
    let state = Product { description: description.to_owned(), ..old.state.clone() };
    Change { state, events: vec![event(&fresh_name())] }
}

#[tokio::test]
async fn of_two_writes_over_one_revision_the_second_is_refused_and_changes_nothing() {
    let shop = Shop::open().await;
    let documents = Documents::<Product>::new(&shop.db);
    let read = stored(&documents).await;
    let written = documents.save(&read, described(&read, "by the first")).await.expect("is current");
    let refused = documents.save(&read, described(&read, "by the second")).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    let now = documents.load(&read.id).await.expect("mongod answers").expect("is there");
    assert_eq!((now.rev, now.seq, now.state.description.as_str()), (written.rev, 2, "by the first"));
}

#[tokio::test]
async fn a_request_that_has_changed_a_document_does_not_change_it_again() {
    let shop = Shop::open().await;
    let documents = Documents::<Product>::new(&shop.db);
    let first = stored(&documents).await;
    let longer =
        |old: &Versioned<Product>| Ok::<_, Infallible>(Some(described(old, &format!("{}+", old.state.description))));
    for (key, expected) in [("a", "+"), ("a", "+"), ("b", "++"), ("a", "++"), ("", "+++"), ("", "++++")] {
        let changed = documents.change_once(&first.id, key, longer).await.expect("mongod takes it");
        assert_eq!(changed.state.description, expected, "after {key:?}");
        assert_eq!(changed.seq, 1 + i64::try_from(expected.len()).expect("short"));
    }
}
