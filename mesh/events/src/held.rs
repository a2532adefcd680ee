//! A message that is delivered again and again and never acknowledged: its headers break the connection whenever it comes,
//! or its handler does not end. Other messages go on around it, and a person should know of it.

use async_nats::jetstream::consumer::Info;
use std::time::{Duration, Instant};

/// A message that is unacknowledged for longer is held: all attempts to apply an event take about six seconds.
const HELD_AFTER: Duration = Duration::from_secs(30);

/// How far one consumer has acknowledged everything.
pub(crate) struct Floor {
    sequence: u64,
    since: Instant,
}

impl Floor {
    pub fn new() -> Self {
        Self { sequence: 0, since: Instant::now() }
    }

    /// The message that keeps the floor where it is, once it has done so for long.
    pub fn held_by(&mut self, info: &Info) -> Option<u64> {
        let sequence = info.ack_floor.stream_sequence;
        if sequence != self.sequence || info.num_ack_pending == 0 {
            *self = Self { sequence, since: Instant::now() };
        }
        (self.since.elapsed() > HELD_AFTER).then_some(sequence + 1)
    }
}
