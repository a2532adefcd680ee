//! Durable consumers that somebody made, or changed, by hand: nothing is left out, and what is right is not read again.

use super::{
    TIMEOUT,
    fixture::{Fixture, STREAM},
};
use anyhow::ensure;
use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, Config, DeliverPolicy, ReplayPolicy},
    stream::Stream,
};
use events::{Color, Consumers, Event, EventSources, Handler, HandlerError, Settling};
use kit::eventually;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often each event has come.
#[derive(Default)]
struct Seen(Mutex<BTreeMap<(String, i64), usize>>);

#[tonic::async_trait]
impl Handler for Seen {
    async fn apply(&self, event: &Event) -> Result<(), HandlerError> {
        *self.0.lock().expect("no holder panics").entry((event.aggregate_id.clone(), event.seq)).or_default() += 1;
        Ok(())
    }
}

/// Consumers of the products in this process.
struct Reader {
    seen: Arc<Seen>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    consumers: Consumers,
}

impl Reader {
    /// Named `durable`.
    async fn start(fixture: &Fixture, durable: &str) -> Self {
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let settling = Settling {
            handler: seen.clone(),
            event_sources: EventSources::default(),
            from: DeliverPolicy::All,
            color: Color::Blue,
        };
        let nats = fixture.stores.broker().await.expect("nats-server answers");
        let database = fixture.stores.mongodb().database(durable);
        let consumers = Consumers::new(nats, &database, durable, &["products".to_owned()], settling);
        let task = tokio::spawn(consumers.clone().run(stop.clone()));
        Self { seen, stop, task, consumers }
    }

    /// Waits until every event that was written has come.
    async fn has_all(&self, fixture: &Fixture) {
        eventually(TIMEOUT, || async {
            let names = fixture.writer.names();
            let seen = self.seen.0.lock().expect("no holder panics");
            let missing: Vec<_> = names.keys().filter(|key| !seen.contains_key(*key)).collect();
            ensure!(missing.is_empty(), "{} of {} have not come: {missing:?}", missing.len(), names.len());
            Ok(())
        })
        .await;
    }

    /// How many deliveries there were.
    fn deliveries(&self) -> usize {
        self.seen.0.lock().expect("no holder panics").values().sum()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("it ends");
    }
}

async fn stream(fixture: &Fixture) -> Stream {
    jetstream::new(fixture.stores.nats().await.expect("nats-server answers"))
        .get_stream(STREAM)
        .await
        .expect("is there")
}

/// As a consumer of ours is.
fn ours(name: &str) -> Config {
    Config { durable_name: Some(name.to_owned()), ack_policy: AckPolicy::Explicit, ..Default::default() }
}

/// Consumers that leave something out, each in another way.
fn faulty() -> Vec<Config> {
    let kind = |number: usize, change: fn(&mut Config)| {
        let mut config = ours(&format!("faulty-{number}"));
        change(&mut config);
        config
    };
    let changes: [fn(&mut Config); 11] = [
        |config| config.deliver_policy = DeliverPolicy::New,
        |config| config.deliver_policy = DeliverPolicy::Last,
        |config| {
            config.deliver_policy = DeliverPolicy::LastPerSubject;
            config.filter_subject = "evt.products.>".to_owned();
        },
        |config| config.deliver_policy = DeliverPolicy::ByStartSequence { start_sequence: 4 },
        |config| config.filter_subject = "evt.products.product.renamed.>".to_owned(),
        |config| config.filter_subjects = vec!["evt.products.a.>".to_owned(), "evt.products.b.>".to_owned()],
        |config| config.ack_policy = AckPolicy::All,
        |config| config.max_deliver = 1,
        |config| config.headers_only = true,
        |config| config.replay_policy = ReplayPolicy::Original,
        |config| config.deliver_subject = Some("pushed.there".to_owned()),
    ];
    changes.into_iter().enumerate().map(|(number, change)| kind(number, change)).collect()
}

