//! Durable consumers: every event of a stream, in order per aggregate, acknowledged after its effect.
//!
//! Events of one aggregate go through one lane. A handler that fails is tried again in its lane, so that nothing
//! overtakes; one that sees a gap (its predecessor is being redelivered) lets the event come again.

use crate::{Error, Event, Nats};
use async_nats::jetstream::{
    AckKind, Message,
    consumer::{AckPolicy, DeliverPolicy, pull},
};
use futures::StreamExt;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Lanes per stream.
const LANES: usize = 8;

/// Events that wait in one lane.
const LANE_QUEUE: usize = 64;

/// The broker delivers again what is not acknowledged for so long; a handler at work asks for more time.
const ACK_WAIT: Duration = Duration::from_secs(10);

/// How long an event with a gap before it stays away.
const GAP_DELAY: Duration = Duration::from_millis(200);

/// Longest pause between two attempts of a handler.
const MAX_BACKOFF: Duration = Duration::from_secs(2);

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

/// What a service does with events. It stores the event's `seq` with the effect, so that a second delivery has none.
#[tonic::async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Applies one event.
    async fn apply(&self, event: &Event) -> Result<(), HandlerError>;
}

/// Reads the events of `sources` for `service` until `shutdown`.
pub async fn start(
    nats: Nats,
    service: &str,
    sources: &[String],
    handler: Arc<dyn Handler>,
    shutdown: CancellationToken,
) {
    let mut streams = JoinSet::new();
    for source in sources {
        let (nats, handler, shutdown) = (nats.clone(), handler.clone(), shutdown.clone());
        let (service, stream) = (service.to_owned(), topology::stream(source));
        streams.spawn(async move {
            while !shutdown.is_cancelled() {
                if let Err(error) = session(&nats, &service, &stream, &handler, &shutdown).await {
                    tracing::debug!(%service, %stream, %error, "a consumer's session ended; it begins anew");
                }
                shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_millis(500))).await;
            }
        });
    }
    while streams.join_next().await.is_some() {}
}

async fn session(
    nats: &Nats,
    service: &str,
    stream: &str,
    handler: &Arc<dyn Handler>,
    shutdown: &CancellationToken,
) -> Result<(), Error> {
    let config = pull::Config {
        durable_name: Some(service.to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        deliver_policy: DeliverPolicy::All,
        max_ack_pending: i64::try_from(LANES * LANE_QUEUE).unwrap_or(i64::MAX),
        ..Default::default()
    };
    let consumer = nats.jetstream.create_consumer_on_stream(config, stream).await.map_err(Error::nats)?;
    let mut messages = consumer.messages().await.map_err(Error::nats)?;
    let mut lanes = JoinSet::new();
    let senders: Vec<_> = (0..LANES)
        .map(|_| {
            let (sender, receiver) = mpsc::channel(LANE_QUEUE);
            lanes.spawn(lane(receiver, handler.clone(), shutdown.clone()));
            sender
        })
        .collect();
    while let Some(Some(message)) = shutdown.run_until_cancelled(messages.next()).await {
        let message = message.map_err(Error::nats)?;
        let event = Event::parse(&message)?;
        let mut hasher = DefaultHasher::new();
        event.aggregate_id.hash(&mut hasher);
        let lane = usize::try_from(hasher.finish() % (LANES as u64)).unwrap_or(0);
        if senders[lane].send((event, message)).await.is_err() {
            break;
        }
    }
    drop(senders);
    while lanes.join_next().await.is_some() {}
    Ok(())
}

async fn lane(mut queue: mpsc::Receiver<(Event, Message)>, handler: Arc<dyn Handler>, shutdown: CancellationToken) {
    while let Some((event, message)) = queue.recv().await {
        let span = tracing::info_span!("consume", otel.kind = "consumer", r#type = %event.r#type, id = %event.id);
        if let Some(trace) = &event.trace {
            telemetry::link_trace(&span, trace);
        }
        let settled = shutdown.run_until_cancelled(settle(&event, &message, &handler).instrument(span)).await;
        match settled {
            Some(Err(error)) => tracing::debug!(%error, "an acknowledgement was not sent; the event comes again"),
            Some(Ok(())) => {}
            None => return,
        }
    }
}

/// Applies until it works, asking the broker for time; acknowledges, or sends a gap back.
async fn settle(event: &Event, message: &Message, handler: &Arc<dyn Handler>) -> Result<(), Error> {
    let mut backoff = Duration::from_millis(20);
    loop {
        let kind = match handler.apply(event).await {
            Ok(()) => AckKind::Ack,
            Err(HandlerError::Gap { expected, seq }) => {
                tracing::debug!(id = %event.id, expected, seq, "an event came before its predecessor");
                AckKind::Nak(Some(GAP_DELAY))
            }
            Err(HandlerError::Retry(reason)) => {
                tracing::warn!(id = %event.id, r#type = %event.r#type, %reason, "an event could not be applied; trying again");
                message.ack_with(AckKind::Progress).await.map_err(Error::nats)?;
                tokio::time::sleep(backoff).await;
                backoff = (backoff * 2).min(MAX_BACKOFF);
                continue;
            }
        };
        return message.ack_with(kind).await.map_err(Error::nats);
    }
}
