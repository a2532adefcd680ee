//! What a bare driver does on the same mongod: the bounds of any design on this machine.

use bson::{Document, doc};
use kit::Stack;
use mongodb::Collection;
use std::time::{Duration, Instant};

/// Orders per second of `clients` that write `writes` times per order, one after the other, each to its own document.
pub async fn orders(stack: &Stack, clients: usize, writes: usize, time: Duration) -> anyhow::Result<f64> {
    let documents = collection(stack).await?;
    let began = Instant::now();
    let one = |client: usize| {
        let documents = &documents;
        async move {
            let mut orders = 0;
            while began.elapsed() < time {
                let id = format!("{client}/{orders}");
                documents.insert_one(doc! { "_id": &id, "rev": 1, "text": "x".repeat(1024) }).await?;
                for rev in 1..writes {
                    let (filter, rev) = (doc! { "_id": &id }, i32::try_from(rev)?);
                    documents.update_one(filter, doc! { "$set": { "rev": rev + 1 } }).await?;
                }
                orders += 1;
            }
            anyhow::Ok(orders)
        }
    };
    let counts = futures::future::try_join_all((0..clients).map(one)).await?;
    Ok(counts.iter().sum::<usize>() as f64 / began.elapsed().as_secs_f64())
}

/// Units per second that `clients` take from one document by single conditional updates.
pub async fn conditional_updates(stack: &Stack, clients: usize, time: Duration) -> anyhow::Result<f64> {
    let documents = collection(stack).await?;
    documents.insert_one(doc! { "_id": "hot", "available": 1_000_000_000_i64, "reserved": 0_i64 }).await?;
    let began = Instant::now();
    let one = |_| async {
        let mut taken = 0;
        while began.elapsed() < time {
            let enough = doc! { "_id": "hot", "available": { "$gte": 1 } };
            let take = doc! { "$inc": { "available": -1_i64, "reserved": 1_i64 } };
            taken += documents.update_one(enough, take).await?.matched_count;
        }
        anyhow::Ok(taken)
    };
    let counts = futures::future::try_join_all((0..clients).map(one)).await?;
    Ok(counts.iter().sum::<u64>() as f64 / began.elapsed().as_secs_f64())
}

/// An empty collection, with the concerns of the services.
async fn collection(stack: &Stack) -> anyhow::Result<Collection<Document>> {
    let database = store::connect(&stack.state().mongodb_uri, "bench_floor", "bench-orders").await?;
    let documents = database.collection::<Document>("documents");
    documents.drop().await?;
    Ok(documents)
}
