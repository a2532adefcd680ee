//! The last entry of a stream, and the places behind it.

use std::ops::RangeInclusive;

/// The last entry that is known to be in the stream.
#[derive(Debug, Clone, Default)]
pub(crate) struct Position {
    /// Last published entry.
    pub gseq: i64,
    /// Its sequence in the stream.
    pub js_seq: u64,
    /// The places behind the last entry, as they were read last.
    pub(super) scanned: Scanned,
    /// Connects of the client when the tail of the stream was last read.
    pub(super) connects: u64,
    /// Whether one entry goes at a time, until one has been stored. Of several the broker says why the last was refused,
    /// which may only be the refusal of the one before.
    pub is_careful: bool,
}

impl Position {
    pub fn saved(gseq: i64, js_seq: i64) -> Self {
        Self { gseq, js_seq: u64::try_from(js_seq).unwrap_or(0), ..Self::default() }
    }
}

/// Places that hold no entries, as this connection has found: they are not read again, and raise no second alarm.
#[derive(Debug, Clone)]
pub(super) struct Scanned {
    pub places: RangeInclusive<u64>,
    pub foreign: u64,
    pub has_gaps: bool,
}

impl Default for Scanned {
    fn default() -> Self {
        Self { places: RangeInclusive::new(1, 0), foreign: 0, has_gaps: false }
    }
}
