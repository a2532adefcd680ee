//! What every writer relies on: an older revision writes nothing, and a request that was carried out is remembered.

use crate::mesh::events::{
    fixture::Fixture,
    writer::{event, fresh_name, product},
};
use bson::doc;
use contracts::id::Kind;
use products::Product;
use std::convert::Infallible;
use store::{Change, ChangeError, Documents, Error, RequestKey, Versioned};

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
    let fixture = Fixture::open().await;
    let documents = Documents::<Product>::new(&fixture.db);
    let read = stored(&documents).await;
    let written = documents.save(&read, described(&read, "by the first")).await.expect("is current");
    let refused = documents.save(&read, described(&read, "by the second")).await;
    assert!(matches!(refused, Err(Error::Conflict)), "{refused:?}");
    let now = documents.load(&read.id).await.expect("mongod answers").expect("is there");
    assert_eq!((now.rev, now.seq, now.state.description.as_str()), (written.rev, 2, "by the first"));
}

#[tokio::test]
async fn a_request_that_has_changed_a_document_does_not_change_it_again() {
    let fixture = Fixture::open().await;
    let documents = Documents::<Product>::new(&fixture.db);
    let first = stored(&documents).await;
    let longer =
        |old: &Versioned<Product>| Ok::<_, Infallible>(Some(described(old, &format!("{}+", old.state.description))));
    for (key, expected) in [("a", "+"), ("a", "+"), ("b", "++"), ("a", "++"), ("", "+++"), ("", "++++")] {
        let changed =
            documents.change_once(&first.id, request(key, 1).as_ref(), longer).await.expect("mongod takes it");
        assert_eq!(changed.state.description, expected, "after {key:?}");
        assert_eq!(changed.seq, 1 + i64::try_from(expected.len()).expect("short"));
    }
}

/// The request of a content under a key; none without a key.
fn request(key: &str, content: i64) -> Option<RequestKey> {
    let content = prost_types::Timestamp { seconds: content, nanos: 0 };
    RequestKey::new("orders", key, &content)
}

/// Changes nothing.
fn nothing(_: &Versioned<Product>) -> Result<Option<Change<Product>>, Infallible> {
    Ok(None)
}

#[tokio::test]
async fn another_request_under_a_known_key_is_refused_also_when_the_first_had_no_effect() {
    let fixture = Fixture::open().await;
    let documents = Documents::<Product>::new(&fixture.db);
    let first = stored(&documents).await;
    let same = documents.change_once(&first.id, request("a", 1).as_ref(), nothing).await.expect("mongod takes it");
    assert_eq!((same.rev, same.seq), (first.rev, first.seq), "no version and no event");
    let renamed = |old: &Versioned<Product>| Ok::<_, Infallible>(Some(described(old, "another")));
    let other = documents.change_once(&first.id, request("a", 2).as_ref(), renamed).await;
    assert!(matches!(other, Err(ChangeError::Store(Error::KeyReused))), "{other:?}");
    let again = documents.change_once(&first.id, request("a", 1).as_ref(), renamed).await.expect("a repeat");
    assert_eq!((again.rev, again.state.description.as_str()), (first.rev, first.state.description.as_str()));
}

#[tokio::test]
async fn a_key_that_is_older_than_digests_answers_as_before() {
    let fixture = Fixture::open().await;
    let documents = Documents::<Product>::new(&fixture.db);
    let first = stored(&documents).await;
    let name = request("a", 1).expect("a key").name().to_owned();
    let older = doc! { "$push": { "requests": name } };
    documents.collection().update_one(doc! { "_id": &first.id }, older).await.expect("mongod answers");
    let renamed = |old: &Versioned<Product>| Ok::<_, Infallible>(Some(described(old, "another")));
    for content in [1, 2] {
        let same = documents.change_once(&first.id, request("a", content).as_ref(), renamed).await.expect("a repeat");
        assert_eq!(same.rev, first.rev);
    }
    let new = documents.change_once(&first.id, request("b", 1).as_ref(), renamed).await.expect("a new key");
    assert_eq!(new.rev, first.rev + 1);
}
