//! Durable consumers: every event of a stream, in order per aggregate, acknowledged after its effect or set aside.
//!
//! One pull consumer per source; its events fan out to lanes by aggregate, and each lane settles one event after the
//! other. A session that breaks (connection, a consumer deleted under it, missed heartbeats) is opened anew.

use crate::{
    Color, Error, Event, Handler, Nats,
    dead_letters::DeadLetters,
    durable::{self, Durable},
    event_sources::EventSources,
    foreign,
    held::Floor,
    lane::{self, Lane, Settler, Work},
    problems::Problems,
};
use async_nats::jetstream::{
    Message,
    consumer::{DeliverPolicy, Info},
};
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

/// Lanes per source: this many events are settled at the same time, and their writes share commands.
const LANES: usize = 32;

/// Pause before a broken session is opened again: a broker that restarts is not flooded with attempts.
const SESSION_PAUSE: Duration = Duration::from_millis(500);

/// How often a session compares its durable consumer with what it made: a change by hand costs at most this time.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How often due letters are looked for; a letter is due 15 s after its last attempt.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

/// The consumers of one service. Cheap to clone.
#[derive(Clone)]
pub struct Consumers {
    durable: Durable,
    sources: Vec<String>,
    settler: Settler,
    problems: Problems,
    lanes: Arc<RwLock<HashMap<String, Vec<Lane>>>>,
}

impl Consumers {
    /// Consumers of `sources` for `service`, with dead letters in `database`.
    pub fn new(nats: Nats, database: &Database, service: &str, sources: &[String], settling: Settling) -> Self {
        let Settling { handler, event_sources, from, color } = settling;
        let letters = DeadLetters::new(database, color);
        let max_ack_pending = i64::try_from(LANES * lane::QUEUE).unwrap_or(i64::MAX);
        Self {
            durable: Durable { nats, name: color.durable(service), from, max_ack_pending },
            sources: sources.to_vec(),
            settler: Settler { handler, event_sources, letters },
            problems: Problems::default(),
            lanes: Arc::default(),
        }
    }

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
                let durable = &self.durable.name;
                if self.problems.record(source, &error) {
                    tracing::warn!(%durable, %source, %error, "a consumer's session ended; it begins anew");
                } else {
                    tracing::debug!(%durable, %source, %error, "a consumer's session ended; it begins anew");
                }
            }
            shutdown.run_until_cancelled(tokio::time::sleep(SESSION_PAUSE)).await;
        }
    }

    async fn session(&self, source: &str, shutdown: &CancellationToken) -> Result<(), Error> {
        self.settler.letters.open().await?;
        let consumer = self.durable.open(source).await?;
        let mut messages = consumer
            .stream()
            .heartbeat(Duration::from_secs(5))
            .expires(Duration::from_secs(15))
            .messages()
            .await
            .map_err(Error::nats)?;
        self.problems.clear(source);
        let mut tasks = JoinSet::new();
        let lanes: Vec<Lane> = (0..LANES).map(|_| lane::start(&self.settler, &mut tasks, shutdown)).collect();
        self.publish_lanes(source, lanes.clone());
        tasks.spawn(sweep(self.settler.letters.clone(), source.to_owned(), lanes.clone(), shutdown.clone()));
        let deliver = async {
            while let Some(message) = messages.next().await {
                let (aggregate_id, work) = work(source, message.map_err(Error::nats)?);
                // An aggregate always has the same lane, which keeps its events in order; a full lane holds up the
                // reading.
                if of(&lanes, &aggregate_id).send(work).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let ended = tokio::select! {
            ended = deliver => ended,
            error = self.changed(source, consumer.cached_info()) => Err(error),
            () = shutdown.cancelled() => Ok(()),
        };
        self.publish_lanes(source, Vec::new());
        // Queued events are not settled by a session that has ended: the broker delivers them again.
        tasks.shutdown().await;
        ended
    }

    /// Waits until the durable consumer is another, or has another configuration, than when it was opened.
    async fn changed(&self, source: &str, opened: &Info) -> Error {
        let mut floor = Floor::new();
        loop {
            tokio::time::sleep(CHECK_EVERY).await;
            match self.durable.info(source).await {
                Ok(Some(now)) if durable::is_unchanged(opened, &now) => self.report_held(source, floor.held_by(&now)),
                Ok(_) => return Error::Changed,
                Err(error) => tracing::debug!(%source, %error, "the durable consumer cannot be read"),
            }
        }
    }

    /// Raises the alarm for a message that is never acknowledged, once.
    fn report_held(&self, source: &str, held_by: Option<u64>) {
        let Some(sequence) = held_by else { return self.problems.clear(source) };
        let error = Error::Unacknowledged { stream: topology::stream(source), sequence };
        if self.problems.record(source, &error) {
            tracing::error!(alarm = "never_acknowledged", durable = %self.durable.name, %source, %error,
                "a person should look at it, and may delete it from the stream");
        }
    }

    pub(crate) async fn lags(&self) -> Result<Vec<Behind>, Error> {
        let mut lags = Vec::new();
        for source in &self.sources {
            let problem = self.problems.of(source);
            let behind = match self.durable.info(source).await {
                Ok(Some(info)) => Behind {
                    source: source.clone(),
                    pending: info.num_pending,
                    unacknowledged: info.num_ack_pending as u64,
                    problem: problem.or_else(|| durable::paused(&info)),
                },
                Ok(None) => {
                    let absent = || format!("there is no durable consumer on {}", topology::stream(source));
                    let problem = Some(problem.unwrap_or_else(absent));
                    Behind { source: source.clone(), pending: 0, unacknowledged: 0, problem }
                }
                Err(error) => return Err(error),
            };
            lags.push(behind);
        }
        Ok(lags)
    }

    /// Whether the events of some source have not been read for a while, although they could.
    pub fn are_stuck(&self) -> bool {
        self.problems.are_lasting()
    }

    pub(crate) fn sources(&self) -> &[String] {
        &self.sources
    }

    /// The state of the durable consumer on a source.
    pub(crate) async fn info(&self, source: &str) -> Result<Option<Info>, Error> {
        self.durable.info(source).await
    }

    pub(crate) fn letters(&self) -> &DeadLetters {
        &self.settler.letters
    }

    pub(crate) fn event_sources(&self) -> &EventSources {
        &self.settler.event_sources
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

/// How far a consumer is behind one source.
pub(crate) struct Behind {
    pub source: String,
    /// Events not delivered yet.
    pub pending: u64,
    pub unacknowledged: u64,
    pub problem: Option<String>,
}

/// The work that a message makes, and the aggregate whose lane does it.
fn work(source: &str, message: Message) -> (String, Work) {
    match Event::parse(&message, source) {
        Ok(event) => (event.aggregate_id.clone(), Work::Deliver(event, Box::new(message))),
        Err(reason) => {
            let letter = foreign::letter(&message, source, &reason);
            (letter.aggregate_id.clone(), Work::SetAside(Box::new(letter), Box::new(message)))
        }
    }
}

pub struct Settling {
    pub handler: Arc<dyn Handler>,
    pub event_sources: EventSources,
    pub from: DeliverPolicy,
    /// The copy of the read model that the events fill; blue where there is one copy.
    pub color: Color,
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
