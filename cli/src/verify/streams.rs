//! Each service's log against its stream: the same entries in the same order, as long as the stream keeps them.

use super::{
    cluster::{Cluster, Scope},
    sequences::within,
    snapshot::{Snapshot, number, text},
    violation::Examined,
};
use anyhow::Context;
use async_nats::{
    HeaderMap,
    jetstream::{
        ErrorCode,
        context::GetStreamErrorKind,
        stream::{State, Stream},
    },
};
use bson::{Document, doc};
use events::{Stored, stored};
use futures::{StreamExt, TryStreamExt};
use mongodb::Collection;
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};
use store::log::{self, LOG};
use topology::Topology;

/// Messages that are asked for at a time.
const AT_A_TIME: usize = 64;

/// Entries that are compared at a time.
const CHUNK: u64 = 500;

/// Entries of one service that are named; further ones are counted.
const NAMED: usize = 100;

/// How long the relay may take to publish what was in the log at the beginning, before it is a suspect.
const ON_ITS_WAY: Duration = Duration::from_secs(2);

/// Entries that the stream drops within this time do not have to be there: it drops them while it is read.
const MARGIN: Duration = Duration::from_secs(60);

pub async fn examine(cluster: &Cluster, scope: &Scope) -> anyhow::Result<Examined> {
    let mut examined = Examined::default();
    for (service, table) in &Topology::get().service {
        // Entries have no place in the stream by which they could be found alone.
        if table.aggregates.is_empty() || within(scope, &format!("{service}/")).is_none() {
            continue;
        }
        let log = cluster.collection(service, LOG)?;
        let comparison = Comparison { cluster, service, log, next: 1, named: 0, foreign: 0, examined: &mut examined };
        comparison.run().await.with_context(|| format!("compare the log and the stream of {service}"))?;
    }
    Ok(examined)
}

/// A message, as far as it tells of its entry.
struct Message {
    sequence: u64,
    gseq: i64,
    eid: String,
    aggregate: String,
    seq: i64,
    data: Vec<u8>,
}

struct Comparison<'a> {
    cluster: &'a Cluster,
    service: &'a str,
    log: Collection<Document>,
    /// The place in the log that the next message should have.
    next: i64,
    named: usize,
    /// Messages that somebody else has published.
    foreign: u64,
    examined: &'a mut Examined,
}

