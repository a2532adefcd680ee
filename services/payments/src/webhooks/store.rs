//! The webhooks in MongoDB: those that wait, were applied, or have expired, each kind within its bounds.

use ::store::{Error, Found, GroupCommit, Index, Time, page};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::{Collection, Database};

pub const COLLECTION: &str = "webhook_inbox";

/// Events of one look.
pub const BATCH: usize = 256;

/// Bytes of one look.
const BATCH_BYTES: i64 = 8 << 20;

/// The pause before an event is tried again: as long as it has waited, within these.
const SHORTEST_PAUSE_MS: i64 = 2_000;
const LONGEST_PAUSE_MS: i64 = 10 * 60_000;

/// After this time an event expires: the payment that it could concern would have been written long ago.
const LONGEST_WAIT_MS: i64 = 24 * 3600 * 1000;

/// Bytes that may wait. When there are more, the oldest expire until 7/8 are left, so that one more event does not cost
/// another sweep.
pub const WAITING_BYTES: i64 = 64 << 20;

/// Expired events that are listed, the newest.
const EXPIRED: u64 = 10_000;

/// How long applied events are kept, for people who look into a payment, and how large all of the inbox may become before the oldest of them go.
const APPLIED_MS: i64 = 30 * 24 * 3600 * 1000;
const ALL_BYTES: f64 = 1024.0 * 1024.0 * 1024.0;

/// Events that one sweep deletes because the inbox is too large.
const DELETED: u64 = 10_000;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The payment has what the event tells.
    Applied,
    /// The event is tried again.
    Waiting,
    /// The event is not tried again, and is listed for people.
    Expired,
}

impl Disposition {
    /// Its word in the documents.
    pub const fn name(self) -> &'static str {
        match self {
            Disposition::Applied => "heard",
            Disposition::Waiting => "waits",
            Disposition::Expired => "given_up",
        }
    }
}

/// Why an event has expired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// It waited for too long.
    Age,
    /// Too much waited.
    Space,
}

impl Expiry {
    /// Its word in documents and contracts.
    const fn name(self) -> &'static str {
        match self {
            Expiry::Age => "AGE",
            Expiry::Space => "SPACE",
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    pub count: i64,
    pub bytes: i64,
}

pub struct Store {
    events: Collection<Document>,
    group: GroupCommit,
}

pub fn indexes() -> [Index; 3] {
    [
        Index::new(COLLECTION, doc! { "fate": 1, "received_at": 1 }),
        Index::new(COLLECTION, doc! { "fate": 1, "look_at": 1 }),
        Index::new(COLLECTION, doc! { "charge_key": 1, "fate": 1 }),
    ]
}

fn before(now: Time, millis: i64) -> Time {
    Time::from_millis(now.timestamp_millis().saturating_sub(millis))
}

impl Store {
    pub fn new(database: &Database) -> Self {
        Self { events: database.collection(COLLECTION), group: GroupCommit::new(database, COLLECTION) }
    }

    /// Keeps an event, with its content while it waits. One that is known stays as it is; but what had expired is taken up
    /// again when it is sent again.
    pub async fn keep(&self, mut event: Document, disposition: Disposition, now: Time) -> Result<(), Error> {
        event.insert("fate", disposition.name());
        event.insert("received_at", now);
        if disposition == Disposition::Waiting {
            event.insert("look_at", before(now, -SHORTEST_PAUSE_MS));
        } else {
            // Nothing reads it again, and it may tell of a person.
            event.remove("raw");
        }
        let again = event.clone();
        match self.group.insert(bson::serialize_to_raw_document_buf(&event)?).await {
            Err(Error::Duplicate) => self.revive(again).await,
            kept => kept,
        }
    }

    async fn revive(&self, mut event: Document) -> Result<(), Error> {
        let id = event.remove("_id");
        event.remove("rev");
        // The content was dropped when the event expired; the one that is sent now has it.
        let update = doc! { "$set": event, "$unset": { "expired_at": "", "expiry": "" } };
        // Only an expired one: what was applied must not wait again.
        self.events.update_one(doc! { "_id": id, "fate": Disposition::Expired.name() }, update).await?;
        Ok(())
    }

