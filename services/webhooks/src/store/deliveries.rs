//! Deliveries in MongoDB.

use crate::domain::{Delivery, Outcome, State, TRIED_FOR, later};
use ::store::{Error, Found, Time, page};
use bson::{doc, serialize_to_bson as to_bson};
use futures::TryStreamExt;
use mongodb::{Collection, Database, options::ReturnDocument};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;

/// The shortest time after which a delivery that waits for an older one is looked at again; the end of the older one wakes it.
const BLOCKED_FOR: Duration = Duration::from_secs(1);

/// Cheap to clone.
#[derive(Clone)]
pub struct Deliveries {
    deliveries: Collection<Delivery>,
    /// Told when something may be due, so that the sender of this process does not wait for its next look.
    pub changed: Arc<Notify>,
}

impl Deliveries {
    pub fn new(database: &Database) -> Self {
        Self { deliveries: database.collection(super::DELIVERIES), changed: Arc::default() }
    }

    /// Writes a delivery, unless it is there.
    pub async fn write(&self, delivery: &Delivery) -> Result<(), Error> {
        match self.deliveries.insert_one(delivery).await.map_err(Error::from) {
            Ok(_) => self.changed.notify_one(),
            Err(Error::Duplicate) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Those of an endpoint that have waited for the longest, without their bodies.
    pub async fn due(&self, endpoint_id: &str, now: Time, limit: i64) -> Result<Vec<Delivery>, Error> {
        let due = doc! { "endpoint_id": endpoint_id, "wake_at": { "$lte": now } };
        let found = self.deliveries.find(due).sort(doc! { "wake_at": 1, "seq": 1 }).limit(limit);
        Ok(found.projection(doc! { "body": 0 }).await?.try_collect().await?)
    }

    /// Lets a delivery wait when an older one of its lane is PENDING; tells whether there is one.
    pub async fn waits(&self, delivery: &Delivery, now: Time) -> Result<bool, Error> {
        let older = doc! { "lane": &delivery.lane, "state": pending()?, "seq": { "$lt": delivery.seq } };
        let older = self.deliveries.find_one(older).sort(doc! { "seq": 1 }).projection(doc! { "body": 0 }).await?;
        let Some(older) = older else { return Ok(false) };
        let until = older.wake_at.unwrap_or(now).max(later(now, BLOCKED_FOR));
        let seen = doc! { "_id": &delivery.id, "wake_at": delivery.wake_at };
        self.deliveries.update_one(seen, doc! { "$set": { "wake_at": until, "is_blocked": true } }).await?;
        Ok(true)
    }

    /// Begins an attempt that ends at `until` at the latest; after that time the delivery is anybody's again. None when it has
    /// changed since it was read.
    pub async fn claim(&self, seen: &Delivery, now: Time, until: Time) -> Result<Option<Delivery>, Error> {
        let filter = doc! { "_id": &seen.id, "wake_at": seen.wake_at, "attempts": seen.attempts };
        let set = doc! { "wake_at": until, "updated_at": now, "is_blocked": false };
        let claim = self.deliveries.find_one_and_update(filter, doc! { "$set": set, "$inc": { "attempts": 1 } });
        Ok(claim.return_document(ReturnDocument::After).await?)
    }

    /// Writes how an attempt has ended, unless another has begun; with the state that it leaves and when the next one begins.
    pub async fn end(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
        (state, wake_at): (State, Option<Time>),
        now: Time,
    ) -> Result<bool, Error> {
        let status = outcome.status().map(i32::from);
        let mut set =
            doc! { "state": to_bson(&state)?, "last_status": status, "last_error": outcome.error(), "updated_at": now };
        let mut update = doc! {};
        match wake_at {
            Some(wake_at) => drop(set.insert("wake_at", wake_at)),
            None => drop(update.insert("$unset", doc! { "wake_at": 1 })),
        }
        update.insert("$set", set);
        let is_last = doc! { "_id": &delivery.id, "attempts": delivery.attempts, "state": pending()? };
        let is_written = self.deliveries.update_one(is_last, update).await?.matched_count > 0;
        if state != State::Pending {
            self.wake_next(&delivery.lane, now).await?;
        }
        Ok(is_written)
    }

    /// Wakes the first one of a lane that waits for an older one. A crash before that costs time alone: it looks by itself.
    async fn wake_next(&self, lane: &str, now: Time) -> Result<(), Error> {
        let next = doc! { "lane": lane, "state": pending()?, "is_blocked": true };
        let wake = doc! { "$set": { "wake_at": now, "is_blocked": false } };
        self.deliveries.find_one_and_update(next, wake).sort(doc! { "seq": 1 }).await?;
        Ok(())
    }

    /// Sends one that has ended again; as it is when it is PENDING, none when it is not there.
    pub async fn redeliver(&self, id: &str, now: Time) -> Result<Option<Delivery>, Error> {
        let ended = doc! { "_id": id, "state": { "$ne": pending()? } };
        let again = doc! {
            "state": pending()?, "wake_at": now, "open_until": later(now, TRIED_FOR), "updated_at": now,
            "attempts_before": "$attempts", "is_blocked": false,
        };
        let update = self.deliveries.find_one_and_update(ended, vec![doc! { "$set": again }]);
        if let Some(found) = update.return_document(ReturnDocument::After).await? {
            self.changed.notify_one();
            return Ok(Some(found));
        }
        Ok(self.deliveries.find_one(doc! { "_id": id }).await?)
    }

    /// Makes all that waits for an endpoint due.
    pub async fn wake_all(&self, endpoint_id: &str, now: Time) -> Result<(), Error> {
        let waiting = doc! { "endpoint_id": endpoint_id, "state": pending()? };
        self.deliveries.update_many(waiting, doc! { "$set": { "wake_at": now } }).await?;
        self.changed.notify_one();
        Ok(())
    }

    /// Ends what has waited for too long for an endpoint that is disabled.
    pub async fn give_up(&self, endpoint_id: &str, now: Time) -> Result<(), Error> {
        let over = doc! { "endpoint_id": endpoint_id, "state": pending()?, "open_until": { "$lte": now } };
        let failed = doc! { "state": to_bson(&State::Failed)?, "updated_at": now };
        self.deliveries.update_many(over, doc! { "$set": failed, "$unset": { "wake_at": 1 } }).await?;
        Ok(())
    }

    pub async fn delete_of(&self, endpoint_id: &str) -> Result<(), Error> {
        self.deliveries.delete_many(doc! { "endpoint_id": endpoint_id }).await?;
        Ok(())
    }

    /// Newest event first, without bodies.
    pub async fn list(
        &self,
        endpoint_id: &str,
        state: Option<State>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Delivery>, Error> {
        let mut filter = doc! {};
        if !endpoint_id.is_empty() {
            filter.insert("endpoint_id", endpoint_id);
        }
        if let Some(state) = state {
            filter.insert("state", to_bson(&state)?);
        }
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        let found = self.deliveries.find(filter).sort(doc! { "_id": -1 });
        Ok(page::find(found.projection(doc! { "body": 0 }), limit).await?)
    }
}

fn pending() -> Result<bson::Bson, Error> {
    Ok(to_bson(&State::Pending)?)
}
