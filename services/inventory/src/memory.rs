//! What this process wrote last of stock and reservations, so that the next batch need not read it.
//!
//! Others may have written since. So what is decided on it counts only if it is written: a write is guarded by the
//! revision. A refusal, or a command without effect, is decided anew on what is read.

use crate::domain::{Reservation, Stock};
use ::store::{Cache, Versioned};
use std::time::{Duration, Instant};

/// Documents of one kind as they were written last.
pub type WriteCache<T> = Cache<Versioned<T>, 4096>;

/// While others write the same documents, remembering costs more than it saves: so long it is not tried again.
const DISTRUST: Duration = Duration::from_secs(1);

/// What a batch has written.
#[derive(Default)]
pub struct Written {
    pub stock: Vec<Versioned<Stock>>,
    pub reservations: Vec<Versioned<Reservation>>,
}

/// Stock and reservations as they were written last.
#[derive(Default)]
pub struct Memory {
    /// By product.
    pub stock: WriteCache<Stock>,
    /// By id.
    pub reservations: WriteCache<Reservation>,
    wrong_at: Option<Instant>,
}

impl Memory {
    /// Whether it is worth deciding on.
    pub fn is_trusted(&self) -> bool {
        self.wrong_at.is_none_or(|wrong_at| wrong_at.elapsed() >= DISTRUST)
    }

    /// Notes that somebody else has written.
    pub fn was_wrong(&mut self) {
        self.wrong_at = Some(Instant::now());
    }

    /// Remembers what a batch has written.
    pub fn note(&mut self, written: Written) {
        written.stock.into_iter().for_each(|stock| self.stock.set(&stock.id.clone(), stock));
        written.reservations.into_iter().for_each(|one| self.reservations.set(&one.id.clone(), one));
    }
}
