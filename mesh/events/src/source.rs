//! What a relay reads: the collections of a service whose documents carry an outbox.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub struct Source {
    pub service: String,
    /// Collections with an outbox, and the noun of each.
    pub aggregates: BTreeMap<String, String>,
    /// Those of which the service removes documents itself, once their events are in the log.
    pub removes: BTreeSet<String>,
}
