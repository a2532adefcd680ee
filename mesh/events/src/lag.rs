//! How far a read model is behind, as its readers are told: the age of the oldest event that it has not folded.
//!
//! The durable consumers tell whether anything is left; when something was published the owner's log tells. They are asked
//! only while somebody reads, and each answer counts for a while.

use crate::{Consumers, Error, ReadModel};
use std::time::Duration;
use store::Time;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// How long an answer counts: what was published since is not in it.
const FRESH: Duration = Duration::from_millis(250);

/// Longest wait for an answer: a reader must not wait for the broker.
const PATIENCE: Duration = Duration::from_millis(250);

/// The lag of a read model, for its readers.
pub struct ProjectionLag {
    model: ReadModel,
    seen: Mutex<Seen>,
}

struct Seen {
    /// When was asked last.
    asked: Option<Instant>,
    /// Since when there has been no answer; none while there is one.
    unanswered: Option<Instant>,
    /// When the oldest event that was not folded then had happened; none when all were.
    oldest: Option<Time>,
}

impl ProjectionLag {
    pub fn new(model: ReadModel) -> Self {
        Self { model, seen: Mutex::new(Seen { asked: None, unanswered: None, oldest: None }) }
    }

    /// The age of the oldest published event that is not folded, dead letters among them; zero when there is none. While
    /// that cannot be told, no less than the time since it was asked for in vain.
    pub async fn age(&self) -> Duration {
        let mut seen = self.seen.lock().await;
        if seen.asked.is_none_or(|asked| asked.elapsed() >= FRESH) {
            let began = Instant::now();
            match timeout(PATIENCE, self.oldest()).await {
                Ok(Ok(oldest)) => (seen.unanswered, seen.oldest) = (None, oldest),
                failed => {
                    seen.unanswered.get_or_insert(began);
                    tracing::debug!(?failed, "the lag of the read model is not told");
                }
            }
            seen.asked = Some(Instant::now());
        }
        seen.age(store::now())
    }

    async fn oldest(&self) -> Result<Option<Time>, Error> {
        let consumers = self.model.consumers().ok_or(Error::Superseded)?;
        consumers.oldest_unfolded().await
    }
}

impl Seen {
    fn age(&self, now: Time) -> Duration {
        let of = |oldest: Time| now.timestamp_millis().saturating_sub(oldest.timestamp_millis()).max(1).unsigned_abs();
        let known = self.oldest.map_or(Duration::ZERO, |oldest| Duration::from_millis(of(oldest)));
        self.unanswered.map_or(known, |since| known.max(since.elapsed()))
    }
}

impl Consumers {
    /// When the oldest event happened that is published and not folded.
    async fn oldest_unfolded(&self) -> Result<Option<Time>, Error> {
        let of_sources = self.sources().iter().map(|source| self.oldest_of(source));
        let waiting = futures::future::try_join_all(of_sources).await?;
        let letters = self.letters().oldest().await?;
        Ok(waiting.into_iter().flatten().chain(letters).min())
    }

    async fn oldest_of(&self, source: &str) -> Result<Option<Time>, Error> {
        let info = self.info(source).await?.ok_or_else(|| Error::NoStream(topology::stream(source)))?;
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return Ok(None);
        }
        // A stream has the entries of its log at their places, as long as nobody else publishes on it.
        let folded = i64::try_from(info.ack_floor.stream_sequence).unwrap_or(i64::MAX);
        let next = self.event_sources().first_after(source, folded).await.map_err(Error::nats)?;
        next.map(|event| Some(event.at)).ok_or_else(|| Error::Nats(format!("{source} has no event after {folded}")))
    }
}
