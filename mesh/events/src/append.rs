//! From the outboxes to the log: what is new is numbered, appended, and handed to the publisher.

use crate::{
    Error,
    change_stream::Destroyed,
    event::Entry,
    log::{ArchivedSeqs, Log},
    losses::Unseen,
    source::Source,
};
use mongodb::change_stream::event::ResumeToken;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use store::Pending;
use tokio::sync::{mpsc, watch};

/// How long the publisher is waited for, once; longer means that the broker is away. Then it will read the log instead.
const HAND_OVER: Duration = Duration::from_secs(1);

#[derive(Deserialize)]
pub(crate) struct Outbox {
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(default)]
    pub outbox: Vec<Pending>,
    /// Whether the document has just been made, so that the log can have none of them.
    #[serde(skip)]
    pub is_new: bool,
}

/// What one read has found.
#[derive(Default)]
pub(crate) struct Found {
    /// By collection.
    pub outboxes: Vec<(String, Vec<Outbox>)>,
    /// Once this is in the log, everything up to this token is.
    pub token: Option<ResumeToken>,
    /// What rang: the documents of each collection, and the `seq` that each was said to have.
    pub batch: Vec<(String, BTreeMap<String, i64>)>,
    /// What somebody removed, and whether all that had changed in it before is known.
    pub destroyed: Vec<(bool, Destroyed)>,
}

/// Where the archive tells what it has appended.
pub(crate) struct Appended {
    /// The entries, in order, with gaps when the publisher was slow.
    pub entries: mpsc::Sender<Vec<Entry>>,
    /// The last `gseq` of the log.
    pub last: watch::Sender<i64>,
}

/// Appends to the log in one term.
pub(crate) struct Archive {
    source: Source,
    log: Log,
    next: i64,
    known: BTreeMap<String, ArchivedSeqs>,
    unseen: Unseen,
    appended: Appended,
    publisher_is_slow: bool,
}

impl Archive {
    /// Continues after the last entry of the log.
    pub async fn new(source: &Source, log: Log, appended: Appended) -> Result<Self, Error> {
        let last = log.last().await?;
        appended.last.send_replace(last);
        let known = source.aggregates.keys().map(|collection| (collection.clone(), ArchivedSeqs::default())).collect();
        let unseen = Unseen::new(source, log.clone());
        Ok(Self { source: source.clone(), log, next: last + 1, known, unseen, appended, publisher_is_slow: false })
    }

    /// Archives what `found` has and the log has not, in one insert. Then it is known what was lost.
    pub async fn append(&mut self, found: Found) -> Result<(), Error> {
        self.append_outboxes(found.outboxes).await?;
        for (collection, batch) in found.batch {
            if let Some(known) = self.known.get(&collection) {
                self.unseen.note(&collection, batch, known);
            }
        }
        for (is_certain, destroyed) in found.destroyed {
            self.unseen.tell(&destroyed, is_certain).await?;
        }
        Ok(())
    }

    async fn append_outboxes(&mut self, found: Vec<(String, Vec<Outbox>)>) -> Result<(), Error> {
        let mut fresh = Vec::new();
        for (collection, mut outboxes) in found {
            outboxes.retain(|each| !each.outbox.is_empty());
            let Some(noun) = self.source.aggregates.get(&collection).cloned() else { continue };
            let archived = self.archived(&collection, &noun, &outboxes).await?;
            let known = self.known.entry(collection).or_default();
            for Outbox { id, outbox, .. } in outboxes {
                let last = known.get(&id).or_else(|| archived.get(&id)).copied().unwrap_or(0);
                known.set(&id, last);
                let unseen = unseen(outbox, last);
                if let Some(first) = unseen.first()
                    && first.seq != last + 1
                {
                    tracing::error!(%noun, %id, from = last + 1, to = first.seq - 1, "events are missing from the outbox");
                }
                for entry in unseen {
                    let gseq = self.next + i64::try_from(fresh.len()).unwrap_or(0);
                    known.set(&id, entry.seq); // if it is not appended, this term is over
                    fresh.push(number(entry, &noun, &id, gseq));
                }
            }
        }
        if fresh.is_empty() {
            return Ok(());
        }
        telemetry::crash_point("relay.appending");
        self.log.append(&fresh).await?;
        telemetry::crash_point("relay.appended");
        self.hand_over(fresh).await;
        Ok(())
    }

    /// What the log has of those aggregates that this term has not met.
    async fn archived(&self, collection: &str, noun: &str, outboxes: &[Outbox]) -> Result<HashMap<String, i64>, Error> {
        let known = self.known.get(collection);
        let met = |id: &str| known.is_some_and(|known| known.get(id).is_some());
        let strangers = outboxes.iter().filter(|each| !each.is_new && !met(&each.id));
        // Those with a long history apart: only the end of it is looked at.
        let (new, old): (Vec<&Outbox>, Vec<&Outbox>) = strangers.partition(|each| first_seq(each) <= 1);
        let mut archived = HashMap::new();
        for part in [new, old] {
            let from = part.iter().map(|each| first_seq(each)).min().unwrap_or(1);
            let ids: Vec<&str> = part.iter().map(|each| each.id.as_str()).collect();
            if !ids.is_empty() {
                // The entry before the first pending one counts too: the gap check needs it.
                archived.extend(self.log.archived(noun, &ids, from - 1).await?);
            }
        }
        Ok(archived)
    }

    /// Gives `entries` to the publisher, unless it is far behind or away: then it reads them from the log.
    async fn hand_over(&mut self, entries: Vec<Entry>) {
        self.next += i64::try_from(entries.len()).unwrap_or(0);
        let patience = if self.publisher_is_slow { Duration::ZERO } else { HAND_OVER };
        self.publisher_is_slow = self.appended.entries.send_timeout(entries, patience).await.is_err();
        self.appended.last.send_replace(self.next - 1);
    }
}

fn first_seq(outbox: &Outbox) -> i64 {
    outbox.outbox.iter().map(|entry| entry.seq).min().unwrap_or(i64::MAX)
}

/// The entries after `last`, in order and once each.
fn unseen(mut outbox: Vec<Pending>, last: i64) -> Vec<Pending> {
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
        data: pending.data,
    }
}
