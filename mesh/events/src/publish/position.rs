//! How far a stream goes, and what is known of what lies behind.

use std::ops::RangeInclusive;

/// How far a stream goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Position {
    /// Last published entry.
    pub gseq: i64,
    /// Its sequence in the stream.
    pub js_seq: u64,
    pub(super) looked: Looked,
    /// How often the client had connected when the stream was last looked at.
    pub(super) connects: u64,
    /// Whether one entry goes at a time, until one has been stored: of several the broker says why the last was refused,
    /// which may be that the one before it was.
    pub is_careful: bool,
}

impl Position {
    /// As the relay before us has saved it.
    pub fn saved(gseq: i64, js_seq: i64) -> Self {
        Self { gseq, js_seq: u64::try_from(js_seq).unwrap_or(0), ..Self::default() }
    }
}

/// Places that a look over this connection has found to be no entries: they are not read, and not alarmed of, again.
#[derive(Debug, Clone)]
pub(super) struct Looked {
    pub places: RangeInclusive<u64>,
    pub foreign: u64,
    pub has_gaps: bool,
}

impl Default for Looked {
    fn default() -> Self {
        Self { places: RangeInclusive::new(1, 0), foreign: 0, has_gaps: false }
    }
}
