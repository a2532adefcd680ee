//! Charges in MongoDB, each with the replies that were given for it and the webhooks that wait for delivery.

use crate::{
    behaviour::WebhookMode,
    convert,
    domain::{Charge, Command, Operation, Refusal, after},
};
use ::store::{GroupCommit, Index, Time, now};
use bson::{Document, RawDocumentBuf, doc};
use futures::TryStreamExt;
use mongodb::{
    Collection, Database,
    options::{Acknowledgment, WriteConcern},
};
use serde::{Deserialize, Serialize};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const COLLECTION: &str = "charges";

/// How often a command is decided anew when another request changes the charge meanwhile.
const ATTEMPTS: u32 = 16;

/// Delay of a webhook as a rule: replies take a few milliseconds, so that the reply comes first.
pub const PROMPT_DELAY: Duration = Duration::from_millis(300);

/// Delay of a webhook that is late: the resolver of payments, which polls each second, is faster.
const LATE_DELAY: Duration = Duration::from_secs(5);

/// Delay of the first webhook when webhooks are reordered: a capture within this time overtakes the authorization.
const REORDERED_DELAY: Duration = Duration::from_secs(3);

/// The reply to a request, stored under the request's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredReply {
    pub key: String,
    /// Digest of the request's body.
    pub digest: String,
    pub body: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Webhook {
    pub id: String,
    /// The body, the same on each attempt.
    pub body: String,
    pub due: Time,
    /// Failed attempts.
    pub attempts: i32,
    /// Whether a delivery sends it twice.
    pub is_twice: bool,
}

/// A charge with what its document has beside it.
#[derive(Debug, Clone)]
pub struct StoredCharge {
    pub charge: Charge,
    pub exchange: Exchange,
}

/// What the document of a charge has beside the charge: its revision, and what is exchanged with callers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exchange {
    pub rev: i64,
    /// Replies, oldest first.
    pub replies: Vec<StoredReply>,
    #[serde(rename = "hooks")]
    pub webhooks: Vec<Webhook>,
}

pub enum Outcome {
    /// Done now, or before under this key: the reply's body.
    Done(String),
    Refused(Refusal),
    KeyReused,
}

#[derive(Debug, Clone, Copy)]
pub struct RequestKey<'a> {
    pub key: &'a str,
    /// Digest of the body and path.
    pub digest: &'a str,
}

impl RequestKey<'_> {
    fn reply(&self, body: &str) -> StoredReply {
        StoredReply { key: self.key.to_owned(), digest: self.digest.to_owned(), body: body.to_owned() }
    }
}

#[derive(Clone)]
pub struct Charges {
    charges: Collection<RawDocumentBuf>,
    group: GroupCommit,
    has_webhooks: bool,
    /// Told of each charge that this process has written.
    written: Arc<Notify>,
}

impl Charges {
    /// The charges of this database; `has_webhooks` whether events become webhooks.
    pub fn new(database: &Database, has_webhooks: bool) -> Self {
        let (charges, group) = (database.collection(COLLECTION), GroupCommit::new(database, COLLECTION));
        Self { charges, group, has_webhooks, written: Arc::default() }
    }

    /// Waits until this process has written a charge, at once if it has since the last wait.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Makes the indexes; waits for the database as long as it takes.
    pub async fn prepare(&self, shutdown: &CancellationToken) {
        let indexes = [
            Index::unique(COLLECTION, doc! { "reference": 1 }),
            Index::new(COLLECTION, doc! { "hooks.due": 1 }),
            Index::new(COLLECTION, doc! { "hooks.id": 1 }),
            Index::new(COLLECTION, doc! { "ends_at": 1 }),
            Index::new(COLLECTION, doc! { "updated_at": 1, "_id": 1 }),
        ];
        for Index { model, .. } in indexes {
            while let Err(error) = self.charges.create_index(model.clone()).await {
                tracing::warn!(%error, "an index of the sandbox cannot be made; trying again");
                if shutdown.run_until_cancelled(tokio::time::sleep(Duration::from_secs(1))).await.is_none() {
                    return;
                }
            }
        }
    }

