//! An erasure of more documents than one call takes, of which one cannot be read.

use crate::mesh::events::writer::product;
use bson::doc;
use futures::{StreamExt, stream};
use kit::Stores;
use products::Product;
use store::{Change, Documents, Erased, Versioned};

/// Documents of the test; a call erases 1,000.
const COUNT: usize = 1_050;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_ends_after_a_thousand_and_what_cannot_be_read_remains_alone() {
    let stores = Stores::start().await;
    let documents = Documents::<Product>::new(&stores.db("products").await);
    let inserted = stream::iter(0..COUNT).map(|number| {
        let id = format!("prd_{number:04}");
        let state = Product { description: "a person".to_owned(), ..product(&id) };
        let documents = &documents;
        async move { documents.insert(&id, state, Vec::new()).await.expect("it is new") }
    });
    inserted.buffer_unordered(64).for_each(async |_| ()).await;
    documents.insert("prd_other", product("prd_other"), Vec::new()).await.expect("it is new");
    let unreadable = doc! { "$set": { "name": 1 } };
    documents.collection().update_one(doc! { "_id": "prd_0007" }, unreadable).await.expect("root may");
    let erase = || {
        documents.erase(doc! { "description": "a person" }, |old: &Versioned<Product>| {
            let state = Product { description: String::new(), ..old.state.clone() };
            (old.id != "prd_1049").then_some(Change { state, events: Vec::new() })
        })
    };
    assert_eq!(erase().await.expect("mongod answers"), Erased { erased: 1_000, remaining: 50 });
    assert_eq!(erase().await.expect("mongod answers"), Erased { erased: 48, remaining: 2 });
    assert_eq!(erase().await.expect("mongod answers"), Erased { erased: 0, remaining: 2 });
    let untouched = documents.load("prd_other").await.expect("mongod answers").expect("it is there");
    assert_eq!(untouched.rev, 1);
}
