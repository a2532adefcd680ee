//! What rang and is not in the log: should its document be removed by hand, that is lost.
//!
//! The change stream tells of every write before it tells of the removal. What it has told and the log has not, once the
//! document has been read, was in an outbox that is gone.

use crate::{
    Error,
    change_stream::Destroyed,
    log::{ArchivedSeqs, Log},
    source::Source,
};
use std::collections::{BTreeMap, HashMap};

/// Documents that are remembered; of others that are removed it cannot be told whether anything was pending.
const MOST: usize = 10_000;

/// Documents that an alarm names.
const NAMED: usize = 10;

/// The last `seq` that rang of each document, by collection, if the log was not known to have it.
pub(crate) struct Unseen {
    source: Source,
    log: Log,
    batch: BTreeMap<String, HashMap<String, i64>>,
    has_forgotten: bool,
}

impl Unseen {
    pub fn new(source: &Source, log: Log) -> Self {
        Self { source: source.clone(), log, batch: BTreeMap::new(), has_forgotten: false }
    }

    /// Notes what rang, once the documents have been read and the log appended to.
    pub fn note(&mut self, collection: &str, batch: BTreeMap<String, i64>, known: &ArchivedSeqs) {
        let unseen = self.batch.entry(collection.to_owned()).or_default();
        for (id, seq) in batch {
            if known.get(&id).copied().unwrap_or(0) >= seq {
                unseen.remove(&id);
            } else if unseen.len() < MOST {
                unseen.insert(id, seq);
            } else {
                self.has_forgotten = true;
            }
        }
    }

    /// Tells what was lost with what somebody removed; `is_certain` when nothing can have changed unheard before.
    pub async fn tell(&mut self, destroyed: &Destroyed, is_certain: bool) -> Result<(), Error> {
        let Destroyed { operation, collection, id, .. } = destroyed;
        let what = format!("{operation} of {collection} {}", id.as_deref().unwrap_or_default());
        let lost = self.lost(destroyed).await?;
        if !lost.is_empty() {
            let named: Vec<&String> = lost.iter().take(NAMED).collect();
            tracing::error!(alarm = "raw_removal", %what, count = lost.len(), ?named,
                "somebody removed data by hand; events that were pending in it are lost");
        } else if is_certain && !self.has_forgotten {
            tracing::warn!(%what, "somebody removed data by hand; no event was pending in it");
        } else {
            tracing::error!(alarm = "raw_removal", %what,
                "somebody removed data by hand; whether events were pending in it cannot be told");
        }
        Ok(())
    }

    /// The documents with events that are in no outbox any more and not in the log.
    async fn lost(&mut self, destroyed: &Destroyed) -> Result<Vec<String>, Error> {
        let Some(unseen) = self.batch.get_mut(&destroyed.collection) else { return Ok(Vec::new()) };
        let suspects: HashMap<String, i64> = match &destroyed.id {
            Some(id) => unseen.remove_entry(id).into_iter().collect(),
            None => std::mem::take(unseen),
        };
        let (Some(noun), Some(from)) =
            (self.source.aggregates.get(&destroyed.collection), suspects.values().min().copied())
        else {
            return Ok(Vec::new());
        };
        let ids: Vec<&str> = suspects.keys().map(String::as_str).collect();
        let logged = self.log.archived(noun, &ids, from).await?;
        let is_lost = |(id, seq): &(String, i64)| logged.get(id).is_none_or(|logged| logged < seq);
        Ok(suspects.into_iter().filter(is_lost).map(|(id, _)| id).collect())
    }
}