    /// Stores a new charge under its key, or finds the reply that the key got before.
    pub async fn open(&self, charge: Charge, digest: &str) -> Result<(Outcome, Option<StoredCharge>), ::store::Error> {
        let body = convert::charge(&charge).to_string();
        let replies = vec![RequestKey { key: &charge.key, digest }.reply(&body)];
        let webhooks = self.webhooks(&charge, &charge.operations);
        let stored = StoredCharge { charge, exchange: Exchange { rev: 1, replies, webhooks } };
        let mut document = bson::serialize_to_document(&stored.charge)?;
        document.extend(bson::serialize_to_document(&stored.exchange)?);
        match self.group.insert(bson::serialize_to_raw_document_buf(&document)?).await {
            Ok(()) => {
                self.written.notify_one();
                Ok((Outcome::Done(body), Some(stored)))
            }
            // The key is the document's id, so the second of two requests under one key always finds the first one's reply.
            Err(::store::Error::Duplicate) => {
                let before = self.by_key(&stored.charge.key).await?;
                let request = RequestKey { key: &stored.charge.key, digest };
                Ok((before.and_then(|before| before.replied(request)).unwrap_or(Outcome::KeyReused), None))
            }
            Err(error) => Err(error),
        }
    }

    /// Applies `command` to a charge once per key. None when there is no such charge.
    pub async fn apply(
        &self,
        reference: &str,
        request: RequestKey<'_>,
        command: Command,
    ) -> Result<Option<Outcome>, ::store::Error> {
        for _ in 0..ATTEMPTS {
            let Some(found) = self.by_reference(reference).await? else { return Ok(None) };
            if let Some(outcome) = found.replied(request) {
                return Ok(Some(outcome));
            }
            let next = match found.charge.after(request.key, command, now()) {
                Ok(next) => next,
                Err(refusal) => return Ok(Some(Outcome::Refused(refusal))),
            };
            let body = convert::charge(&next).to_string();
            let update = self.update(&found, &next, &request.reply(&body))?;
            // The charge, its reply and its webhooks are one write, so that a crash loses all of them or none.
            match self.group.update(&found.charge.key, found.exchange.rev, update).await {
                Ok(()) => {
                    self.written.notify_one();
                    return Ok(Some(Outcome::Done(body)));
                }
                Err(::store::Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(::store::Error::Conflict)
    }

    fn update(&self, found: &StoredCharge, next: &Charge, reply: &StoredReply) -> Result<Document, ::store::Error> {
        let fresh = next.operations.get(found.charge.operations.len()..).unwrap_or_default();
        let mut set = bson::serialize_to_document(next)?;
        set.remove("_id");
        set.remove("operations"); // one update may not both set and push to an array
        set.insert("rev", found.exchange.rev + 1);
        let push = doc! {
            "operations": { "$each": bson::serialize_to_bson(fresh)? },
            "replies": bson::serialize_to_bson(reply)?,
            "hooks": { "$each": bson::serialize_to_bson(&self.webhooks(next, fresh))? },
        };
        Ok(doc! { "$set": set, "$push": push })
    }

    fn webhooks(&self, charge: &Charge, operations: &[Operation]) -> Vec<Webhook> {
        let webhook = |operation: &Operation| {
            let id = format!("evt_{:032x}", rand::random::<u128>());
            let body = convert::event(&id, charge, operation).to_string();
            let is_first = charge.operations.first() == Some(operation);
            let delay = match charge.webhooks {
                WebhookMode::Late => LATE_DELAY,
                WebhookMode::Reordered if is_first => REORDERED_DELAY,
                WebhookMode::Soon | WebhookMode::BeforeReply | WebhookMode::Twice | WebhookMode::Reordered => {
                    PROMPT_DELAY
                }
            };
            let is_twice = charge.webhooks == WebhookMode::Twice;
            Webhook { id, body, due: after(operation.at, delay), attempts: 0, is_twice }
        };
        if self.has_webhooks { operations.iter().map(webhook).collect() } else { Vec::new() }
    }

    pub async fn by_key(&self, key: &str) -> Result<Option<StoredCharge>, ::store::Error> {
        self.group.load(key).await?.map(StoredCharge::parse).transpose()
    }

    pub async fn by_reference(&self, reference: &str) -> Result<Option<StoredCharge>, ::store::Error> {
        self.charges.find_one(doc! { "reference": reference }).await?.map(StoredCharge::parse).transpose()
    }

    /// Charges that have changed since, in the order of their keys, after `after`.
    pub async fn changed(&self, since: Time, after: &str, limit: i64) -> Result<Vec<StoredCharge>, ::store::Error> {
        let filter = doc! { "updated_at": { "$gte": since }, "_id": { "$gt": after } };
        let found = self.charges.find(filter).sort(doc! { "_id": 1 }).limit(limit).await?;
        found.try_collect::<Vec<RawDocumentBuf>>().await?.into_iter().map(StoredCharge::parse).collect()
    }

    pub async fn due(&self, now: Time, limit: i64) -> Result<Vec<StoredCharge>, ::store::Error> {
        self.readable(doc! { "hooks.due": { "$lte": now } }, doc! { "hooks.due": 1 }, limit).await
    }

    /// Charges whose authorization, or wait for the payer, has run out.
    pub async fn expired(&self, now: Time, limit: i64) -> Result<Vec<StoredCharge>, ::store::Error> {
        self.readable(doc! { "ends_at": { "$lte": now } }, doc! { "ends_at": 1 }, limit).await
    }

    /// Charges for a worker. A document that cannot be parsed is left out, so that it holds up nothing behind it.
    async fn readable(
        &self,
        filter: Document,
        sort: Document,
        limit: i64,
    ) -> Result<Vec<StoredCharge>, ::store::Error> {
        let found: Vec<RawDocumentBuf> = self.charges.find(filter).sort(sort).limit(limit).await?.try_collect().await?;
        let parse = |document| {
            StoredCharge::parse(document).inspect_err(|error| tracing::error!(%error, "a charge cannot be read")).ok()
        };
        Ok(found.into_iter().filter_map(parse).collect())
    }

    /// Removes webhooks that were delivered, in one command for all of them.
    pub async fn remove_delivered(&self, ids: &[String]) -> Result<(), ::store::Error> {
        if !ids.is_empty() {
            let pull = doc! { "$pull": { "hooks": { "id": { "$in": ids } } } };
            // The journal is not waited for: a webhook that a crash brings back is only delivered once more.
            let unhurried = WriteConcern::builder().w(Acknowledgment::Nodes(1)).journal(false).build();
            self.charges.update_many(doc! { "hooks.id": { "$in": ids } }, pull).write_concern(unhurried).await?;
        }
        Ok(())
    }

    pub async fn postpone(&self, id: &str, due: Time) -> Result<(), ::store::Error> {
        let again = doc! { "$set": { "hooks.$.due": due }, "$inc": { "hooks.$.attempts": 1 } };
        self.charges.update_one(doc! { "hooks.id": id }, again).await?;
        Ok(())
    }
}

impl StoredCharge {
    fn parse(document: RawDocumentBuf) -> Result<Self, ::store::Error> {
        let bytes = document.as_bytes();
        Ok(Self { charge: bson::deserialize_from_slice(bytes)?, exchange: bson::deserialize_from_slice(bytes)? })
    }

    /// The reply that the key got before.
    fn replied(&self, request: RequestKey<'_>) -> Option<Outcome> {
        let before = self.exchange.replies.iter().find(|before| before.key == request.key)?;
        Some(if before.digest == request.digest { Outcome::Done(before.body.clone()) } else { Outcome::KeyReused })
    }
}
