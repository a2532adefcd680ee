//! The book: charges in MongoDB, each with the replies it has given and the webhooks that wait for delivery.

use crate::{
    behaviour::Webhooks,
    convert,
    domain::{Charge, Operation, Refusal, Wish, after},
};
use bson::{Document, doc};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database, IndexModel,
    options::{Acknowledgment, IndexOptions, WriteConcern},
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use store::{GroupCommit, Time, now};
use tokio_util::sync::CancellationToken;

const COLLECTION: &str = "charges";

/// How often a charge is looked at anew when somebody else moves it at the same time.
const ATTEMPTS: u32 = 16;

/// When webhooks are due that come soon: after the reply, as a rule.
const SOON: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_secs(5);
const AFTER_THE_NEXT: Duration = Duration::from_secs(3);

/// The reply to a request, kept under its key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Replied {
    pub key: String,
    /// Digest of the request's body.
    pub digest: String,
    pub body: String,
}

/// A webhook that waits for delivery.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hook {
    /// Identifier of the event.
    pub id: String,
    /// The body, the same on each attempt.
    pub body: String,
    /// When it is sent next.
    pub due: Time,
    /// How often it was sent in vain.
    pub attempts: i32,
    /// Whether it is sent twice.
    pub is_twice: bool,
}

/// A charge with what its document has beside it.
#[derive(Debug, Clone)]
pub struct Stored {
    pub charge: Charge,
    /// What is beside it.
    pub beside: Beside,
}

/// What the document of a charge has beside the charge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Beside {
    pub rev: i64,
    /// Replies, oldest first.
    pub replies: Vec<Replied>,
    /// What waits for delivery.
    pub hooks: Vec<Hook>,
}

/// What became of a request.
pub enum Outcome {
    /// Done now, or before under this key: the reply's body.
    Done(String),
    /// The charge does not allow it.
    Refused(Refusal),
    /// The key was used for another request.
    KeyReused,
}

/// A request under a key.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub key: &'a str,
    /// Digest of the body and path.
    pub digest: &'a str,
}

/// The charges. Cheap to clone.
#[derive(Clone)]
pub struct Book {
    charges: Collection<Document>,
    group: GroupCommit,
    tells: bool,
}

impl Book {
    /// The book of this database; `tells` whether it keeps webhooks.
    pub fn new(database: &Database, tells: bool) -> Self {
        Self { charges: database.collection(COLLECTION), group: GroupCommit::new(database, COLLECTION), tells }
    }

