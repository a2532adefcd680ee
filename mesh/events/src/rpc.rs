//! `EventService`: what operators and consumers ask of a service about its events. Parse, call, reply.

use crate::{
    Consumers, Error, ReadModel,
    lane::{Retried, Work},
    letter::Letter,
    log::Log,
    source::Source,
};
use ::rpc::{status, validated};
use ::store::{Found, Pager, Time, limit};
use contracts::events::v1::{
    ConsumerLag, DeadLetter, DropDeadLetterRequest, Event, GetDeadLetterRequest, GetLagRequest, Lag,
    ListDeadLettersRequest, ListDeadLettersResponse, ListEventsRequest, ListEventsResponse, RebuildProgress,
    RebuildProjectionRequest, ReplayEventsRequest, ReplayEventsResponse, RetryDeadLettersRequest,
    RetryDeadLettersResponse, TailEventsRequest, event_service_server::EventService,
};
use mongodb::Database;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

/// Events in an answer, at most.
const MAX_PAGE: i32 = 1_000;

/// Events that wait for a slow reader of a tail; then the log is read no further.
const TAIL_QUEUE: usize = 64;

/// Pause between two reads at the end of the log: a person who watches notices no delay.
const TAIL_INTERVAL: Duration = Duration::from_millis(100);

/// What a service does with the events of others.
#[derive(Clone)]
pub enum Reads {
    Nothing,
    Events(Box<Consumers>),
    Into(ReadModel),
}

impl Reads {
    /// Whether the events of some source have not been read for a while, although the broker answers.
    pub fn are_stuck(&self) -> bool {
        self.consumers().is_some_and(|consumers| consumers.are_stuck())
    }

    pub(crate) fn consumers(&self) -> Option<Consumers> {
        match self {
            Reads::Nothing => None,
            Reads::Events(consumers) => Some(Consumers::clone(consumers)),
            Reads::Into(model) => model.consumers(),
        }
    }
}

pub struct EventsRpc {
    source: Source,
    database: Database,
    log: Log,
    reads: Reads,
    pager: Pager,
    shutdown: CancellationToken,
}

impl EventsRpc {
    /// For the service that `source` describes; `secret` signs its page tokens.
    pub fn new(database: Database, source: Source, reads: Reads, secret: &str, shutdown: CancellationToken) -> Self {
        let log = Log::unchecked(&database);
        Self { source, database, log, reads, pager: Pager::new(secret, "dead_letters"), shutdown }
    }

    fn consumers(&self) -> Result<Consumers, Status> {
        let none = || status::precondition("NO_CONSUMER", "this service reads no events");
        self.reads.consumers().ok_or_else(none)
    }

    async fn letter(&self, event_id: &str) -> Result<Letter, Status> {
        let found = self.consumers()?.letters().get(event_id).await?;
        found.ok_or_else(|| status::not_found("dead-letters", event_id))
    }

    /// Hands work to the lane of an aggregate and waits for its result.
    async fn in_lane(
        &self,
        letter: &Letter,
        work: impl FnOnce(oneshot::Sender<Result<Retried, Error>>) -> Work,
    ) -> Result<Response<RetryDeadLettersResponse>, Status> {
        let consumers = self.consumers()?;
        let stopped = || status::unavailable("CONSUMER_STOPPED", "the consumer has no session now; try again soon");
        let lane = consumers.lane(&letter.service, &letter.aggregate_id).ok_or_else(stopped)?;
        let (reply, answer) = oneshot::channel();
        lane.send(work(reply)).await.map_err(|_| stopped())?;
        let retried = answer.await.map_err(|_| stopped())??;
        if let (0, Some(failed)) = (retried.applied, &retried.failed) {
            return Err(status::precondition("STILL_FAILING", failed));
        }
        let left = consumers.letters().count(&letter.aggregate_id).await?;
        let left = i32::try_from(left).unwrap_or(i32::MAX);
        Ok(Response::new(RetryDeadLettersResponse { applied: retried.applied, left }))
    }
}

#[tonic::async_trait]
impl EventService for EventsRpc {
    type TailEventsStream = ReceiverStream<Result<Event, Status>>;
    type RebuildProjectionStream = ReceiverStream<Result<RebuildProgress, Status>>;

    async fn list_events(&self, request: Request<ListEventsRequest>) -> Result<Response<ListEventsResponse>, Status> {
        let request = validated(request)?;
        let limit = i64::from(match request.page_size {
            ..=0 => 500,
            size => size.min(MAX_PAGE),
        });
        let found = if request.aggregate_id.is_empty() {
            self.log.after(request.after_log_sequence, limit).await?
        } else {
            let nouns: Vec<&String> = self.source.aggregates.values().collect();
            self.log.of_aggregate(&nouns, &request.aggregate_id, request.after_seq, limit).await?
        };
        // The caller asks for the rest.
        let found = Found { entries: found, is_last: true }.map(|entry| entry.event(&self.source.service).to_wire());
        Ok(Response::new(ListEventsResponse { events: found.fitting().entries }))
    }

