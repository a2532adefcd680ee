//! From the outboxes to the log: new events are numbered, appended, and handed to the publisher.

use crate::{
    Error,
    change_stream::Removal,
    event::Entry,
    log::{Log, LoggedSeqs},
    losses::Unlogged,
    source::Source,
};
use mongodb::change_stream::event::ResumeToken;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};
use store::Pending;
use tokio::sync::{mpsc, watch};

/// Longest wait for room in the queue of the publisher, once. A longer wait means that the broker is away: the publisher
/// then reads the log itself, and appending goes on.
const HAND_OVER_TIMEOUT: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(crate) struct Outbox {
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(default)]
    pub outbox: Vec<Pending>,
    /// Whether the document has just been inserted, so that the log can have none of its events.
    #[serde(skip)]
    pub is_new: bool,
}

#[derive(Default)]
pub(crate) struct Found {
    pub outboxes: Vec<(String, Vec<Outbox>)>,
    /// Once the outboxes are in the log, everything up to this token is.
    pub token: Option<ResumeToken>,
    /// The documents of each collection that changed, with the `seq` that the change stream had for each.
    pub changed: Vec<(String, BTreeMap<String, i64>)>,
    pub removals: Vec<Removal>,
}

/// Where the appender reports what it has appended.
pub(crate) struct Appended {
    /// Entries in order, with gaps when the publisher was slow.
    pub entries: mpsc::Sender<Vec<Entry>>,
    pub last: watch::Sender<i64>,
}

pub(crate) struct Appender {
    source: Source,
    log: Log,
    next: i64,
    known: BTreeMap<String, LoggedSeqs>,
    unlogged: Unlogged,
    appended: Appended,
    publisher_is_slow: bool,
}

impl Appender {
    /// Continues after the last entry of the log.
    pub async fn new(source: &Source, log: Log, appended: Appended) -> Result<Self, Error> {
        let last = log.last().await?;
        appended.last.send_replace(last);
        let known = source.aggregates.keys().map(|collection| (collection.clone(), LoggedSeqs::default())).collect();
        let unlogged = Unlogged::new(source, log.clone());
        Ok(Self { source: source.clone(), log, next: last + 1, known, unlogged, appended, publisher_is_slow: false })
    }

    /// Appends what `found` has and the log has not, in one insert. Then it is known what was lost.
    pub async fn append(&mut self, found: Found) -> Result<(), Error> {
        self.append_outboxes(found.outboxes).await?;
        for (collection, changed) in found.changed {
            if let Some(known) = self.known.get(&collection) {
                self.unlogged.record(&collection, changed, known);
            }
        }
        // Removals come last: the changes before them are in the log by now, and what is not is lost.
        for removal in found.removals {
            self.unlogged.report(&removal).await?;
        }
        Ok(())
    }

    async fn append_outboxes(&mut self, found: Vec<(String, Vec<Outbox>)>) -> Result<(), Error> {
        let mut entries = Vec::new();
        for (collection, mut outboxes) in found {
            outboxes.retain(|each| !each.outbox.is_empty());
            let Some(noun) = self.source.aggregates.get(&collection).cloned() else { continue };
            let logged = self.logged(&collection, &noun, &outboxes).await?;
            let known = self.known.entry(collection).or_default();
            for Outbox { id, outbox, .. } in outboxes {
                let last = known.get(&id).or_else(|| logged.get(&id)).copied().unwrap_or(0);
                known.set(&id, last);
                let fresh = after(outbox, last);
                if let Some(first) = fresh.first()
                    && first.seq != last + 1
                {
                    // Writers trim an outbox only up to what the log has, so a gap was made by hand: the missing
                    // events exist nowhere else.
                    tracing::error!(%noun, %id, from = last + 1, to = first.seq - 1, "events are missing from the outbox");
                }
                for entry in fresh {
                    let gseq = self.next + i64::try_from(entries.len()).unwrap_or(0);
                    known.set(&id, entry.seq); // true before the append: a failed append ends the term and this memory
                    entries.push(number(entry, &noun, &id, gseq));
                }
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        telemetry::crash_point("relay.appending");
        self.log.append(&entries).await?;
        telemetry::crash_point("relay.appended");
        self.hand_over(entries).await;
        Ok(())
    }

    /// The highest `seq` in the log of each aggregate that this term does not know yet, and that is not new here.
    async fn logged(&self, collection: &str, noun: &str, outboxes: &[Outbox]) -> Result<HashMap<String, i64>, Error> {
        let known = self.known.get(collection);
        let new: HashSet<&str> = outboxes.iter().filter(|each| each.is_new).map(|each| each.id.as_str()).collect();
        let is_known = |id: &str| new.contains(id) || known.is_some_and(|known| known.get(id).is_some());
        let unknown = outboxes.iter().filter(|each| !is_known(&each.id));
        // Aggregates with a long history are asked for apart, so that the query covers the end of their history only.
        let (new, old): (Vec<&Outbox>, Vec<&Outbox>) = unknown.partition(|each| first_seq(each) <= 1);
        let mut logged = HashMap::new();
        for part in [new, old] {
            let from = part.iter().map(|each| first_seq(each)).min().unwrap_or(1);
            let ids: Vec<&str> = part.iter().map(|each| each.id.as_str()).collect();
            if !ids.is_empty() {
                // The entry before the first pending one counts too: the gap check needs it.
                logged.extend(self.log.highest_seqs(noun, &ids, from - 1).await?);
            }
        }
        Ok(logged)
    }

    /// Hands `entries` to the publisher, unless its queue is full: then it reads them from the log.
    async fn hand_over(&mut self, entries: Vec<Entry>) {
        self.next += i64::try_from(entries.len()).unwrap_or(0);
        let timeout = if self.publisher_is_slow { Duration::ZERO } else { HAND_OVER_TIMEOUT };
        self.publisher_is_slow = self.appended.entries.send_timeout(entries, timeout).await.is_err();
        self.appended.last.send_replace(self.next - 1);
    }
}

fn first_seq(outbox: &Outbox) -> i64 {
    outbox.outbox.iter().map(|entry| entry.seq).min().unwrap_or(i64::MAX)
}

/// The entries after `last`, in order and once each.
fn after(mut outbox: Vec<Pending>, last: i64) -> Vec<Pending> {
    outbox.retain(|entry| entry.seq > last);
    outbox.sort_by_key(|entry| entry.seq);
    outbox.dedup_by_key(|entry| entry.seq);
    outbox
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
        actor: pending.actor,
        data: pending.data,
    }
}
