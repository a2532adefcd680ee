//! Stock and reservations as this process wrote them last, so that the next batch need not read them.
//!
//! Other replicas may have written since. So a decision on remembered documents counts only once it is written, because a
//! write is guarded by the revision. A refusal, or a command without effect, is decided again on documents that are read.

use crate::domain::{Reservation, Stock};
use ::store::{Cache, Versioned};
use std::time::{Duration, Instant};

/// Documents of one kind by id; 4,096 in a generation of the cache are some MB.
pub type WriteCache<T> = Cache<Versioned<T>, 4096>;

/// While other replicas write the same documents, each remembered decision is refused and made twice: for this time after
/// a refusal batches read.
const DISTRUST: Duration = Duration::from_secs(1);

pub struct Written {
    pub stock: Vec<Versioned<Stock>>,
    pub reservations: Vec<Versioned<Reservation>>,
}

#[derive(Default)]
pub struct Memory {
    /// By product.
    pub stock: WriteCache<Stock>,
    /// By id.
    pub reservations: WriteCache<Reservation>,
    wrong_at: Option<Instant>,
}

impl Memory {
    /// Whether remembered documents are worth deciding on.
    pub fn is_trusted(&self) -> bool {
        self.wrong_at.is_none_or(|wrong_at| wrong_at.elapsed() >= DISTRUST)
    }

    /// A write on remembered versions was refused: another replica has written.
    pub fn distrust(&mut self) {
        self.wrong_at = Some(Instant::now());
    }

    pub fn remember(&mut self, written: Written) {
        written.stock.into_iter().for_each(|stock| self.stock.set(&stock.id.clone(), stock));
        written.reservations.into_iter().for_each(|one| self.reservations.set(&one.id.clone(), one));
    }
}
