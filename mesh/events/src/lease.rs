//! One relay per service: a lease by the clock of the primary, with an epoch that fences every checkpoint.

use crate::Error;
use bson::{Document, doc};
use mongodb::{Collection, Database, change_stream::event::ResumeToken, options::ReturnDocument};
use serde::Deserialize;

/// How long a lease outlives its last renewal: a killed relay is replaced after this time, and a slow write of a living
/// one must fit into it.
pub(crate) const LEASE_MS: i64 = 5_000;

const COLLECTION: &str = "relay";
const ID: &str = "relay";

/// The progress that the relay before this one saved.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Checkpoint {
    /// Resume token of the change stream; everything before it is in the log.
    #[serde(default)]
    pub token: Option<ResumeToken>,
    /// Last published entry.
    #[serde(default)]
    pub gseq: i64,
    /// Its sequence in the stream.
    #[serde(default)]
    pub js_seq: i64,
}

/// The last published entry, and its sequence in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published {
    pub gseq: i64,
    pub js_seq: i64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Reached {
    /// Everything before it is in the log.
    pub token: Option<ResumeToken>,
    pub published: Option<Published>,
    /// Why nothing is published; empty when all is well.
    pub problem: Option<String>,
}

impl Reached {
    pub fn is_empty(&self) -> bool {
        self.token.is_none() && self.published.is_none() && self.problem.is_none()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Lease {
    collection: Collection<Document>,
    epoch: i64,
}

impl Lease {
    pub async fn acquire(database: &Database, owner: &str) -> Result<Option<(Self, Checkpoint)>, Error> {
        let collection = database.collection::<Document>(COLLECTION);
        let first = doc! { "$setOnInsert": { "epoch": 0_i64, "expires_at": bson::DateTime::MIN } };
        match collection.update_one(doc! { "_id": ID }, first).upsert(true).await.map_err(store::Error::from) {
            Ok(_) | Err(store::Error::Duplicate) => {}
            Err(error) => return Err(error.into()),
        }
        // The clock of the primary alone decides, so the clocks of the replicas need not agree.
        let free = doc! { "_id": ID, "$expr": { "$lt": ["$expires_at", "$$NOW"] } };
        let take = vec![doc! { "$set": {
            "owner": owner, "epoch": { "$add": ["$epoch", 1_i64] }, "expires_at": { "$add": ["$$NOW", LEASE_MS] },
        } }];
        let taken = collection.find_one_and_update(free, take).return_document(ReturnDocument::After).await?;
        let Some(document) = taken else { return Ok(None) };
        let epoch = document.get_i64("epoch").unwrap_or_default();
        let checkpoint = bson::deserialize_from_document(document)?;
        Ok(Some((Self { collection, epoch }, checkpoint)))
    }

    /// Keeps the lease, and saves what has been reached since the last time, in one write. [`Error::Superseded`] when
    /// the lease has passed on.
    pub async fn keep(&self, reached: &Reached) -> Result<(), Error> {
        let mut set = doc! { "expires_at": { "$add": ["$$NOW", LEASE_MS] } };
        if let Some(token) = &reached.token {
            set.insert("token", doc! { "$literal": bson::serialize_to_bson(token)? });
        }
        if let Some(Published { gseq, js_seq }) = reached.published {
            set.insert("gseq", gseq);
            set.insert("js_seq", js_seq);
        }
        if let Some(problem) = &reached.problem {
            set.insert("problem", doc! { "$literal": problem });
        }
        self.update(vec![doc! { "$set": set }]).await?;
        if reached.token.is_some() {
            telemetry::crash_point("relay.token_saved");
        }
        if reached.published.is_some() {
            telemetry::crash_point("relay.published_saved");
        }
        Ok(())
    }

    /// Gives the lease up, so that the next relay need not wait.
    pub async fn release(&self) -> Result<(), Error> {
        self.update(vec![doc! { "$set": { "expires_at": bson::DateTime::MIN } }]).await
    }

    /// Drops the token; the next term reads every outbox instead.
    pub async fn forget_token(&self) -> Result<(), Error> {
        self.update(vec![doc! { "$unset": "token" }]).await
    }

    async fn update(&self, pipeline: Vec<Document>) -> Result<(), Error> {
        let fence = doc! { "_id": ID, "epoch": self.epoch };
        let result = self.collection.update_one(fence, pipeline).await?;
        if result.matched_count == 0 { Err(Error::Superseded) } else { Ok(()) }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    pub owner: String,
    /// The last published entry that was saved.
    #[serde(rename = "gseq")]
    pub published: i64,
    /// Why nothing is published; empty when all is well.
    pub problem: String,
}

/// What the relay of this database has saved.
pub(crate) async fn known(database: &Database) -> Result<Known, Error> {
    let found = database.collection::<Known>(COLLECTION).find_one(doc! { "_id": ID }).await?;
    Ok(found.unwrap_or_default())
}