#[tokio::test]
async fn a_durable_that_would_leave_events_out_is_made_anew_and_everything_is_read() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 4).await;
    fixture.settled().await;
    let stream = stream(&fixture).await;
    let mut readers = Vec::new();
    for config in faulty() {
        let name = config.durable_name.clone().expect("it has a name");
        stream.create_consumer(config).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        readers.push(Reader::start(&fixture, &name).await);
    }
    fixture.writer.update(&ids[0], 2).await;
    for reader in &readers {
        reader.has_all(&fixture).await;
        assert!(!reader.consumers.are_stuck());
    }
    for reader in readers {
        reader.stop().await;
    }
    relay.kill().await;
}

#[tokio::test]
async fn a_durable_that_is_changed_or_replaced_under_its_session_leaves_nothing_out() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 2).await;
    let reader = Reader::start(&fixture, "reader").await;
    reader.has_all(&fixture).await;
    let stream = stream(&fixture).await;
    stream.delete_consumer("reader").await.expect("the operator may");
    // The session may have made it anew already: then it is changed once more.
    let replaced = Config { deliver_policy: DeliverPolicy::New, ..ours("reader") };
    eventually(TIMEOUT, || async {
        let _ = stream.delete_consumer("reader").await; // absent, or ours
        let made = stream.create_consumer_strict(replaced.clone()).await;
        ensure!(made.is_ok(), "the session was faster");
        Ok(())
    })
    .await;
    fixture.writer.update(&ids[0], 3).await;
    reader.has_all(&fixture).await;
    for change in [
        Config { filter_subject: "evt.products.product.nothing.>".to_owned(), ..ours("reader") },
        Config { headers_only: true, ..ours("reader") },
        Config { max_ack_pending: 1, ack_wait: Duration::from_secs(1), ..ours("reader") },
    ] {
        eventually(TIMEOUT, || async {
            let found = stream.consumer_info("reader").await.map_err(|error| anyhow::anyhow!("{error}"))?;
            ensure!(found.config.filter_subject.is_empty() && !found.config.headers_only, "it is put right");
            Ok(())
        })
        .await;
        stream.update_consumer(change).await.expect("the operator may");
        fixture.writer.update(&ids[1], 2).await;
        reader.has_all(&fixture).await;
    }
    reader.stop().await;
    relay.kill().await;
}

#[tokio::test]
async fn a_durable_that_differs_in_what_makes_no_difference_keeps_its_place() {
    let fixture = Fixture::open().await;
    let relay = fixture.relay();
    let ids = fixture.writer.products(2, 4).await;
    fixture.settled().await;
    let stream = stream(&fixture).await;
    let harmless = [
        Config { ack_wait: Duration::from_secs(3600), ..ours("harmless-0") },
        Config { max_ack_pending: 1, ..ours("harmless-1") },
        Config { description: Some("by hand".to_owned()), sample_frequency: 50, ..ours("harmless-2") },
        Config { max_batch: 1, max_expires: Duration::from_secs(1), ..ours("harmless-3") },
    ];
    for config in harmless {
        let name = config.durable_name.clone().expect("it has a name");
        let first = Reader::start(&fixture, &name).await;
        first.has_all(&fixture).await;
        eventually(TIMEOUT, || async {
            let info = stream.consumer_info(&name).await.map_err(|error| anyhow::anyhow!("{error}"))?;
            ensure!(info.num_ack_pending == 0 && info.num_pending == 0, "{info:?}");
            Ok(())
        })
        .await;
        first.stop().await;
        stream.update_consumer(config).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let second = Reader::start(&fixture, &name).await;
        fixture.writer.update(&ids[0], 1).await;
        let last =
            *fixture.writer.names().keys().filter(|(id, _)| *id == ids[0]).map(|(_, seq)| seq).max().expect("some");
        eventually(TIMEOUT, || async {
            ensure!(second.seen.0.lock().expect("no holder panics").contains_key(&(ids[0].clone(), last)));
            Ok(())
        })
        .await;
        assert_eq!(second.deliveries(), 1, "{name} has read again what it had read");
        second.stop().await;
    }
    relay.kill().await;
}