    async fn tail_events(
        &self,
        request: Request<TailEventsRequest>,
    ) -> Result<Response<Self::TailEventsStream>, Status> {
        let request = validated(request)?;
        let mut after = match request.since {
            Some(since) => self.log.before(Time::from_millis(since.seconds.saturating_mul(1000))).await?,
            None if request.after_log_sequence < 0 => self.log.last().await?,
            None => request.after_log_sequence,
        };
        let (sender, receiver) = mpsc::channel(TAIL_QUEUE);
        let (log, service, shutdown) = (self.log.clone(), self.source.service.clone(), self.shutdown.clone());
        tokio::spawn(async move {
            while !shutdown.is_cancelled() && !sender.is_closed() {
                let page = match log.after(after, 500).await {
                    Ok(page) => page,
                    Err(error) => {
                        let _ = sender.send(Err(error.into())).await; // the reader may have gone
                        return;
                    }
                };
                if page.is_empty() {
                    tokio::time::sleep(TAIL_INTERVAL).await;
                }
                for entry in page {
                    after = entry.gseq;
                    if sender.send(Ok(entry.event(&service).to_wire())).await.is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn get_lag(&self, request: Request<GetLagRequest>) -> Result<Response<Lag>, Status> {
        validated(request)?;
        let mut lag = Lag::default();
        if !self.source.aggregates.is_empty() {
            let known = crate::lease::known(&self.database).await?;
            (lag.logged, lag.published, lag.relay_owner) = (self.log.last().await?, known.published, known.owner);
            lag.relay_problem = known.problem;
        }
        if let Some(consumers) = self.reads.consumers() {
            let letters = consumers.letters().count_by_source().await?;
            for behind in consumers.lags().await? {
                lag.consumers.push(ConsumerLag {
                    dead_letters: letters.get(&behind.source).copied().unwrap_or(0),
                    source: behind.source,
                    pending: i64::try_from(behind.pending).unwrap_or(i64::MAX),
                    unacknowledged: i64::try_from(behind.unacknowledged).unwrap_or(i64::MAX),
                    problem: behind.problem.unwrap_or_default(),
                });
            }
        }
        Ok(Response::new(lag))
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let request = validated(request)?;
        let limit = limit(request.page_size);
        let after = self.pager.after("", &request.page_token).map_err(status::page_token)?;
        let Some(consumers) = self.reads.consumers() else {
            return Ok(Response::new(ListDeadLettersResponse::default()));
        };
        let found = consumers.letters().list(after, limit).await?;
        let (dead_letters, next_page_token) =
            self.pager.page("", found, |letter| (letter.event_id.clone(), letter.to_wire()));
        Ok(Response::new(ListDeadLettersResponse { dead_letters, next_page_token }))
    }

    async fn get_dead_letter(&self, request: Request<GetDeadLetterRequest>) -> Result<Response<DeadLetter>, Status> {
        let letter = self.letter(&validated(request)?.event_id).await?;
        Ok(Response::new(letter.to_wire()))
    }

    async fn retry_dead_letters(
        &self,
        request: Request<RetryDeadLettersRequest>,
    ) -> Result<Response<RetryDeadLettersResponse>, Status> {
        let id = validated(request)?.aggregate_id;
        let first = self.consumers()?.letters().first(&id).await?;
        let first = first.ok_or_else(|| status::not_found("dead-letters", &id))?;
        self.in_lane(&first, |reply| Work::Retry(id, reply)).await
    }

    async fn drop_dead_letter(
        &self,
        request: Request<DropDeadLetterRequest>,
    ) -> Result<Response<RetryDeadLettersResponse>, Status> {
        let letter = self.letter(&validated(request)?.event_id).await?;
        let first = self.consumers()?.letters().first(&letter.aggregate_id).await?;
        if first.is_some_and(|first| first.event_id != letter.event_id) {
            let why = "an earlier event of this aggregate is a dead letter too; drop or retry that one first";
            return Err(status::precondition("NOT_THE_FIRST_LETTER", why));
        }
        self.in_lane(&letter.clone(), |reply| Work::Drop(Box::new(letter), reply)).await
    }

    async fn replay_events(
        &self,
        request: Request<ReplayEventsRequest>,
    ) -> Result<Response<ReplayEventsResponse>, Status> {
        let request = validated(request)?;
        let consumers = self.consumers()?;
        let stopped = || status::unavailable("CONSUMER_STOPPED", "the consumer has no session now; try again soon");
        let (mut after, mut replayed) = (request.from_log_sequence.max(1) - 1, 0);
        loop {
            let page = consumers.event_sources().after(&request.source, after).await?;
            let Some(last) = page.last() else { break };
            after = last.log_sequence;
            for event in page {
                // Replayed events pass through the lanes too, so that they keep their order among live ones.
                let lane = consumers.lane(&request.source, &event.aggregate_id).ok_or_else(stopped)?;
                lane.send(Work::Replay(event)).await.map_err(|_| stopped())?;
                replayed += 1;
            }
        }
        Ok(Response::new(ReplayEventsResponse { replayed }))
    }

    async fn rebuild_projection(
        &self,
        _: Request<RebuildProjectionRequest>,
    ) -> Result<Response<Self::RebuildProjectionStream>, Status> {
        let Reads::Into(model) = &self.reads else {
            return Err(status::error(Code::Unimplemented, "NO_PROJECTION", "this service has no read model"));
        };
        Ok(Response::new(model.rebuild().await?))
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::Database(_) | Error::Store(_) => {
                tracing::warn!(%error, "mongodb failed");
                status::unavailable("STORE_UNAVAILABLE", "the database cannot be reached; the outcome may be unknown")
            }
            Error::Nats(cause) => {
                tracing::warn!(%cause, "nats failed");
                status::unavailable("BROKER_UNAVAILABLE", "the broker does not do what it was asked; see the log")
            }
            error @ (Error::Durable { .. }
            | Error::NoStream(_)
            | Error::Changed
            | Error::Overtaken
            | Error::Unacknowledged { .. }
            | Error::TooLarge { .. }) => status::unavailable("EVENTS_STUCK", error.to_string()),
            Error::Bson(cause) => {
                tracing::error!(%cause, "a document does not have its form");
                status::internal()
            }
            Error::Superseded | Error::Invalidated => {
                status::unavailable("RELAY_MOVED", "another relay has taken over")
            }
            Error::StreamAhead { .. } => {
                tracing::error!(%error, "the stream and the log disagree");
                status::internal()
            }
        }
    }
}
