//! Dead letters: events that could not be applied, and those of the same aggregate that wait behind them.
//!
//! An aggregate with a letter is parked: its later events become letters too, so that they are applied in order once the
//! first one works. Everything else goes on.

use crate::{
    Color, Error, Event,
    letter::{FOREIGN, Letter},
};
use bson::{Binary, Document, doc, spec::BinarySubtype};
use futures::TryStreamExt;
use mongodb::{Collection, Database, IndexModel};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use store::{Found, Time, page};

/// Collection, in the consumer's own database.
pub(crate) const COLLECTION: &str = "dead_letters";

/// Collection of the events that operators gave up, `{_id, aggregate_id, at}`: a rebuild must not try them again.
const GIVEN_UP: &str = "given_up";

/// Pause between two attempts at a letter by itself: what it waits for, a peer or an earlier event, takes some seconds.
const RETRY_PAUSE: Duration = Duration::from_secs(15);

/// Most letters about foreign messages of one source, so that a program gone wild does not fill the database. Further
/// messages are acknowledged with an alarm alone.
const MAX_FOREIGN: u64 = 1_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The event can never be applied as it is: a person must look.
    Poison(String),
    /// The event failed too often; it may work later.
    Failing(String),
    /// An earlier event of its aggregate is a letter.
    Behind,
}

/// The letters of one consumer. Cheap to clone.
#[derive(Clone)]
pub(crate) struct DeadLetters {
    letters: Collection<Letter>,
    given_up: Collection<Document>,
    parked: Arc<Mutex<HashSet<String>>>,
}

impl DeadLetters {
    /// The letters of the consumers that fill `color`.
    pub fn new(database: &Database, color: Color) -> Self {
        let letters = database.collection(&color.collection(COLLECTION));
        Self { letters, given_up: database.collection(GIVEN_UP), parked: Arc::default() }
    }

    /// Makes the indexes and reads which aggregates are parked.
    pub async fn open(&self) -> Result<(), Error> {
        let by_aggregate = IndexModel::builder().keys(doc! { "aggregate_id": 1, "seq": 1 }).build();
        let by_time = IndexModel::builder().keys(doc! { "next_attempt_at": 1 }).build();
        let by_age = IndexModel::builder().keys(doc! { "at": 1 }).build();
        self.letters.create_indexes([by_aggregate, by_time, by_age]).await?;
        let ids = self.letters.distinct("aggregate_id", doc! {}).await?;
        let ids = ids.iter().filter_map(|id| id.as_str().map(str::to_owned));
        *self.parked.lock().expect("no holder panics") = ids.collect();
        Ok(())
    }

    /// Whether this process knows the aggregate to be parked.
    pub fn is_parked(&self, aggregate_id: &str) -> bool {
        self.parked.lock().expect("no holder panics").contains(aggregate_id)
    }

    /// Whether the aggregate has letters; another replica may have set them aside.
    pub async fn has_letters(&self, aggregate_id: &str) -> Result<bool, Error> {
        let found = self.letters.find_one(doc! { "aggregate_id": aggregate_id }).await?.is_some();
        self.mark(aggregate_id, found);
        Ok(found)
    }

