//! From the outboxes to the log: reads what is pending in the documents that rang and appends what is new.

use crate::{Error, event::Entry, log::Log, relay::Source};
use bson::{Document, Timestamp, doc};
use mongodb::{Database, options::ReadConcern};
use serde::Deserialize;
use std::collections::BTreeMap;
use store::Pending;

/// Documents that one read covers.
pub(crate) const BATCH: usize = 500;

/// Appends to the log in one term.
pub(crate) struct Archive {
    database: Database,
    source: Source,
    log: Log,
    next: i64,
}

#[derive(Deserialize)]
struct Outbox {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    outbox: Vec<Pending>,
}

impl Archive {
    /// Continues after the last entry of the log.
    pub async fn new(database: Database, source: Source, log: Log) -> Result<Self, Error> {
        let next = log.last().await? + 1;
        Ok(Self { database, source, log, next })
    }

    /// Archives what is pending in `ids` of `collection`, as it is at `time` or later. Returns how many were new.
    pub async fn collect(&mut self, collection: &str, ids: &[String], time: Option<Timestamp>) -> Result<usize, Error> {
        let outboxes = self.outboxes(collection, doc! { "_id": { "$in": ids } }, time).await?;
        self.append(collection, outboxes).await
    }

    /// Archives what is pending anywhere: the recovery after a lost resume token.
    pub async fn collect_all(&mut self) -> Result<usize, Error> {
        let mut count = 0;
        for collection in self.source.aggregates.clone().into_keys() {
            let mut after = String::new();
            loop {
                let range = doc! { "_id": { "$gt": &after } };
                let outboxes = self.outboxes(&collection, range, None).await?;
                let Some(last) = outboxes.last() else { break };
                after.clone_from(&last.id);
                count += self.append(&collection, outboxes).await?;
            }
        }
        Ok(count)
    }

    async fn outboxes(
        &self,
        collection: &str,
        filter: Document,
        time: Option<Timestamp>,
    ) -> Result<Vec<Outbox>, Error> {
        let mut session = self.database.client().start_session().causal_consistency(true).await?;
        if let Some(time) = time {
            session.advance_operation_time(time);
        }
        let mut cursor = self
            .database
            .collection::<Outbox>(collection)
            .find(filter)
            .projection(doc! { "outbox": 1 })
            .sort(doc! { "_id": 1 })
            .limit(i64::try_from(BATCH).unwrap_or(i64::MAX))
            .read_concern(ReadConcern::majority())
            .session(&mut session)
            .await?;
        let mut found = Vec::new();
        while cursor.advance(&mut session).await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }

    async fn append(&mut self, collection: &str, outboxes: Vec<Outbox>) -> Result<usize, Error> {
        let noun = self.source.aggregates.get(collection).cloned().unwrap_or_default();
        let ids: Vec<String> = outboxes.iter().filter(|o| !o.outbox.is_empty()).map(|o| o.id.clone()).collect();
        if ids.is_empty() {
            return Ok(0);
        }
        let archived = self.log.archived(&noun, &ids).await?;
        let mut fresh = Vec::new();
        for Outbox { id, outbox } in outboxes {
            let known = archived.get(&id).copied().unwrap_or(0);
            let unseen: BTreeMap<i64, Pending> =
                outbox.into_iter().filter(|entry| entry.seq > known).map(|entry| (entry.seq, entry)).collect();
            if let Some(first) = unseen.keys().next()
                && *first != known + 1
            {
                tracing::error!(%noun, %id, from = known + 1, to = first - 1, "events are missing from the outbox");
            }
            for entry in unseen.into_values() {
                fresh.push(number(entry, &noun, &id, self.next + i64::try_from(fresh.len()).unwrap_or(0)));
            }
        }
        if !fresh.is_empty() {
            telemetry::crash_point("relay.appending");
            self.log.append(&fresh).await?;
            telemetry::crash_point("relay.appended");
            self.next += i64::try_from(fresh.len()).unwrap_or(0);
        }
        Ok(fresh.len())
    }
}

fn number(pending: Pending, noun: &str, id: &str, gseq: i64) -> Entry {
    Entry {
        gseq,
        eid: pending.id,
        agg: noun.to_owned(),
        aid: id.to_owned(),
        seq: pending.seq,
        r#type: pending.r#type,
        name: pending.name,
        at: pending.at,
        trace: pending.trace,
        data: pending.data,
    }
}