    /// Makes the indexes; waits for the database as long as it takes.
    pub async fn prepare(&self, shutdown: &CancellationToken) {
        let indexes = [
            (doc! { "reference": 1 }, true),
            (doc! { "hooks.due": 1 }, false),
            (doc! { "hooks.id": 1 }, false),
            (doc! { "ends_at": 1 }, false),
            (doc! { "updated_at": 1, "_id": 1 }, false),
        ];
        for (keys, unique) in indexes {
            let options = IndexOptions::builder().unique(unique).build();
            let index = IndexModel::builder().keys(keys).options(options).build();
            while let Err(error) = self.charges.create_index(index.clone()).await {
                tracing::warn!(%error, "an index of the sandbox cannot be made; trying again");
                if shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Books a new charge under its key, or finds the reply that the key got before.
    pub async fn open(&self, charge: Charge, digest: &str) -> Result<(Outcome, Option<Stored>), store::Error> {
        let body = convert::charge(&charge).to_string();
        let reply = Replied { key: charge.key.clone(), digest: digest.to_owned(), body: body.clone() };
        let hooks = self.hooks(&charge, &charge.operations);
        let stored = Stored { charge, beside: Beside { rev: 1, replies: vec![reply], hooks } };
        let mut document = bson::serialize_to_document(&stored.charge)?;
        document.extend(bson::serialize_to_document(&stored.beside)?);
        match self.group.insert(document).await {
            Ok(()) => Ok((Outcome::Done(body), Some(stored))),
            Err(store::Error::Duplicate) => {
                let before = self.by_key(&stored.charge.key).await?;
                let asked = Asked { key: &stored.charge.key, digest };
                Ok((before.and_then(|before| before.replied(asked)).unwrap_or(Outcome::KeyReused), None))
            }
            Err(error) => Err(error),
        }
    }

    /// Does `wish` to a charge once per key. None when there is no such charge.
    pub async fn operate(
        &self,
        reference: &str,
        asked: Asked<'_>,
        wish: Wish,
    ) -> Result<Option<Outcome>, store::Error> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.by_reference(reference).await? else { return Ok(None) };
            if let Some(outcome) = found.replied(asked) {
                return Ok(Some(outcome));
            }
            let next = match found.charge.after(asked.key, wish, now()) {
                Ok(next) => next,
                Err(refusal) => return Ok(Some(Outcome::Refused(refusal))),
            };
            let body = convert::charge(&next).to_string();
            let reply = Replied { key: asked.key.to_owned(), digest: asked.digest.to_owned(), body: body.clone() };
            match self.group.update(&found.charge.key, found.beside.rev, self.update(&found, &next, &reply)?).await {
                Ok(()) => return Ok(Some(Outcome::Done(body))),
                Err(store::Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(store::Error::Conflict)
    }

    fn update(&self, found: &Stored, next: &Charge, reply: &Replied) -> Result<Document, store::Error> {
        let fresh = next.operations.get(found.charge.operations.len()..).unwrap_or_default();
        let mut set = bson::serialize_to_document(next)?;
        set.remove("_id");
        set.remove("operations");
        set.insert("rev", found.beside.rev + 1);
        let push = doc! {
            "operations": { "$each": bson::serialize_to_bson(fresh)? },
            "replies": bson::serialize_to_bson(reply)?,
            "hooks": { "$each": bson::serialize_to_bson(&self.hooks(next, fresh))? },
        };
        Ok(doc! { "$set": set, "$push": push })
    }

    fn hooks(&self, charge: &Charge, happened: &[Operation]) -> Vec<Hook> {
        let hook = |operation: &Operation| {
            let id = format!("evt_{:032x}", rand::random::<u128>());
            let body = convert::event(&id, charge, operation).to_string();
            let is_first = charge.operations.first() == Some(operation);
            let pause = match charge.webhooks {
                Webhooks::Late => LATE,
                Webhooks::Reordered if is_first => AFTER_THE_NEXT,
                Webhooks::Soon | Webhooks::BeforeReply | Webhooks::Twice | Webhooks::Reordered => SOON,
            };
            let is_twice = charge.webhooks == Webhooks::Twice;
            Hook { id, body, due: after(operation.at, pause), attempts: 0, is_twice }
        };
        if self.tells { happened.iter().map(hook).collect() } else { Vec::new() }
    }

    /// The charge that was made under `key`.
    pub async fn by_key(&self, key: &str) -> Result<Option<Stored>, store::Error> {
        self.group.load(key).await?.map(Stored::parse).transpose()
    }

    /// The charge of this name.
    pub async fn by_reference(&self, reference: &str) -> Result<Option<Stored>, store::Error> {
        self.charges.find_one(doc! { "reference": reference }).await?.map(Stored::parse).transpose()
    }

    /// Charges that have changed since, in the order of their keys, after `after`.
    pub async fn changed(&self, since: Time, after: &str, limit: i64) -> Result<Vec<Stored>, store::Error> {
        let filter = doc! { "updated_at": { "$gte": since }, "_id": { "$gt": after } };
        let found = self.charges.find(filter).sort(doc! { "_id": 1 }).limit(limit).await?;
        found.try_collect::<Vec<Document>>().await?.into_iter().map(Stored::parse).collect()
    }

    /// Charges with webhooks that are due.
    pub async fn due(&self, now: Time, limit: i64) -> Result<Vec<Stored>, store::Error> {
        self.work(doc! { "hooks.due": { "$lte": now } }, doc! { "hooks.due": 1 }, limit).await
    }

    /// Charges whose time is up.
    pub async fn ending(&self, now: Time, limit: i64) -> Result<Vec<Stored>, store::Error> {
        self.work(doc! { "ends_at": { "$lte": now } }, doc! { "ends_at": 1 }, limit).await
    }

    /// Work that is to be done: what cannot be read is left out, so that it holds up nothing behind it.
    async fn work(&self, filter: Document, sort: Document, limit: i64) -> Result<Vec<Stored>, store::Error> {
        let found: Vec<Document> = self.charges.find(filter).sort(sort).limit(limit).await?.try_collect().await?;
        Ok(found.into_iter().filter_map(readable).collect())
    }

    /// Forgets webhooks that were delivered: one command for all, and no wait for the journal. What a crash brings back is
    /// delivered again.
    pub async fn delivered(&self, ids: &[String]) -> Result<(), store::Error> {
        if !ids.is_empty() {
            let pull = doc! { "$pull": { "hooks": { "id": { "$in": ids } } } };
            let unhurried = WriteConcern::builder().w(Acknowledgment::Nodes(1)).journal(false).build();
            self.charges.update_many(doc! { "hooks.id": { "$in": ids } }, pull).write_concern(unhurried).await?;
        }
        Ok(())
    }

    /// Has a webhook sent again at `due`.
    pub async fn postpone(&self, id: &str, due: Time) -> Result<(), store::Error> {
        let again = doc! { "$set": { "hooks.$.due": due }, "$inc": { "hooks.$.attempts": 1 } };
        self.charges.update_one(doc! { "hooks.id": id }, again).await?;
        Ok(())
    }
}

fn readable(document: Document) -> Option<Stored> {
    Stored::parse(document).inspect_err(|error| tracing::error!(%error, "a charge cannot be read")).ok()
}

impl Stored {
    fn parse(document: Document) -> Result<Self, store::Error> {
        let charge = bson::deserialize_from_document(document.clone())?;
        Ok(Self { charge, beside: bson::deserialize_from_document(document)? })
    }

    /// What the key got before.
    fn replied(&self, asked: Asked<'_>) -> Option<Outcome> {
        let before = self.beside.replies.iter().find(|before| before.key == asked.key)?;
        Some(if before.digest == asked.digest { Outcome::Done(before.body.clone()) } else { Outcome::KeyReused })
    }
}
