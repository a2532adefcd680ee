//! Several streams of events into one, by time.
//!
//! Each service sends its own in order. An event is let through when every other service has sent a later one or has
//! been silent for a while; within a service the order of its log stays. Across services the order is only as good as
//! their relays are fast: the events of one that is behind come after later ones of the others.

use contracts::events::v1::Event;
use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

/// A service that has sent nothing for this time counts as having nothing to send: the others must not wait for it.
/// What it sends later is printed when it comes.
pub const SILENCE_LIMIT: Duration = Duration::from_millis(300);

/// With more events in hand the oldest is let through at once: memory is bounded, at the price of their order.
const WAITING_LIMIT: usize = 10_000;

#[derive(Default)]
pub struct Merge {
    waiting: BTreeMap<(i64, u64), Event>,
    services: HashMap<String, Sender>,
    count: u64,
}

struct Sender {
    /// Time of its last event; never less than that of the one before.
    latest: i64,
    heard: Instant,
}

impl Merge {
    pub fn new(services: &[String], now: Instant) -> Self {
        let sender = |name: &String| (name.clone(), Sender { latest: i64::MIN, heard: now });
        Self { services: services.iter().map(sender).collect(), ..Self::default() }
    }

    pub fn push(&mut self, event: Event, now: Instant) {
        let time =
            event.time.as_ref().map_or(0, |time| time.seconds.saturating_mul(1000) + i64::from(time.nanos) / 1_000_000);
        let sender = self.services.entry(event.service.clone()).or_insert(Sender { latest: i64::MIN, heard: now });
        // Replicas of one service have their own clocks; the order of its log counts more than their times.
        sender.latest = sender.latest.max(time);
        sender.heard = now;
        self.count += 1;
        self.waiting.insert((sender.latest, self.count), event);
    }

    /// The next event in order, when it is certain, or when too many wait.
    pub fn pop(&mut self, now: Instant) -> Option<Event> {
        let &(time, _) = self.waiting.keys().next()?;
        let is_quiet = |sender: &Sender| now.duration_since(sender.heard) >= SILENCE_LIMIT;
        let is_certain = self.services.values().all(|sender| sender.latest >= time || is_quiet(sender));
        if is_certain || self.waiting.len() > WAITING_LIMIT {
            return self.waiting.pop_first().map(|(_, event)| event);
        }
        None
    }
}
