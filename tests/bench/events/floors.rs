//! The parts alone: what the change stream and the broker do when nothing else is asked of them.

use crate::{latency::percentiles, site::Site};
use anyhow::{Context, ensure};
use async_nats::{
    HeaderMap,
    jetstream::stream::{Config, StorageType},
};
use bson::{Document, doc};
use mongodb::change_stream::event::ResumeToken;
use std::time::{Duration, Instant};

/// Messages in one batch.
const BATCH: usize = 500;

/// Repetitions of each step.
const STEPS: i32 = 500;

/// Changes per second that a client can read from where the relay will resume, with the relay's own projection.
pub async fn drain(site: &Site, changes: usize) -> anyhow::Result<f64> {
    let relay = site.database.collection::<Document>("relay").find_one(doc! {}).await?.context("a checkpoint")?;
    let token: ResumeToken = bson::deserialize_from_bson(relay.get("token").cloned().context("a token")?)?;
    let pipeline = [
        doc! { "$match": { "ns.coll": "items", "operationType": { "$in": ["insert", "update", "replace"] } } },
        doc! { "$project": { "operationType": 1, "ns": 1, "documentKey": 1, "clusterTime": 1 } },
    ];
    let began = Instant::now();
    let watch = site.database.watch().pipeline(pipeline).resume_after(token);
    let mut stream = watch.await?.with_type::<Document>();
    let mut seen = 0;
    while seen < changes {
        if stream.next_if_any().await?.is_some() {
            seen += 1;
        }
    }
    Ok(changes as f64 / began.elapsed().as_secs_f64())
}

/// Messages per second in atomic batches, each fsynced before the next, with headers and size of our events.
pub async fn publish(site: &Site, messages: usize) -> anyhow::Result<f64> {
    open_stream(site).await?;
    let payload = bytes::Bytes::from(vec![7_u8; 200]);
    let began = Instant::now();
    for batch in 0..messages / BATCH {
        for index in 1..=BATCH {
            let headers = headers(batch, index);
            let subject = format!("floor.item.changed.prd_{:026}", (batch * BATCH + index) / 4);
            if index < BATCH {
                site.nats.client.publish_with_headers(subject, headers, payload.clone()).await?;
                continue;
            }
            let request = async_nats::Request::new().headers(headers).payload(payload.clone());
            let request = request.timeout(Some(Duration::from_secs(10)));
            let answer: serde_json::Value =
                serde_json::from_slice(&site.nats.client.send_request(subject, request).await?.payload)?;
            ensure!(answer["seq"] == (batch + 1) * BATCH, "the batch was refused: {answer}");
        }
    }
    Ok(messages as f64 / began.elapsed().as_secs_f64())
}

async fn open_stream(site: &Site) -> anyhow::Result<()> {
    let config = Config {
        name: "FLOOR".into(),
        subjects: vec!["floor.>".into()],
        storage: StorageType::File,
        allow_atomic_publish: true,
        ..Default::default()
    };
    site.nats.jetstream.get_or_create_stream(config).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(())
}

/// How long one journaled insert and one fsynced message take when they come one after the other: the relay needs both.
pub async fn steps(site: &Site) -> anyhow::Result<String> {
    open_stream(site).await?;
    let collection = site.database.collection::<Document>("floor");
    let (mut inserts, mut messages) = (Vec::new(), Vec::new());
    for number in 0..STEPS {
        let began = Instant::now();
        collection.insert_one(doc! { "_id": number, "data": "x".repeat(400) }).await?;
        inserts.push(began.elapsed());
        let began = Instant::now();
        let request = async_nats::Request::new().payload("x".repeat(400).into());
        site.nats.client.send_request("floor.step", request).await?;
        messages.push(began.elapsed());
    }
    Ok(format!("journaled insert {}   fsynced message {}", percentiles(inserts), percentiles(messages)))
}

/// As many and as long as those of an event.
fn headers(batch: usize, index: usize) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let number = batch * BATCH + index;
    for (name, value) in [
        ("Nats-Msg-Id", format!("evt_{number:026}")),
        ("ce-specversion", "1.0".into()),
        ("ce-id", format!("evt_{number:026}")),
        ("ce-source", "/comptoir/bench".into()),
        ("ce-type", "comptoir.bench.v1.ItemChanged".into()),
        ("ce-subject", "item/prd_00000000000000000000000000".into()),
        ("ce-time", "2026-01-01T00:00:00.000Z".into()),
        ("ce-partitionkey", "prd_00000000000000000000000000".into()),
        ("ce-sequence", "1".into()),
        ("ce-logsequence", number.to_string()),
        ("content-type", "application/protobuf".into()),
        ("Nats-Batch-Id", format!("batch-{batch}")),
        ("Nats-Batch-Sequence", index.to_string()),
    ] {
        headers.insert(name, value.as_str());
    }
    if index == BATCH {
        headers.insert("Nats-Batch-Commit", "1");
    }
    headers
}
