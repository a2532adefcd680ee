//! The end of the stream: the last entry of the log in it, which may be before messages that somebody else published.

use super::{End, Publisher, position::Scanned};
use crate::{
    Error,
    stored::{Stored, stored},
};
use async_nats::jetstream::stream::State;
use futures::{StreamExt, TryFutureExt, TryStreamExt};

/// Places that are read at a time, once the last one turned out to be no entry; usually it is one.
const AT_A_TIME: usize = 64;

/// Sequences that an alarm names: enough to look at; further ones are counted.
const NAMED: usize = 20;

#[derive(Default)]
struct TailScan {
    /// The last entry of the log, and its sequence.
    entry: Option<End>,
    /// Places behind it that hold nothing any more: they may have been entries.
    has_gaps: bool,
    /// Places behind it with messages of others, the last one first.
    foreign: Vec<u64>,
}

impl Publisher {
    /// The last entry that the stream is known to hold, its sequence, and the messages of others that are new behind it.
    pub(super) async fn last_entry(&mut self, state: &State) -> Result<(End, Vec<u64>), Error> {
        if *self.position.scanned.places.end() > state.last_sequence {
            self.position.scanned = Scanned::default(); // the stream was deleted and made again
        }
        let scan = self.scan_back(state).await?;
        let before = std::mem::take(&mut self.position.scanned);
        let has_passed = scan.entry.is_none_or(|entry| entry.js_seq < *before.places.start());
        let foreign = u64::try_from(scan.foreign.len()).unwrap_or(0) + if has_passed { before.foreign } else { 0 };
        let has_gaps = scan.has_gaps || (has_passed && before.has_gaps);
        let behind = scan.entry.map_or(state.first_sequence.max(1), |entry| entry.js_seq + 1);
        self.position.scanned = Scanned { places: behind..=state.last_sequence, foreign, has_gaps };
        let last = match scan.entry {
            Some(entry) if !has_gaps => entry,
            None if !has_gaps => End::default(),
            // Entries behind have expired or were purged, so the saved position is the best that is known. No entry can be
            // behind `reach`: saved entries beyond it are lost, and are published again.
            entry => {
                let reach = state.last_sequence.saturating_sub(foreign);
                let lost = self.position.js_seq.saturating_sub(reach);
                let saved = self.position.gseq.saturating_sub_unsigned(lost).max(0);
                entry.into_iter().chain([End { gseq: saved, js_seq: reach }]).max().unwrap_or_default()
            }
        };
        Ok((last, scan.foreign))
    }

    /// Reads the stream from its end back to an entry of the log.
    async fn scan_back(&self, state: &State) -> Result<TailScan, Error> {
        let mut scan = TailScan::default();
        let places = (state.first_sequence.max(1)..=state.last_sequence).rev();
        let mut places = places.filter(|place| !self.position.scanned.places.contains(place));
        let (stream, mut at_a_time) = (topology::stream(&self.service), 1);
        loop {
            let next: Vec<u64> = places.by_ref().take(at_a_time).collect();
            if next.is_empty() {
                scan.has_gaps |= state.first_sequence > 1;
                return Ok(scan);
            }
            let read = futures::stream::iter(next).map(|place| {
                let found = stored(&self.nats.jetstream, &stream, place);
                found.map_ok(move |found| (place, found))
            });
            let found: Vec<(u64, Stored)> = read.buffered(AT_A_TIME).try_collect().await?;
            for (place, found) in found {
                match found {
                    Stored::Gone => scan.has_gaps = true,
                    Stored::Foreign => scan.foreign.push(place),
                    Stored::Entry { gseq, .. } => {
                        scan.entry = Some(End { gseq, js_seq: place });
                        return Ok(scan);
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
