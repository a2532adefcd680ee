//! Kills at each labelled step, and a replay of the whole log: each event arrives, and none twice but by a kill between the
//! receiver's answer and its record.

use super::Shop;
use crate::{cli::verify::is_clean, order_history::rebuild::event_service};
use anyhow::ensure;
use contracts::events::v1::{GetLagRequest, ReplayEventsRequest};
use kit::eventually;
use kit::shop::{TIMEOUT, id};
use std::collections::BTreeMap;

impl Shop {
    /// How often the receiver was sent each event.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for taken in self.receiver.taken() {
            *counts.entry(taken.id).or_default() += 1;
        }
        counts
    }
}

/// The steps of a delivery, at each of which a process dies.
pub const LABELS: [&str; 7] = [
    "webhooks.writing",
    "webhooks.written",
    "consumer.applied",
    "webhooks.claimed",
    "webhooks.posting",
    "webhooks.posted",
    "webhooks.ended",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_a_killed_process_had_not_written_is_sent_before_those_after_it() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.created", "order.confirmed"]).await;
    webhooks.stop(TIMEOUT).await.expect("webhooks drains");
    // The broker gives the event of a process that has died to another one after some seconds, and later ones at once.
    let dying = shop.serve(&[("COMPTOIR_CRASH_AT", "webhooks.writing")]);
    let placing = shop.order();
    let (_, ended) = tokio::join!(placing, dying.ended(TIMEOUT));
    ended.expect("it dies at the first event");
    let webhooks = shop.serve(&[]);
    eventually(TIMEOUT, || async {
        ensure!(shop.admin.get("/v1/webhooks/endpoints").await.status == 200);
        Ok(())
    })
    .await;
    shop.settled(&endpoint, &[("order.created", "DELIVERED"), ("order.confirmed", "DELIVERED")]).await;
    let types: Vec<_> = shop.receiver.taken().iter().map(|taken| taken.json()["type"].clone()).collect();
    assert_eq!(types, ["order.created", "order.confirmed"]);
    is_clean(&shop.stack).await;
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_each_labelled_step_every_event_has_arrived_under_one_id() {
    let shop = Shop::open().await;
    let quick = ("COMPTOIR_WEBHOOK_SECONDS", "1");
    let webhooks = shop.serve(&[quick]);
    let endpoint = shop.endpoint(&["order.confirmed"]).await;
    webhooks.stop(TIMEOUT).await.expect("webhooks drains");
    for label in LABELS {
        shop.order().await;
        let dying = shop.serve(&[quick, ("COMPTOIR_CRASH_AT", label)]);
        dying.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
    }
    let webhooks = shop.serve(&[quick]);
    eventually(TIMEOUT, || async {
        ensure!(shop.admin.get("/v1/webhooks/endpoints").await.status == 200);
        Ok(())
    })
    .await;
    let deliveries = shop.settled(&endpoint, &[("order.confirmed", "DELIVERED"); 7]).await;
    let counts = shop.counts();
    let mut ids: Vec<String> = deliveries.iter().map(|delivery| id(delivery, "eventId").to_owned()).collect();
    ids.sort_unstable();
    assert_eq!(counts.keys().cloned().collect::<Vec<_>>(), ids);
    // At `webhooks.posted` a process has died with an answer that it had not recorded; the others may have died with one.
    let repeats = counts.values().sum::<usize>() - counts.len();
    assert!((1..=LABELS.len()).contains(&repeats), "{counts:?}");
    is_clean(&shop.stack).await;
    shop.close(webhooks).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_the_whole_log_sends_nothing_again() {
    let shop = Shop::open().await;
    let webhooks = shop.serve(&[]);
    let endpoint = shop.endpoint(&["order.confirmed", "shipment.created"]).await;
    shop.order().await;
    shop.order().await;
    let before = eventually(TIMEOUT, || async {
        let deliveries = shop.deliveries(&endpoint).await?;
        let is_done = deliveries.len() == 4 && deliveries.iter().all(|delivery| delivery["state"] == "DELIVERED");
        ensure!(is_done, "{deliveries:?}");
        Ok(deliveries)
    })
    .await;
    let mut operator = event_service(&shop.stack, "webhooks").await;
    for source in ["orders", "shipping"] {
        let replay = ReplayEventsRequest { source: source.to_owned(), from_log_sequence: 1 };
        let replayed = operator.replay_events(replay).await.expect("replays").into_inner().replayed;
        assert!(replayed >= 2, "{replayed} of {source}");
    }
    // And as when both consumers are lost: all is delivered from the beginning again.
    webhooks.stop(TIMEOUT).await.expect("webhooks drains");
    let jetstream = async_nats::jetstream::new(shop.stack.nats().await);
    for stream in ["EVT_ORDERS", "EVT_SHIPPING"] {
        let stream = jetstream.get_stream(stream).await.expect("it is there");
        stream.delete_consumer("webhooks").await.expect("it was there");
    }
    let webhooks = shop.serve(&[]);
    let readers = topology::Topology::get().service["webhooks"].consumes.len();
    eventually(TIMEOUT, || async {
        let lag = event_service(&shop.stack, "webhooks").await.get_lag(GetLagRequest {}).await?.into_inner();
        let is_read = |one: &contracts::events::v1::ConsumerLag| one.pending == 0 && one.unacknowledged == 0;
        ensure!(lag.consumers.len() == readers && lag.consumers.iter().all(is_read), "{lag:?}");
        Ok(())
    })
    .await;
    assert_eq!(shop.deliveries(&endpoint).await.expect("webhooks answers"), before);
    let counts = shop.counts();
    assert!(counts.len() == 4 && counts.values().all(|count| *count == 1), "{counts:?}");
    is_clean(&shop.stack).await;
    shop.close(webhooks).await;
}
