//! The log in segments: what was appended together stands together, within bounds, and is read entry by entry.

use super::{TIMEOUT, fixture::Fixture, writer::Writer};
use crate::order_history::rebuild::event_service;
use anyhow::ensure;
use bson::{Document, doc};
use contracts::events::v1::ListEventsRequest;
use futures::TryStreamExt;
use kit::{eventually, shared};

/// The segments of a log that hold events of these aggregates, as first places and lengths.
async fn segments(db: &mongodb::Database, ids: &[String]) -> anyhow::Result<Vec<(i64, i64)>> {
    let log = db.collection::<Document>("events");
    let found: Vec<Document> = log.find(doc! { "entries.aid": { "$in": ids } }).await?.try_collect().await?;
    found.iter().map(|each| Ok((each.get_i64("_id")?, i64::try_from(each.get_array("entries")?.len())?))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_were_appended_together_are_read_from_any_place_among_them() {
    let stack = shared().await;
    let (db, mut service) = (stack.db("products"), event_service(stack, "products").await);
    let ids = Writer::new(&db.clone().into()).products(40, 3).await;
    eventually(TIMEOUT, || async {
        let logged = kit::log(&db, doc! { "aid": { "$in": &ids } }).await?.len();
        ensure!(logged == 120, "{logged} of 120 events are logged");
        Ok(())
    })
    .await;
    let found = segments(&db, &ids).await.expect("the log can be read");
    let (first, count) = found.into_iter().max_by_key(|(_, count)| *count).expect("there are segments");
    assert!(count > 3, "the largest segment has {count} entries");
    let end = first + count;
    for after in first - 1..end - 2 {
        let request = ListEventsRequest { after_log_sequence: after, page_size: 2, ..Default::default() };
        let page = service.list_events(request).await.expect("answers").into_inner().events;
        let places: Vec<i64> = page.iter().map(|event| event.log_sequence).collect();
        assert_eq!(places, [after + 1, after + 2], "in the segment {first}..{end}");
    }
    let request = ListEventsRequest { aggregate_id: ids[0].clone(), after_seq: 1, ..Default::default() };
    let own = service.list_events(request).await.expect("answers").into_inner().events;
    let own: Vec<(&str, i64)> = own.iter().map(|event| (event.aggregate_id.as_str(), event.seq)).collect();
    assert_eq!(own, [(ids[0].as_str(), 2), (ids[0].as_str(), 3)]);
}

#[tokio::test]
async fn an_append_is_one_segment_unless_its_bytes_are_too_many() {
    let fixture = Fixture::open().await;
    let ids = fixture.writer.products(25, 1).await;
    for id in &ids[..5] {
        let name = "x".repeat(200 * 1024);
        fixture.writer.try_rename(id, vec![name]).await.expect("mongod takes the change");
    }
    // The first relay reads everything, and appends it at once.
    let relay = fixture.relay();
    fixture.settled().await;
    let found = segments(&fixture.db, &ids).await.expect("the log can be read");
    let sum: i64 = found.iter().map(|(_, count)| count).sum();
    assert_eq!((sum, found.len()), (30, 3), "two events of 200 KiB fit one segment, three do not: {found:?}");
    relay.kill().await;
}
