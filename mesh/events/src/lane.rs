//! A lane: the events of some aggregates, one after the other. Applied, or set aside so that others go on.

use crate::{
    Error, Event, Handler, HandlerError,
    dead_letters::{Cause, DeadLetters},
    event_sources::EventSources,
    letter::Letter,
};
use async_nats::jetstream::{AckKind, Message};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Work that waits in one lane: with 32 lanes as much as the broker delivers ahead, `max_ack_pending`.
pub(crate) const QUEUE: usize = 16;

/// Attempts before an event that fails is set aside; with the pauses between them about six seconds.
const ATTEMPTS: i32 = 8;

/// Longest pause between two attempts: below the time after which the broker delivers again, 10 s.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

pub(crate) type Lane = mpsc::Sender<Work>;

pub(crate) enum Work {
    Deliver(Event, Box<Message>),
    /// Set a message aside that is no event.
    SetAside(Box<Letter>, Box<Message>),
    /// Settle an event that is replayed from the log.
    Replay(Event),
    /// Try the letters of an aggregate that may work by now.
    Sweep(String),
    /// Apply the letters of an aggregate because an operator says so.
    Retry(String, oneshot::Sender<Result<Retried, Error>>),
    /// Give up the first letter of its aggregate, then apply the rest.
    Drop(Box<Letter>, oneshot::Sender<Result<Retried, Error>>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retried {
    pub applied: i32,
    /// Why the next one failed, when it did.
    pub failed: Option<String>,
}

/// Applies events, or sets them aside. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Settler {
    pub handler: Arc<dyn Handler>,
    pub event_sources: EventSources,
    pub letters: DeadLetters,
}

/// Starts a lane; it ends when its senders are gone or with `shutdown`.
pub(crate) fn start(settler: &Settler, tasks: &mut JoinSet<()>, shutdown: &CancellationToken) -> Lane {
    let (sender, mut queue) = mpsc::channel(QUEUE);
    let (settler, shutdown) = (settler.clone(), shutdown.clone());
    tasks.spawn(async move {
        while let Some(Some(work)) = shutdown.run_until_cancelled(queue.recv()).await {
            let Some(left) = shutdown.run_until_cancelled(settler.deliver_together(work, &mut queue)).await else {
                return;
            };
            for work in left {
                if let Err(error) = settler.work(work).await {
                    tracing::warn!(%error, "an event could not be settled; it comes again");
                }
            }
        }
    });
    sender
}

/// The span of an event's effect, linked to what caused the event.
fn span(event: &Event) -> tracing::Span {
    let span = tracing::info_span!("consume", otel.kind = "consumer", r#type = %event.r#type, id = %event.id);
    if let Some(trace) = &event.trace {
        telemetry::link_trace(&span, trace);
    }
    span
}

async fn acknowledge(message: &Message) -> Result<(), Error> {
    // A crash before the acknowledgement delivers the event again; its effect holds its `seq` and does not happen twice.
    telemetry::crash_point("consumer.applied");
    message.ack().await.map_err(Error::nats)
}

impl Settler {
    /// Applies deliveries and acknowledges them, also those that come while others are being applied: so they share writes.
    /// Ends with the first work that cannot be done so, and returns it and what came after it, in order.
    async fn deliver_together(&self, first: Work, queue: &mut mpsc::Receiver<Work>) -> Vec<Work> {
        let (mut next, mut place, mut left) = (Some(first), 0, Vec::new());
        let mut applying = FuturesUnordered::new();
        loop {
            match next.take() {
                Some(Work::Deliver(event, message)) if left.is_empty() && self.may_be_applied_with_others(&event) => {
                    applying.push(async move { (place, self.deliver(&event, &message).await, event, message) });
                }
                Some(work) => left.push((place, work)),
                None => {}
            }
            place += 1;
            let has_room = left.is_empty() && applying.len() < QUEUE;
            tokio::select! {
                Some((place, is_applied, event, message)) = applying.next() => {
                    if !is_applied {
                        left.push((place, Work::Deliver(event, message)));
                    }
                }
                Some(work) = queue.recv(), if has_room && !applying.is_empty() => next = Some(work),
                else => break,
            }
        }
        left.sort_by_key(|(place, _)| *place);
        left.into_iter().map(|(_, work)| work).collect()
    }

    /// Applies one of several events and acknowledges it. False when it was not applied.
    async fn deliver(&self, event: &Event, message: &Message) -> bool {
        let is_applied = self.is_applied(event).await;
        if is_applied && let Err(error) = acknowledge(message).await {
            tracing::warn!(id = %event.id, %error, "an event could not be acknowledged; it comes again");
        }
        is_applied
    }

    fn may_be_applied_with_others(&self, event: &Event) -> bool {
        self.handler.stores_seq() && !self.letters.is_parked(&event.aggregate_id)
    }

    async fn is_applied(&self, event: &Event) -> bool {
        let applied = self.handler.apply(event).instrument(span(event)).await;
        applied.inspect_err(|error| tracing::debug!(id = %event.id, %error, "not applied with others")).is_ok()
    }

    /// Applies events at the same time, if the handler allows it and none of them is behind a letter. Says of each whether
    /// it was applied; those that were not are settled one by one.
    pub async fn apply_together(&self, events: &[&Event]) -> Vec<bool> {
        if !events.iter().all(|event| self.may_be_applied_with_others(event)) {
            return vec![false; events.len()];
        }
        join_all(events.iter().map(|event| self.is_applied(event))).await
    }

    async fn work(&self, work: Work) -> Result<(), Error> {
        match work {
            Work::Deliver(event, message) => {
                self.settle(&event, Some(&message)).instrument(span(&event)).await?;
                acknowledge(&message).await
            }
            Work::SetAside(letter, message) => {
                self.letters.set_aside(&letter).await?;
                telemetry::crash_point("consumer.set_aside");
                message.ack().await.map_err(Error::nats)
            }
            Work::Replay(event) => self.settle(&event, None).await,
            Work::Sweep(aggregate_id) => match self.letters.first(&aggregate_id).await? {
                Some(first) if first.next_attempt_at.is_none() => self.letters.postpone(&aggregate_id).await,
                Some(_) => self.retry(&aggregate_id).await.map(|_| ()),
                None => Ok(()),
            },
            Work::Retry(aggregate_id, reply) => {
                let _ = reply.send(self.retry(&aggregate_id).await); // the operator may have gone
                Ok(())
            }
            Work::Drop(letter, reply) => {
                let _ = reply.send(self.give_up(&letter).await);
                Ok(())
            }
        }
    }

    /// Applies an event, or parks its aggregate. Afterwards it can be acknowledged.
    pub async fn settle(&self, event: &Event, message: Option<&Message>) -> Result<(), Error> {
        // An event before the first letter is applied as ever: most often it was applied already, and comes again.
        if self.letters.is_parked(&event.aggregate_id)
            && let Some(first) = self.letters.first(&event.aggregate_id).await?
            && event.seq >= first.seq
        {
            return self.letters.park(event, Cause::Behind, 0).await;
        }
        let mut backoff = Duration::from_millis(20);
        for attempt in 1.. {
            let cause = match self.apply(event).await? {
                Ok(()) => return Ok(()),
                Err(cause) => cause,
            };
            if let Cause::Failing(reason) = &cause
                && attempt < ATTEMPTS
            {
                tracing::warn!(id = %event.id, r#type = %event.r#type, %reason, "an event could not be applied; trying again");
                if let Some(message) = message {
                    // The broker would deliver the event to another process while this lane still tries.
                    message.ack_with(AckKind::Progress).await.map_err(Error::nats)?;
                }
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
                continue;
            }
            if cause != Cause::Behind {
                tracing::error!(id = %event.id, r#type = %event.r#type, aggregate = %event.aggregate_id, ?cause,
                    "an event was set aside; its aggregate waits: see `comptoir events dead-letters`");
            }
            return self.letters.park(event, cause, attempt).await;
        }
        Ok(())
    }

    /// Applies an event and, when it comes too early, first what is missing before it.
    async fn apply(&self, event: &Event) -> Result<Result<(), Cause>, Error> {
        let expected = match self.handler.apply(event).await {
            Ok(()) => return Ok(Ok(())),
            Err(HandlerError::Poison(reason)) => return Ok(Err(Cause::Poison(reason))),
            Err(HandlerError::Retry(reason)) => return Ok(Err(Cause::Failing(reason))),
            Err(HandlerError::Gap { expected, .. }) => expected,
        };
        if self.letters.has_letters(&event.aggregate_id).await? {
            return Ok(Err(Cause::Behind));
        }
        self.fill(event, expected).await
    }

    /// Applies what is missing from `expected` on, as its owner has it, and then the event.
    async fn fill(&self, event: &Event, expected: i64) -> Result<Result<(), Cause>, Error> {
        tracing::debug!(id = %event.id, expected, seq = event.seq, "a gap is filled from the owner");
        let missing = match self.event_sources.between(event, expected - 1).await {
            Ok(missing) => missing,
            Err(status) => return Ok(Err(Cause::Failing(format!("{} cannot fill a gap: {status}", event.service)))),
        };
        for event in missing.iter().chain([event]) {
            match self.handler.apply(event).await {
                Ok(()) => {}
                Err(HandlerError::Poison(reason)) => {
                    self.letters.park(event, Cause::Poison(reason), 1).await?;
                    return Ok(Err(Cause::Behind));
                }
                Err(error) => return Ok(Err(Cause::Failing(error.to_string()))),
            }
        }
        Ok(Ok(()))
    }

    /// Applies the letters of an aggregate in order, until one fails.
    async fn retry(&self, aggregate_id: &str) -> Result<Retried, Error> {
        let mut applied = 0;
        while let Some(letter) = self.letters.first(aggregate_id).await? {
            if letter.is_foreign() {
                let failed = format!("{} is no event; it can only be dropped", letter.event_id);
                return Ok(Retried { applied, failed: Some(failed) });
            }
            let event = letter.event();
            let outcome = match self.handler.apply(&event).await {
                Ok(()) => Ok(()),
                Err(HandlerError::Gap { expected, .. }) => self.fill(&event, expected).await?,
                Err(HandlerError::Poison(reason)) => Err(Cause::Poison(reason)),
                Err(HandlerError::Retry(reason)) => Err(Cause::Failing(reason)),
            };
            let Err(cause) = outcome else {
                self.letters.remove(&letter).await?;
                applied += 1;
                continue;
            };
            self.letters.failed(&letter, cause.clone()).await?;
            return Ok(Retried { applied, failed: Some(format!("{}: {cause:?}", letter.event_id)) });
        }
        Ok(Retried { applied, failed: None })
    }

    async fn give_up(&self, letter: &Letter) -> Result<Retried, Error> {
        if letter.is_foreign() {
            tracing::warn!(id = %letter.event_id, "an operator dropped a message that is no event");
            self.letters.remove(letter).await?;
            return Ok(Retried { applied: 0, failed: None });
        }
        let event = letter.event();
        // The skip moves the `seq` of the aggregate on, without which the next event would find a gap.
        if let Err(error) = self.handler.skip(&event).await {
            return Ok(Retried { applied: 0, failed: Some(error.to_string()) });
        }
        tracing::warn!(id = %event.id, aggregate = %event.aggregate_id, "an operator gave an event up");
        self.letters.give_up(letter).await?;
        self.retry(&letter.aggregate_id).await
    }
}