    /// What waits and is to be tried again, the longest due first. What an earlier release has kept is due at once.
    pub async fn due(&self, now: Time) -> Result<Vec<Document>, Error> {
        let filter = doc! { "fate": Disposition::Waiting.name(), "look_at": { "$not": { "$gt": now } } };
        self.some(filter, doc! { "look_at": 1 }).await
    }

    /// What waits for these charges, in the order in which it came.
    pub async fn of_charges(&self, keys: &[String]) -> Result<Vec<Document>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let filter = doc! { "charge_key": { "$in": keys }, "fate": Disposition::Waiting.name() };
        self.some(filter, doc! { "received_at": 1 }).await
    }

    /// The first events that match, as many as one look takes.
    async fn some(&self, filter: Document, sort: Document) -> Result<Vec<Document>, Error> {
        let mut cursor = self.events.find(filter).sort(sort).batch_size(32).await?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        while found.len() < BATCH && bytes < BATCH_BYTES && cursor.advance().await? {
            let event = cursor.deserialize_current()?;
            bytes += size(&event);
            found.push(event);
        }
        Ok(found)
    }

    /// Notes of those of these events that are kept that they have been applied, also of expired ones.
    pub async fn mark_applied(&self, ids: &[Bson]) -> Result<(), Error> {
        if !ids.is_empty() {
            let applied = Disposition::Applied.name();
            let others = doc! { "_id": { "$in": ids }, "fate": { "$ne": applied } };
            let mark = doc! { "$set": { "fate": applied }, "$unset": { "expired_at": "", "expiry": "", "raw": "", "look_at": "" } };
            self.events.update_many(others, mark).await?;
        }
        Ok(())
    }

    /// Has these tried again later: the longer they have waited, the later.
    pub async fn postpone(&self, ids: &[Bson], now: Time) -> Result<(), Error> {
        let waited = doc! { "$max": [SHORTEST_PAUSE_MS, { "$subtract": [now, "$received_at"] }] };
        let pause = doc! { "$min": [LONGEST_PAUSE_MS, waited] };
        let later = vec![doc! { "$set": { "look_at": { "$add": [now, pause] } } }];
        if !ids.is_empty() {
            let waiting = doc! { "_id": { "$in": ids }, "fate": Disposition::Waiting.name() };
            self.events.update_many(waiting, later).await?;
        }
        Ok(())
    }

    pub async fn waiting(&self) -> Result<Waiting, Error> {
        let bytes = doc! { "$sum": { "$ifNull": ["$bytes", { "$binarySize": "$raw" }] } };
        let sums = [
            doc! { "$match": { "fate": Disposition::Waiting.name() } },
            doc! { "$group": { "_id": null, "count": { "$sum": 1_i64 }, "bytes": bytes } },
        ];
        let sums: Vec<Document> = self.events.aggregate(sums).await?.try_collect().await?;
        let number = |name: &str| sums.first().map_or(0, |sums| long(sums, name));
        Ok(Waiting { count: number("count"), bytes: number("bytes") })
    }

    /// Expires what is too old, and the oldest of what is too much. How many of each.
    pub async fn expire(&self, waiting: Waiting, now: Time) -> Result<[(Expiry, u64); 2], Error> {
        let aged = self.expire_until(before(now, LONGEST_WAIT_MS), Expiry::Age, now).await?;
        let crowded = match self.end_of_surplus(waiting).await? {
            Some(until) => self.expire_until(until, Expiry::Space, now).await?,
            None => 0,
        };
        Ok([(Expiry::Age, aged), (Expiry::Space, crowded)])
    }