impl Comparison<'_> {
    /// The log's end is read first and the stream after it; so what the stream lacks is late, or lost.
    async fn run(mut self) -> anyhow::Result<()> {
        let last = self.last().await?;
        let Some(stream) = self.stream().await? else {
            if last > 0 {
                let found = format!("no stream, and {last} entries in the log");
                self.suspect("stream", topology::stream(self.service), found);
            }
            return Ok(());
        };
        let (began, mut from) = (Instant::now(), None);
        loop {
            let info = stream.get_info().await?;
            let first = match from {
                Some(from) => from,
                None => {
                    self.next = self.first_kept(info.config.max_age, &info.state).await?;
                    info.state.first_sequence.max(1)
                }
            };
            self.compare(first, info.state.last_sequence).await?;
            from = Some(info.state.last_sequence + 1);
            // What was in the log at the beginning is enough: a busy service never stops writing.
            if self.next > last || began.elapsed() > ON_ITS_WAY {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.missing_before(last + 1);
        if self.foreign > 0 {
            let stream = topology::stream(self.service);
            let note =
                format!("{} messages of {stream} are by somebody else; those who read it set them aside", self.foreign);
            self.examined.notes.push(note);
        }
        Ok(())
    }

    async fn stream(&self) -> anyhow::Result<Option<Stream>> {
        match self.cluster.nats.get_stream(topology::stream(self.service)).await {
            Ok(stream) => Ok(Some(stream)),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(cause) if cause.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
                _ => Err(error.into()),
            },
        }
    }

    async fn last(&self) -> anyhow::Result<i64> {
        Ok(self.place(log::last()).await?.unwrap_or(0))
    }

    async fn place(&self, stages: Vec<Document>) -> anyhow::Result<Option<i64>> {
        let found = self.log.aggregate(stages).await?.try_next().await?;
        Ok(found.map(|found| number(&found, "_id")))
    }

    /// The first entry that the stream must still have: that of its first message, or the first that is young enough.
    async fn first_kept(&self, max_age: Duration, state: &State) -> anyhow::Result<i64> {
        let first = if state.messages == 0 { Stored::Gone } else { self.stored(state.first_sequence).await? };
        let first = if let Stored::Entry { gseq, .. } = first { Some(gseq) } else { None };
        if max_age.is_zero() {
            return Ok(1);
        }
        let kept = i64::try_from(max_age.saturating_sub(MARGIN).as_millis()).unwrap_or(i64::MAX);
        let since = bson::DateTime::from_millis(bson::DateTime::now().timestamp_millis().saturating_sub(kept));
        let young = self.place(log::first_since(since)).await?;
        let last = self.last().await?;
        Ok(first.into_iter().chain(young).min().unwrap_or(last + 1))
    }

    async fn stored(&self, sequence: u64) -> anyhow::Result<Stored> {
        Ok(stored(&self.cluster.nats, &topology::stream(self.service), sequence).await?)
    }

    /// Compares the messages `first..=last` of the stream, some at a time.
    async fn compare(&mut self, first: u64, last: u64) -> anyhow::Result<()> {
        let mut from = first;
        while from <= last {
            let to = last.min(from + CHUNK - 1);
            let this = &self;
            let asked = futures::stream::iter(from..=to).map(|sequence| this.stored(sequence));
            let found: Vec<Stored> = asked.buffered(AT_A_TIME).try_collect().await?;
            self.foreign += found.iter().filter(|found| matches!(found, Stored::Foreign)).count() as u64;
            let chunk: Vec<Message> = found.into_iter().filter_map(message).collect();
            let places: Vec<i64> = chunk.iter().map(|message| message.gseq).collect();
            let entries = entries(self.cluster.snapshot().await?, &self.log, &places).await?;
            for message in chunk {
                self.compare_message(&message, entries.get(&message.gseq));
            }
            from = to + 1;
        }
        Ok(())
    }

    fn compare_message(&mut self, message: &Message, entry: Option<&Document>) {
        let Message { sequence, gseq, .. } = message;
        self.examined.checked += 1;
        let Some(entry) = entry else {
            let found = format!("message {sequence} says to be entry {gseq}, event {}", message.eid);
            return self.suspect(&format!("stream#{sequence}"), "nothing that is not in the log", found);
        };
        if *gseq < self.next {
            let found = format!("message {sequence} is entry {gseq} again");
            return self.suspect(&format!("stream#{sequence}"), "each entry once, in the order of the log", found);
        }
        // The stream has the order of the log, so what was passed over will not come.
        self.missing_before(*gseq);
        self.next = gseq + 1;
        let aggregate = format!("{}/{}", text(entry, "agg"), text(entry, "aid"));
        let data = entry.get_binary_generic("data").cloned().unwrap_or_default();
        let is_same = text(entry, "eid") == message.eid
            && aggregate == message.aggregate
            && number(entry, "seq") == message.seq
            && data == message.data;
        if !is_same {
            let expected = format!("{} of {aggregate}, {} bytes", text(entry, "eid"), data.len());
            let found = format!("{} of {}, {} bytes", message.eid, message.aggregate, message.data.len());
            self.suspect(&format!("log#{gseq}"), expected, found);
        }
    }

    /// Names the entries before `place` that should have come.
    fn missing_before(&mut self, place: i64) {
        for gseq in self.next..place {
            self.suspect(&format!("log#{gseq}"), "the entry in the stream", "it is not there");
        }
        self.next = self.next.max(place);
    }

    fn suspect(&mut self, what: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.named += 1;
        let subject = format!("{}/{what}", self.service);
        if self.named <= NAMED {
            self.examined.suspect(&subject, expected, found);
        } else if self.named == NAMED + 1 {
            let subject = format!("{}/more", self.service);
            self.examined.suspect(&subject, format!("no more than the {NAMED} above"), "there are more");
        }
    }
}

/// What a message tells of its entry; nothing when it is none.
fn message(stored: Stored) -> Option<Message> {
    let Stored::Entry { gseq, message } = stored else { return None };
    let header =
        |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    Some(Message {
        sequence: message.sequence,
        gseq,
        eid: header(&message.headers, "ce-id"),
        aggregate: header(&message.headers, "ce-subject"),
        seq: header(&message.headers, "ce-sequence").parse().unwrap_or(0),
        data: message.payload.to_vec(),
    })
}

async fn entries(
    mut snapshot: Snapshot,
    segments: &Collection<Document>,
    places: &[i64],
) -> anyhow::Result<HashMap<i64, Document>> {
    let (Some(from), Some(to)) = (places.iter().min(), places.iter().max()) else { return Ok(HashMap::new()) };
    let first = snapshot.aggregate(segments, log::segment_of(*from)).await?;
    let first = first.first().map_or(*from, |segment| number(segment, "_id"));
    let mut stages = vec![doc! { "$match": { "_id": { "$gte": first, "$lte": to } } }];
    stages.extend(log::entries(doc! {}));
    stages.extend([doc! { "$match": { "_id": { "$in": places } } }, doc! { "$project": { "trace": 0 } }]);
    let found = snapshot.aggregate(segments, stages).await?;
    Ok(found.into_iter().map(|entry| (number(&entry, "_id"), entry)).collect())
}
