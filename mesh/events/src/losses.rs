//! Changes that are not in the log. When somebody removes their document by hand, their events are lost.
//!
//! The change stream tells of every write before it tells of the removal. A change whose events are not in the log, once
//! the document has been read, was in an outbox that is gone.

use crate::{
    Error,
    change_stream::{Destroyed, Removal},
    log::{Log, LoggedSeqs},
    source::Source,
};
use std::collections::{BTreeMap, HashMap};

/// Most documents that are remembered, as a bound of memory. Beyond them no removal is certain to have lost nothing.
const MAX_DOCUMENTS: usize = 10_000;

/// Documents that an alarm names: enough to find the hand that removed them.
const NAMED: usize = 10;

/// The last changed `seq` of each document that the log is not known to have, by collection.
pub(crate) struct Unlogged {
    source: Source,
    log: Log,
    documents: BTreeMap<String, HashMap<String, i64>>,
    has_forgotten: bool,
}

impl Unlogged {
    pub fn new(source: &Source, log: Log) -> Self {
        Self { source: source.clone(), log, documents: BTreeMap::new(), has_forgotten: false }
    }

    /// Records changes, once their documents have been read and the log has been appended to.
    pub fn record(&mut self, collection: &str, changed: BTreeMap<String, i64>, known: &LoggedSeqs) {
        let unlogged = self.documents.entry(collection.to_owned()).or_default();
        for (id, seq) in changed {
            if known.get(&id).copied().unwrap_or(0) >= seq {
                unlogged.remove(&id);
            } else if unlogged.len() < MAX_DOCUMENTS {
                unlogged.insert(id, seq);
            } else {
                self.has_forgotten = true;
            }
        }
    }

    /// Raises the alarm for the events that a removal has lost.
    pub async fn report(&mut self, Removal { destroyed, is_certain }: &Removal) -> Result<(), Error> {
        let Destroyed { operation, collection, id, .. } = destroyed;
        let what = format!("{operation} of {collection} {}", id.as_deref().unwrap_or_default());
        let lost = self.lost(destroyed).await?;
        if !lost.is_empty() {
            let named: Vec<&String> = lost.iter().take(NAMED).collect();
            tracing::error!(alarm = "raw_removal", %what, count = lost.len(), ?named,
                "somebody removed data by hand; events that were pending in it are lost");
        } else if operation == "delete" && self.source.removes.contains(collection) {
            tracing::debug!(%what, "the service has removed a document whose events are in the log");
        } else if *is_certain && !self.has_forgotten {
            tracing::warn!(%what, "somebody removed data by hand; no event was pending in it");
        } else {
            tracing::error!(alarm = "raw_removal", %what,
                "somebody removed data by hand; whether events were pending in it cannot be told");
        }
        Ok(())
    }

    /// The documents whose last events are in no outbox any more and not in the log.
    async fn lost(&mut self, destroyed: &Destroyed) -> Result<Vec<String>, Error> {
        let Some(unlogged) = self.documents.get_mut(&destroyed.collection) else { return Ok(Vec::new()) };
        let suspects: HashMap<String, i64> = match &destroyed.id {
            Some(id) => unlogged.remove_entry(id).into_iter().collect(),
            None => std::mem::take(unlogged),
        };
        let (Some(noun), Some(from)) =
            (self.source.aggregates.get(&destroyed.collection), suspects.values().min().copied())
        else {
            return Ok(Vec::new());
        };
        let ids: Vec<&str> = suspects.keys().map(String::as_str).collect();
        let logged = self.log.highest_seqs(noun, &ids, from).await?;
        let is_lost = |(id, seq): &(String, i64)| logged.get(id).is_none_or(|logged| logged < seq);
        Ok(suspects.into_iter().filter(is_lost).map(|(id, _)| id).collect())
    }
}
