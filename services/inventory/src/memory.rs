//! What this process wrote last of stock and reservations, so that the next batch need not read it.
//!
//! Others may have written since. So what is decided on it counts only if it is written: a write is guarded by the
//! revision. A refusal, or a command without effect, is decided anew on what is read.

use crate::{
    domain::{Reservation, Stock},
    store::Written,
};
use ::store::Versioned;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Documents of one kind that are remembered at least; twice as many at most.
const KEPT: usize = 4096;

/// While others write the same documents, remembering costs more than it saves: so long it is not tried again.
const DISTRUST: Duration = Duration::from_secs(1);

/// Stock and reservations as they were written last.
#[derive(Default)]
pub struct Memory {
    /// By product.
    pub stock: Shelf<Stock>,
    /// By id.
    pub reservations: Shelf<Reservation>,
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
        self.stock.put(written.stock);
        self.reservations.put(written.reservations);
    }
}

/// Documents by id. When `newer` is full it becomes `older`, and what was that is forgotten.
pub struct Shelf<T> {
    newer: HashMap<String, Versioned<T>>,
    older: HashMap<String, Versioned<T>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { newer: HashMap::new(), older: HashMap::new() }
    }
}

impl<T> Shelf<T> {
    /// The document of this id.
    pub fn get(&self, id: &str) -> Option<&Versioned<T>> {
        self.newer.get(id).or_else(|| self.older.get(id))
    }

    fn put(&mut self, written: Vec<Versioned<T>>) {
        for document in written {
            if self.newer.len() >= KEPT {
                self.older = std::mem::take(&mut self.newer);
            }
            self.newer.insert(document.id.clone(), document);
        }
    }
}
