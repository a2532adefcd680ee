//! Sends what is due, a few deliveries of each endpoint at a time. Several replicas do: a claim is for one of them.

use crate::{
    domain::{Delivery, Endpoint, Outcome, later},
    post::{Message, Poster},
    signature,
    store::{Deliveries, Endpoints},
};
use ::store::{Error, now};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

/// Requests to one endpoint at the same time: one that is slow holds up itself alone.
const AT_A_TIME: usize = 4;

/// Deliveries of an endpoint that one look finds.
const BATCH: i64 = 16;

/// Pause between two looks for what is due; what was just written does not wait for it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pause between two looks for what has waited for too long for an endpoint that is disabled.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// What is left of a claim after a request that took all the time it may.
const MARGIN: Duration = Duration::from_secs(10);

/// Attempts to write an outcome, one a second, within the margin: an outcome that is lost is a request that is sent again.
const WRITES: u32 = 8;

pub struct Sender {
    pub endpoints: Endpoints,
    pub deliveries: Deliveries,
    pub poster: Poster,
}

/// The attempts of this process, and how many an endpoint may have.
#[derive(Default)]
struct Attempts {
    seats: HashMap<String, Arc<Semaphore>>,
    tasks: JoinSet<()>,
}

impl Sender {
    /// Sends until `shutdown`, then waits for the attempts that are under way.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        let (mut attempts, mut swept_at) = (Attempts::default(), None);
        while !shutdown.is_cancelled() {
            let is_sweep = swept_at.is_none_or(|at: Instant| at.elapsed() >= SWEEP_EVERY);
            let looked = self.look(&mut attempts, is_sweep).await;
            while attempts.tasks.try_join_next().is_some() {}
            if looked.is_ok() && is_sweep {
                swept_at = Some(Instant::now());
            }
            match looked {
                Ok(true) => {}
                Ok(false) => self.pause(&shutdown).await,
                Err(error) => {
                    tracing::warn!(%error, "deliveries that are due cannot be found");
                    shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await;
                }
            }
        }
        while attempts.tasks.join_next().await.is_some() {}
    }

    /// Waits until something may be due, or for the next look.
    async fn pause(&self, shutdown: &CancellationToken) {
        let changed = tokio::time::timeout(LOOK_EVERY, self.deliveries.changed.notified());
        let _ = shutdown.run_until_cancelled(changed).await;
    }

    /// Looks once at each endpoint; tells whether another look is worthwhile at once.
    async fn look(self: &Arc<Self>, attempts: &mut Attempts, is_sweep: bool) -> Result<bool, Error> {
        let endpoints = self.endpoints.all().await?;
        attempts.seats.retain(|id, _| endpoints.iter().any(|endpoint| endpoint.id == *id));
        let mut has_found = false;
        for endpoint in endpoints {
            if endpoint.disabled.is_none() {
                has_found |= self.look_at(&endpoint, attempts).await?;
            } else if is_sweep {
                self.deliveries.give_up(&endpoint.id, now()).await?;
            }
        }
        Ok(has_found)
    }

    async fn look_at(self: &Arc<Self>, endpoint: &Endpoint, attempts: &mut Attempts) -> Result<bool, Error> {
        let seats = attempts.seats.entry(endpoint.id.clone());
        let seats = seats.or_insert_with(|| Arc::new(Semaphore::new(AT_A_TIME))).clone();
        if seats.available_permits() == 0 {
            return Ok(false);
        }
        let due = self.deliveries.due(&endpoint.id, now(), BATCH).await?;
        let has_found = !due.is_empty();
        for delivery in due {
            if self.deliveries.waits(&delivery, now()).await? {
                continue;
            }
            let Ok(seat) = seats.clone().try_acquire_owned() else { break };
            let until = later(now(), self.poster.limit + MARGIN);
            let Some(delivery) = self.deliveries.claim(&delivery, now(), until).await? else { continue };
            let sender = self.clone();
            attempts.tasks.spawn(async move {
                sender.attempt(delivery).await;
                drop(seat);
                sender.deliveries.changed.notify_one();
            });
        }
        Ok(has_found)
    }

    async fn attempt(&self, mut delivery: Delivery) {
        telemetry::crash_point("webhooks.claimed");
        // As it is now: it may have another secret, or be gone or disabled. The claim runs out then.
        let endpoint = match self.endpoints.find(&delivery.endpoint_id).await {
            Ok(Some(endpoint)) if endpoint.disabled.is_none() => endpoint,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(delivery = %delivery.id, %error, "the endpoint of a delivery cannot be read");
                return;
            }
        };
        let (body, seconds) = (std::mem::take(&mut delivery.body), now().timestamp_millis() / 1000);
        let signature = signature::header(endpoint.signing(now()), &delivery.event_id, seconds, &body);
        // Once the claim has run out the delivery is another attempt's, and what follows on it may have been sent.
        if delivery.wake_at.is_none_or(|until| later(now(), self.poster.limit) > until) {
            tracing::warn!(delivery = %delivery.id, "an attempt took too long to begin; the delivery is sent later");
            return;
        }
        telemetry::crash_point("webhooks.posting");
        let message = Message { id: &delivery.event_id, seconds, signature, body };
        let outcome = self.poster.post(&endpoint.url, message).await;
        telemetry::crash_point("webhooks.posted");
        for _ in 0..WRITES {
            match self.record(&delivery, &outcome).await {
                Ok(true) => break,
                Ok(false) => {
                    tracing::warn!(delivery = %delivery.id, "another attempt began before this one had ended");
                    break;
                }
                Err(error) => tracing::warn!(delivery = %delivery.id, %error, "an outcome cannot be written"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        telemetry::crash_point("webhooks.ended");
    }

    /// Writes the outcome; false when another attempt has begun.
    async fn record(&self, delivery: &Delivery, outcome: &Outcome) -> Result<bool, Error> {
        let (id, now) = (&delivery.endpoint_id, now());
        if outcome.error().is_none() {
            self.endpoints.note_success(id).await?;
        } else {
            self.endpoints.note_failure(id, now).await?;
            if let Some(endpoint) = self.endpoints.find(id).await?
                && let Some(why) = endpoint.ends_by(outcome.status(), now)
            {
                tracing::warn!(endpoint = %id, why, "an endpoint is disabled");
                self.endpoints.disable(&endpoint, why).await?;
            }
        }
        let next = delivery.after(outcome, rand::random(), now);
        self.deliveries.end(delivery, outcome, next, now).await
    }
}
