//! Durable consumers: every event of a stream, in order per aggregate, acknowledged after its effect or set aside.
//!
//! One pull consumer per source; its events fan out to lanes by aggregate, and each lane settles one event after the
//! other. A session that breaks (connection, a consumer deleted under it, missed heartbeats) is opened anew.

use crate::{
    Error, Event, Nats, Slot,
    dead_letters::DeadLetters,
    lane::{self, Lane, Settler, Work},
    owners::Owners,
};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use futures::StreamExt;
use mongodb::Database;
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Lanes per source. So many events can be settled side by side, and share commands.
const LANES: usize = 32;

/// The broker delivers again what is not acknowledged for so long; a lane at work asks for more time.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// Pause before a session that broke is opened anew.
const PAUSE: Duration = Duration::from_millis(500);

/// How often letters that are due are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// Why a handler did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// An earlier event of the aggregate has not been applied.
    #[error("event {seq} came before event {expected}")]
    Gap {
        /// What should have come.
        expected: i64,
        /// What came.
        seq: i64,
    },
    /// It may work later.
    #[error("{0}")]
    Retry(String),
    /// It can never be applied as it is.
    #[error("{0}")]
    Poison(String),
}

impl From<store::Error> for HandlerError {
    fn from(error: store::Error) -> Self {
        Self::Retry(error.to_string())
    }
}

impl From<tonic::Status> for HandlerError {
    fn from(status: tonic::Status) -> Self {
        Self::Retry(status.to_string())
    }
}

impl From<prost::DecodeError> for HandlerError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Poison(error.to_string())
    }
}

/// What a service does with events. It stores the event's `seq` with the effect, or makes effects that depend on state
/// alone; so a second delivery has none.
#[tonic::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Applies one event.
    async fn apply(&self, event: &Event) -> Result<(), HandlerError>;

    /// Counts an event as applied without its effect: an operator has given it up.
    async fn skip(&self, _event: &Event) -> Result<(), HandlerError> {
        Ok(())
    }
}

/// The consumers of one service. Cheap to clone.
#[derive(Clone)]
pub struct Consumers {
    nats: Nats,
    durable: String,
    sources: Vec<String>,
    from: DeliverPolicy,
    settler: Settler,
    lanes: Arc<RwLock<HashMap<String, Vec<Lane>>>>,
}

impl Consumers {
    /// Consumers of `sources` for `service`, with dead letters in `database`.
    pub fn new(nats: Nats, database: &Database, service: &str, sources: &[String], settling: Settling) -> Self {
        let Settling { handler, owners, from, slot } = settling;
        let letters = DeadLetters::new(database, slot);
        Self {
            nats,
            durable: slot.durable(service),
            sources: sources.to_vec(),
            from,
            settler: Settler { handler, owners, letters },
            lanes: Arc::default(),
        }
    }

    /// Reads until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        for source in self.sources.clone() {
            let (consumers, shutdown) = (self.clone(), shutdown.clone());
            tasks.spawn(async move { consumers.follow(&source, &shutdown).await });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn follow(&self, source: &str, shutdown: &CancellationToken) {
        while !shutdown.is_cancelled() {
            if let Err(error) = self.session(source, shutdown).await {
                tracing::warn!(durable = %self.durable, %source, %error, "a consumer's session ended; it begins anew");
            }
            shutdown.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
        }
    }

    async fn session(&self, source: &str, shutdown: &CancellationToken) -> Result<(), Error> {
        self.settler.letters.open().await?;
        let consumer = self.durable(source).await?;
        let mut messages = consumer
            .stream()
            .heartbeat(Duration::from_secs(5))
            .expires(Duration::from_secs(15))
            .messages()
            .await
            .map_err(Error::nats)?;
        let mut tasks = JoinSet::new();
        let lanes: Vec<Lane> = (0..LANES).map(|_| lane::start(&self.settler, &mut tasks, shutdown)).collect();
        self.publish_lanes(source, lanes.clone());
        tasks.spawn(sweep(self.settler.letters.clone(), source.to_owned(), lanes.clone(), shutdown.clone()));
        let ended = loop {
            let Some(Some(message)) = shutdown.run_until_cancelled(messages.next()).await else { break Ok(()) };
            let message = match message {
                Ok(message) => message,
                Err(error) => break Err(Error::nats(error)),
            };
            let event = match Event::parse(&message) {
                Ok(event) => event,
                Err(error) => break Err(error),
            };
            if of(&lanes, &event.aggregate_id).send(Work::Deliver(event, Box::new(message))).await.is_err() {
                break Ok(());
            }
        };
        self.publish_lanes(source, Vec::new());
        // Queued events are not settled by a session that has ended: the broker delivers them again.
        tasks.shutdown().await;
        ended
    }

    /// The durable consumer on the source's stream, made if it is not there.
    async fn durable(&self, source: &str) -> Result<PullConsumer, Error> {
        let config = pull::Config {
            durable_name: Some(self.durable.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            deliver_policy: self.from,
            max_ack_pending: i64::try_from(LANES * lane::QUEUE).unwrap_or(i64::MAX),
            ..Default::default()
        };
        let stream = topology::stream(source);
        self.nats.jetstream.create_consumer_on_stream(config, stream).await.map_err(Error::nats)
    }

    /// How far each source is behind: source, not delivered, not acknowledged.
    pub(crate) async fn pending(&self) -> Result<Vec<(String, u64, usize)>, Error> {
        let mut found = Vec::new();
        for source in &self.sources {
            let mut consumer = self.durable(source).await?;
            let info = consumer.info().await.map_err(Error::nats)?;
            found.push((source.clone(), info.num_pending, info.num_ack_pending));
        }
        Ok(found)
    }

    /// The dead letters.
    pub(crate) fn letters(&self) -> &DeadLetters {
        &self.settler.letters
    }

    /// The owners of the events.
    pub(crate) fn owners(&self) -> &Owners {
        &self.settler.owners
    }

    /// The lane of an aggregate of `source`; none while there is no session.
    pub(crate) fn lane(&self, source: &str, aggregate_id: &str) -> Option<Lane> {
        let lanes = self.lanes.read().expect("no holder panics");
        let lanes = lanes.get(source).filter(|lanes| !lanes.is_empty())?;
        Some(of(lanes, aggregate_id).clone())
    }

    fn publish_lanes(&self, source: &str, lanes: Vec<Lane>) {
        self.lanes.write().expect("no holder panics").insert(source.to_owned(), lanes);
    }
}

/// How events are settled.
pub struct Settling {
    /// What the service does with them.
    pub handler: Arc<dyn Handler>,
    /// Whom to ask for what is missing.
    pub owners: Owners,
    /// Where a consumer that is new begins.
    pub from: DeliverPolicy,
    /// Which read model they fill; A when there is only one.
    pub slot: Slot,
}

fn of<'a>(lanes: &'a [Lane], aggregate_id: &str) -> &'a Lane {
    let mut hasher = DefaultHasher::new();
    aggregate_id.hash(&mut hasher);
    let index = usize::try_from(hasher.finish() % (LANES as u64)).unwrap_or(0);
    &lanes[index % lanes.len()]
}

/// Sends aggregates whose letters are due to their lanes.
async fn sweep(letters: DeadLetters, source: String, lanes: Vec<Lane>, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
        match letters.due(&source, store::now()).await {
            Ok(ids) => {
                for aggregate_id in ids {
                    let lane = of(&lanes, &aggregate_id);
                    if lane.send(Work::Sweep(aggregate_id)).await.is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::debug!(%source, %error, "letters that are due cannot be read"),
        }
    }
}
