//! Where the stream ends: the last entry of the log that it holds, behind whatever else somebody published on it.

use super::{Publisher, position::Looked};
use crate::{
    Error,
    stored::{Stored, stored},
};
use async_nats::jetstream::stream::State;
use futures::{StreamExt, TryFutureExt, TryStreamExt};

/// Places that are read at a time, once the last one turned out not to be ours.
const AT_A_TIME: usize = 64;

/// Sequences that an alarm names; further ones are counted.
const NAMED: usize = 20;

/// What a look at the end of the stream has found.
#[derive(Default)]
struct Look {
    /// The last entry of the log, and its sequence.
    entry: Option<(i64, u64)>,
    /// Places behind it that hold nothing any more: they may have been entries.
    has_gaps: bool,
    /// Places behind it that somebody else has filled, the last one first.
    foreign: Vec<u64>,
}

impl Publisher {
    /// The last entry that the stream is known to hold, its sequence, and what somebody else has published behind it since
    /// the last look.
    pub(super) async fn last_entry(&mut self, state: &State) -> Result<((i64, u64), Vec<u64>), Error> {
        if *self.position.looked.places.end() > state.last_sequence {
            self.position.looked = Looked::default(); // it is another stream
        }
        let look = self.look_back(state).await?;
        let before = std::mem::take(&mut self.position.looked);
        let has_passed = look.entry.is_none_or(|(_, sequence)| sequence < *before.places.start());
        let foreign = u64::try_from(look.foreign.len()).unwrap_or(0) + if has_passed { before.foreign } else { 0 };
        let has_gaps = look.has_gaps || (has_passed && before.has_gaps);
        let behind = look.entry.map_or(state.first_sequence.max(1), |(_, sequence)| sequence + 1);
        self.position.looked = Looked { places: behind..=state.last_sequence, foreign, has_gaps };
        let last = match look.entry {
            Some(entry) if !has_gaps => entry,
            None if !has_gaps => (0, 0),
            // Expired, purged or removed: what we saved is the best that is known. Entries can reach so far at most, and
            // those that the stream has not come to are lost.
            entry => {
                let reach = state.last_sequence.saturating_sub(foreign);
                let lost = self.position.js_seq.saturating_sub(reach);
                let saved = self.position.gseq.saturating_sub_unsigned(lost).max(0);
                entry.into_iter().chain([(saved, reach)]).max().unwrap_or_default()
            }
        };
        Ok((last, look.foreign))
    }

    /// Reads the stream from its end back to an entry of the log.
    async fn look_back(&self, state: &State) -> Result<Look, Error> {
        let mut look = Look::default();
        let places = (state.first_sequence.max(1)..=state.last_sequence).rev();
        let mut places = places.filter(|place| !self.position.looked.places.contains(place));
        let (stream, mut at_a_time) = (topology::stream(&self.service), 1);
        loop {
            let next: Vec<u64> = places.by_ref().take(at_a_time).collect();
            if next.is_empty() {
                look.has_gaps |= state.first_sequence > 1;
                return Ok(look);
            }
            let read = futures::stream::iter(next).map(|place| {
                let found = stored(&self.nats.jetstream, &stream, place);
                found.map_ok(move |found| (place, found))
            });
            let found: Vec<(u64, Stored)> = read.buffered(AT_A_TIME).try_collect().await?;
            for (place, found) in found {
                match found {
                    Stored::Gone => look.has_gaps = true,
                    Stored::Foreign => look.foreign.push(place),
                    Stored::Entry { gseq, .. } => {
                        look.entry = Some((gseq, place));
                        return Ok(look);
                    }
                }
            }
            at_a_time = AT_A_TIME;
        }
    }

    /// Only the relay may publish on its stream: a person should know who else does.
    pub(super) fn alarm(&self, foreign: &[u64]) {
        if !foreign.is_empty() {
            let sequences: Vec<&u64> = foreign.iter().rev().take(NAMED).collect();
            tracing::error!(alarm = "foreign_message", stream = %topology::stream(&self.service), ?sequences,
                count = foreign.len(), "somebody else published on this stream; the relay goes on behind that");
        }
    }
}