    /// Sets an event aside. Repeating it has no effect.
    pub async fn park(&self, event: &Event, cause: Cause, attempts: i32) -> Result<(), Error> {
        let now = store::now();
        let (reason, next_attempt_at) = match cause {
            Cause::Poison(reason) => (Some(reason), None),
            Cause::Failing(reason) => (Some(reason), Some(after(now, RETRY_PAUSE))),
            Cause::Behind => (None, Some(after(now, RETRY_PAUSE))),
        };
        let letter = Letter {
            event_id: event.id.clone(),
            service: event.service.clone(),
            aggregate: event.aggregate.clone(),
            aggregate_id: event.aggregate_id.clone(),
            seq: event.seq,
            log_sequence: event.log_sequence,
            r#type: event.r#type.clone(),
            name: event.name.clone(),
            at: event.at,
            trace: event.trace.clone(),
            actor: event.actor.clone(),
            data: Binary { subtype: BinarySubtype::Generic, bytes: event.data.to_vec() },
            reason,
            attempts,
            parked_at: now,
            next_attempt_at,
        };
        match self.letters.insert_one(letter).await.map_err(store::Error::from) {
            Ok(_) | Err(store::Error::Duplicate) => {
                self.mark(&event.aggregate_id, true);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sets a message aside that is no event. Repeating it has no effect.
    pub async fn set_aside(&self, letter: &Letter) -> Result<(), Error> {
        let reason = letter.reason.as_deref().unwrap_or_default();
        let of_source = doc! { "service": &letter.service, "aggregate": FOREIGN };
        if self.letters.count_documents(of_source).limit(MAX_FOREIGN).await? >= MAX_FOREIGN {
            tracing::error!(alarm = "foreign_message", %reason, most = MAX_FOREIGN, "it is passed over, and not kept: there are too many");
            return Ok(());
        }
        let kept = self.letters.insert_one(letter).await.map_err(store::Error::from);
        match kept {
            Ok(_) => {
                tracing::error!(alarm = "foreign_message", id = %letter.event_id, %reason,
                    "a message was set aside: see `comptoir events dead-letters`");
                Ok(())
            }
            Err(store::Error::Duplicate) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The first letter of an aggregate; when there is none, the aggregate is parked no longer.
    pub async fn first(&self, aggregate_id: &str) -> Result<Option<Letter>, Error> {
        let first = self.letters.find_one(doc! { "aggregate_id": aggregate_id }).sort(doc! { "seq": 1 }).await?;
        self.mark(aggregate_id, first.is_some());
        Ok(first)
    }

    pub async fn get(&self, event_id: &str) -> Result<Option<Letter>, Error> {
        Ok(self.letters.find_one(doc! { "_id": event_id }).await?)
    }

    /// Letters after `after` (an event id), at most `limit`.
    pub async fn list(&self, after: Option<String>, limit: i64) -> Result<Found<Letter>, Error> {
        let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } });
        Ok(page::find(self.letters.find(filter).sort(doc! { "_id": 1 }), limit).await?)
    }

    pub async fn count(&self, aggregate_id: &str) -> Result<u64, Error> {
        Ok(self.letters.count_documents(doc! { "aggregate_id": aggregate_id }).await?)
    }

    /// When the oldest event happened that was set aside.
    pub async fn oldest(&self) -> Result<Option<Time>, Error> {
        let oldest = self.letters.find_one(doc! { "aggregate": { "$ne": FOREIGN } }).sort(doc! { "at": 1 }).await?;
        Ok(oldest.map(|letter| letter.at))
    }

    /// How many letters there are of each source.
    pub async fn count_by_source(&self) -> Result<HashMap<String, i64>, Error> {
        let pipeline = [doc! { "$group": { "_id": "$service", "count": { "$sum": 1_i64 } } }];
        let found: Vec<Document> = self.letters.aggregate(pipeline).await?.try_collect().await?;
        let pair = |entry: &Document| Some((entry.get_str("_id").ok()?.to_owned(), entry.get_i64("count").ok()?));
        Ok(found.iter().filter_map(pair).collect())
    }

    /// Aggregates of `source` with a letter that is due, each once.
    pub async fn due(&self, source: &str, now: Time) -> Result<Vec<String>, Error> {
        let due = doc! { "service": source, "next_attempt_at": { "$lte": now } };
        let found: Vec<Letter> =
            self.letters.find(due).sort(doc! { "next_attempt_at": 1 }).limit(100).await?.try_collect().await?;
        let ids: HashSet<String> = found.into_iter().map(|letter| letter.aggregate_id).collect();
        Ok(ids.into_iter().collect())
    }

    pub async fn give_up(&self, letter: &Letter) -> Result<(), Error> {
        // Noted before the letter goes: a crash in between only repeats the command. In the other order a rebuild
        // would try the event again.
        let note = doc! { "$set": { "aggregate_id": &letter.aggregate_id, "at": store::now() } };
        self.given_up.update_one(doc! { "_id": &letter.event_id }, note).upsert(true).await?;
        self.remove(letter).await
    }

    pub async fn remove(&self, letter: &Letter) -> Result<(), Error> {
        self.letters.delete_one(doc! { "_id": &letter.event_id }).await?;
        Ok(())
    }

    pub async fn failed(&self, letter: &Letter, cause: Cause) -> Result<(), Error> {
        let (reason, next) = match cause {
            Cause::Poison(reason) => (reason, None),
            Cause::Failing(reason) => (reason, Some(after(store::now(), RETRY_PAUSE))),
            Cause::Behind => ("its predecessor is missing".to_owned(), Some(after(store::now(), RETRY_PAUSE))),
        };
        let update = doc! { "$set": { "reason": reason, "next_attempt_at": next }, "$inc": { "attempts": 1 } };
        self.letters.update_one(doc! { "_id": &letter.event_id }, update).await?;
        Ok(())
    }

    /// Letters behind one that needs a person are tried less often.
    pub async fn postpone(&self, aggregate_id: &str) -> Result<(), Error> {
        let waiting = doc! { "aggregate_id": aggregate_id, "next_attempt_at": { "$ne": null } };
        let later = doc! { "$set": { "next_attempt_at": after(store::now(), RETRY_PAUSE * 4) } };
        self.letters.update_many(waiting, later).await?;
        Ok(())
    }

    fn mark(&self, aggregate_id: &str, is_parked: bool) {
        let mut parked = self.parked.lock().expect("no holder panics");
        if is_parked {
            parked.insert(aggregate_id.to_owned());
        } else {
            parked.remove(aggregate_id);
        }
    }
}

/// Ids of the events that operators gave up.
pub(crate) async fn given_up(database: &Database) -> Result<HashSet<String>, Error> {
    let found: Vec<Document> = database.collection(GIVEN_UP).find(doc! {}).await?.try_collect().await?;
    Ok(found.iter().filter_map(|event| event.get_str("_id").ok().map(str::to_owned)).collect())
}

/// Copies the letters about foreign messages into another copy: a rebuild reads logs, where there are none.
pub(crate) async fn keep_foreign(database: &Database, from: Color, to: Color) -> Result<(), Error> {
    let [from, to] = [from, to].map(|color| color.collection(COLLECTION));
    let merge = doc! { "$merge": { "into": to, "whenMatched": "keepExisting" } };
    let copy = [doc! { "$match": { "aggregate": FOREIGN } }, merge];
    let _: Vec<Document> = database.collection::<Document>(&from).aggregate(copy).await?.try_collect().await?;
    Ok(())
}

fn after(now: Time, pause: Duration) -> Time {
    Time::from_millis(now.timestamp_millis() + i64::try_from(pause.as_millis()).unwrap_or(0))
}
