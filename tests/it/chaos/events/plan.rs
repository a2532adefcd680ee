//! What one run does, drawn from its number.

use crate::chaos::frame;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::{fmt, time::Duration};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The relay is killed at one of its steps.
    KillAtStep,
    /// The relay is killed at any time.
    KillRelay,
    /// The relay stops for a while; nobody takes over.
    PauseRelay,
    /// The relay stops in the middle of a step, another one leads, then the first goes on.
    Overtake,
    /// Two relays take the lease from each other all the time.
    TwoRelays,
    /// Somebody changes, or removes, the lease and the checkpoint.
    RewriteLease,
    /// nats-server is killed.
    KillNats,
    /// nats-server is killed and comes back with older files.
    RollNatsBack,
    /// The stream is deleted.
    DeleteStream,
    /// mongod is killed.
    KillMongod,
    /// Somebody else publishes on the stream.
    ForeignMessages,
    /// The broker takes no message as large as an event for a while.
    LowerPayload,
    /// The durable of the consumer is made anew, so that it would leave events out.
    RemakeDurable,
}

/// All of them.
const FAULTS: [Fault; 13] = [
    Fault::KillAtStep,
    Fault::KillRelay,
    Fault::PauseRelay,
    Fault::Overtake,
    Fault::TwoRelays,
    Fault::RewriteLease,
    Fault::KillNats,
    Fault::RollNatsBack,
    Fault::DeleteStream,
    Fault::KillMongod,
    Fault::ForeignMessages,
    Fault::LowerPayload,
    Fault::RemakeDurable,
];

/// Labels of `telemetry::crash_point` in the relay.
const STEPS: [&str; 7] = [
    "relay.appending",
    "relay.appended",
    "relay.token_saved",
    "relay.publishing",
    "relay.batch",
    "relay.acknowledged",
    "relay.published_saved",
];

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KillAtStep => "relay killed at a step",
            Self::KillRelay => "relay killed at any time",
            Self::PauseRelay => "relay stopped and continued",
            Self::Overtake => "relay stopped in a step and overtaken",
            Self::TwoRelays => "two relays at once",
            Self::RewriteLease => "lease rewritten or removed",
            Self::KillNats => "nats-server killed",
            Self::RollNatsBack => "nats-server rolled back",
            Self::DeleteStream => "stream deleted",
            Self::KillMongod => "mongod killed",
            Self::ForeignMessages => "foreign messages on the stream",
            Self::LowerPayload => "max_payload below an event",
            Self::RemakeDurable => "durable made anew by hand",
        })
    }
}

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where it comes from; writers draw from it too.
    pub seed: u64,
    /// What goes wrong.
    pub fault: Fault,
    /// When, after the writers have begun.
    pub at: Duration,
    /// For how long, when it lasts.
    pub lasts: Duration,
    /// For the faults at a step: `relay.appended:3`.
    pub step: String,
    /// One of the ways to rewrite a lease.
    pub variant: usize,
    /// Whether the relay leads before the writers begin.
    pub warm: bool,
    /// Products that are written.
    pub products: usize,
    /// Writers at a time.
    pub writers: u64,
    /// Writes of each.
    pub writes: usize,
    /// Longest pause between two writes of a writer.
    pub pause: Duration,
}

impl frame::Plan for Plan {
    fn draw(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let step = STEPS.choose(&mut random).expect("there are some");
        // Saves are a second apart.
        let passes = if step.ends_with("_saved") { 1 } else { random.random_range(1..=12) };
        Self {
            seed,
            fault: *FAULTS.choose(&mut random).expect("there are some"),
            at: Duration::from_millis(random.random_range(0..600)),
            lasts: Duration::from_millis(random.random_range(0..500)),
            step: format!("{step}:{passes}"),
            variant: random.random_range(0..4),
            warm: random.random_bool(0.6),
            products: random.random_range(1..=6),
            writers: random.random_range(1..=4),
            writes: random.random_range(20..=80),
            pause: Duration::from_millis(random.random_range(1..=40)),
        }
    }
    fn rows(&self) -> Vec<String> {
        vec![self.fault.to_string()]
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}
