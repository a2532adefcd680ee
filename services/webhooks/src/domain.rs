//! What endpoints and deliveries are, and what an attempt leads to. Pure.

#[cfg(test)]
mod tests;

use ::store::Time;
use serde::{Deserialize, Serialize};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// An event that was this old when it was heard of has no delivery: nobody is told of it.
pub const HEARD_FOR: Duration = Duration::from_secs(30 * 24 * 3600);

/// A delivery is kept for this long after its event: longer than its event can be heard of, so that none is sent as new again.
pub const KEPT_FOR: Duration = Duration::from_secs(45 * 24 * 3600);

/// A delivery is tried for this long, and an endpoint that has failed for this long is disabled.
pub const TRIED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Endpoints, at most.
pub const MAX_ENDPOINTS: i32 = 100;

/// Secrets of an endpoint that sign at a time: with each, the header grows by 48 bytes.
const MAX_SECRETS: usize = 3;

/// Status of an endpoint that wants nothing any more (RFC 9110, section 15.5.11).
const GONE: u16 = 410;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    pub value: String,
    pub created_at: Time,
    /// When it ends; none of the latest one.
    pub until: Option<Time>,
}

/// Where an integrator takes events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    #[serde(rename = "_id")]
    pub id: String,
    /// One of `MAX_ENDPOINTS` places, which no other endpoint has.
    pub slot: i32,
    pub url: String,
    pub event_types: Vec<String>,
    /// The latest first.
    pub secrets: Vec<Secret>,
    /// Why it is disabled, as a code; none when it is enabled.
    pub disabled: Option<String>,
    /// When the first of the attempts failed that have failed without one in between that has not.
    pub failing_since: Option<Time>,
    /// Taken before it was stored: events from this time on are delivered.
    pub created_at: Time,
    /// Taken after it was stored: events from this time on cannot have been missed. None when the process died in between.
    pub certain_from: Option<Time>,
}

impl Endpoint {
    /// The secrets that sign now.
    pub fn signing(&self, now: Time) -> impl Iterator<Item = &str> {
        self.secrets.iter().filter(move |secret| secret.until.is_none_or(|until| now < until)).map(|one| &*one.value)
    }

    /// The secrets with another one, those before for `overlap` more at most.
    pub fn rotated(&self, value: String, overlap: Duration, now: Time) -> Vec<Secret> {
        let end = later(now, overlap);
        let ended = self
            .secrets
            .iter()
            .map(|secret| Secret { until: Some(secret.until.map_or(end, |until| until.min(end))), ..secret.clone() });
        let kept = ended.filter(|secret| secret.until.is_some_and(|until| now < until));
        [Secret { value, created_at: now, until: None }].into_iter().chain(kept).take(MAX_SECRETS).collect()
    }

    /// Why it is disabled after an attempt that has failed with this status; none when it goes on.
    pub fn ends_by(&self, status: Option<u16>, now: Time) -> Option<&'static str> {
        let is_failing = |since: Time| now >= later(since, TRIED_FOR);
        match status {
            Some(GONE) => Some("GONE"),
            _ => self.failing_since.is_some_and(is_failing).then_some("FAILING"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Pending,
    Delivered,
    Failed,
}

/// An event on its way to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    #[serde(rename = "_id")]
    pub id: String,
    pub endpoint_id: String,
    /// Endpoint and aggregate: what goes one after the other.
    pub lane: String,
    pub event_id: String,
    pub event_type: String,
    pub aggregate_id: String,
    pub seq: i64,
    /// What is posted. Not read for lists.
    #[serde(default)]
    pub body: String,
    pub state: State,
    /// Attempts that have begun. An attempt writes its outcome only while it is the last one.
    pub attempts: i32,
    pub last_status: Option<i32>,
    pub last_error: Option<String>,
    /// When the next attempt may begin; none when there is no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_at: Option<Time>,
    /// Attempts that had begun when it was last sent again by an RPC.
    pub attempts_before: i32,
    /// Whether it waits for an older one of its lane.
    pub is_blocked: bool,
    /// After this time it is tried no more.
    pub open_until: Time,
    pub created_at: Time,
    pub updated_at: Time,
    /// When it is removed.
    pub expires_at: Time,
}

/// What an attempt has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Taken(u16),
    /// Answered with another status than 2xx.
    Refused(u16),
    /// No answer; with a code that says why.
    Failed(&'static str),
}

impl Outcome {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Taken(status) | Self::Refused(status) => Some(*status),
            Self::Failed(_) => None,
        }
    }

    /// Why it failed; none when it has not.
    pub fn error(&self) -> Option<&'static str> {
        match self {
            Self::Taken(_) => None,
            Self::Refused(_) => Some("REFUSED"),
            Self::Failed(why) => Some(why),
        }
    }
}

impl Delivery {
    /// The state after an attempt, and when there is another one. `jitter` is between 0 and 1.
    pub fn after(&self, outcome: &Outcome, jitter: f64, now: Time) -> (State, Option<Time>) {
        match outcome {
            Outcome::Taken(_) => (State::Delivered, None),
            Outcome::Refused(_) | Outcome::Failed(_) if now >= self.open_until => (State::Failed, None),
            Outcome::Refused(_) | Outcome::Failed(_) => {
                (State::Pending, Some(later(now, pause(self.attempts - self.attempts_before, jitter))))
            }
        }
    }
}

/// The pause after this many attempts: 1 s, doubled each time up to an hour, and up to a quarter more, so that what has failed
/// together does not come back together.
pub fn pause(attempts: i32, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(0).min(16);
    Duration::from_secs(1 << doublings).min(HOUR).mul_f64(1.0 + jitter.clamp(0.0, 1.0) / 4.0)
}

/// This long after a time.
pub fn later(time: Time, by: Duration) -> Time {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Time::from_millis(time.timestamp_millis().saturating_add(millis))
}