    /// When the last of the oldest came that are too much.
    async fn end_of_surplus(&self, waiting: Waiting) -> Result<Option<Time>, Error> {
        if waiting.bytes <= WAITING_BYTES {
            return Ok(None);
        }
        let mut surplus = waiting.bytes - WAITING_BYTES / 8 * 7;
        let oldest = self.events.find(doc! { "fate": Disposition::Waiting.name() }).sort(doc! { "received_at": 1 });
        let fields = doc! { "received_at": 1, "bytes": { "$ifNull": ["$bytes", { "$binarySize": "$raw" }] } };
        let (mut oldest, mut until) = (oldest.projection(fields).await?, None);
        while surplus > 0 && oldest.advance().await? {
            let event: Document = oldest.deserialize_current()?;
            surplus -= long(&event, "bytes");
            until = event.get_datetime("received_at").ok().copied().or(until);
        }
        Ok(until)
    }

    /// What expires is listed without its content, which the provider can send again.
    async fn expire_until(&self, until: Time, why: Expiry, now: Time) -> Result<u64, Error> {
        let waiting = doc! { "fate": Disposition::Waiting.name(), "received_at": { "$lte": until } };
        let size = doc! { "$ifNull": ["$bytes", { "$binarySize": "$raw" }] };
        let expired =
            doc! { "fate": Disposition::Expired.name(), "expired_at": now, "expiry": why.name(), "bytes": size };
        let expire = vec![doc! { "$set": expired }, doc! { "$unset": ["raw", "look_at"] }];
        Ok(self.events.update_many(waiting, expire).await?.modified_count)
    }

    /// Deletes what was applied long ago, or is too much; and all but the newest of what has expired.
    pub async fn forget(&self, now: Time) -> Result<(), Error> {
        let (applied, expired) = (Disposition::Applied.name(), Disposition::Expired.name());
        self.delete_until(applied, Some(before(now, APPLIED_MS))).await?;
        if self.size().await? > ALL_BYTES {
            self.delete_until(applied, self.came(applied, 1, DELETED).await?).await?;
        }
        self.delete_until(expired, self.came(expired, -1, EXPIRED).await?).await
    }

    async fn delete_until(&self, disposition: &str, until: Option<Time>) -> Result<(), Error> {
        if let Some(until) = until {
            self.events.delete_many(doc! { "fate": disposition, "received_at": { "$lte": until } }).await?;
        }
        Ok(())
    }

    /// When the event came that has `skip` others of its disposition before it, or after it when `direction` is -1.
    async fn came(&self, disposition: &str, direction: i32, skip: u64) -> Result<Option<Time>, Error> {
        let found =
            self.events.find_one(doc! { "fate": disposition }).sort(doc! { "received_at": direction }).skip(skip);
        let found = found.projection(doc! { "received_at": 1 }).await?;
        Ok(found.and_then(|event| event.get_datetime("received_at").ok().copied()))
    }

    /// Bytes of all documents.
    async fn size(&self) -> Result<f64, Error> {
        let stats =
            [doc! { "$collStats": { "storageStats": {} } }, doc! { "$project": { "size": "$storageStats.size" } }];
        let stats: Vec<Document> = self.events.aggregate(stats).await?.try_collect().await?;
        Ok(stats.first().map_or(0.0, |stats| long(stats, "size") as f64))
    }

    /// Events of this disposition after `after`, newest first, without their content.
    pub async fn list(
        &self,
        disposition: Disposition,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Found<Document>, Error> {
        let mut filter = doc! { "fate": disposition.name() };
        if let Some((millis, id)) = after.and_then(|after| after.split_once('/')) {
            let at = Time::from_millis(millis.parse().unwrap_or(0));
            let same = doc! { "received_at": at, "_id": { "$lt": id } };
            filter.insert("$or", vec![doc! { "received_at": { "$lt": at } }, same]);
        }
        let found = self.events.find(filter).sort(doc! { "received_at": -1, "_id": -1 });
        Ok(page::find(found.projection(doc! { "raw": 0 }), limit).await?)
    }
}

fn long(document: &Document, name: &str) -> i64 {
    match document.get(name) {
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    }
}

fn size(event: &Document) -> i64 {
    event.get_binary_generic("raw").map_or(0, |raw| i64::try_from(raw.len()).unwrap_or(i64::MAX))
}
