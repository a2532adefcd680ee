//! Endpoints in MongoDB.

use crate::domain::{Endpoint, MAX_ENDPOINTS, Secret};
use ::store::{Error, Found, Time, page};
use bson::{Document, doc, serialize_to_bson as to_bson};
use futures::TryStreamExt;
use mongodb::{Collection, Database, options::ReturnDocument};
use std::collections::BTreeSet;

/// Cheap to clone.
#[derive(Clone)]
pub struct Endpoints(Collection<Endpoint>);

impl Endpoints {
    pub fn new(database: &Database) -> Self {
        Self(database.collection(super::ENDPOINTS))
    }

    /// Stores a new endpoint in a free slot; none when there is no such slot.
    pub async fn create(&self, mut endpoint: Endpoint) -> Result<Option<Endpoint>, Error> {
        loop {
            let slots = self.0.clone_with_type::<Document>().find(doc! {}).projection(doc! { "slot": 1 }).await?;
            let taken: BTreeSet<i32> = slots.try_collect::<Vec<_>>().await?.iter().filter_map(slot).collect();
            let Some(free) = (0..MAX_ENDPOINTS).find(|slot| !taken.contains(slot)) else { return Ok(None) };
            endpoint.slot = free;
            match self.0.insert_one(&endpoint).await.map_err(Error::from) {
                Ok(_) => return Ok(Some(endpoint)),
                // Another has taken the slot in between: there is one less.
                Err(Error::Duplicate) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Notes a time at which the endpoint was stored already.
    pub async fn make_certain(&self, id: &str, now: Time) -> Result<(), Error> {
        self.0.update_one(doc! { "_id": id }, doc! { "$set": { "certain_from": now } }).await?;
        Ok(())
    }

    pub async fn find(&self, id: &str) -> Result<Option<Endpoint>, Error> {
        Ok(self.0.find_one(doc! { "_id": id }).await?)
    }

    /// All of them; they are few.
    pub async fn all(&self) -> Result<Vec<Endpoint>, Error> {
        Ok(self.0.find(doc! {}).await?.try_collect().await?)
    }

    /// By age.
    pub async fn list(&self, after: Option<String>, limit: i64) -> Result<Found<Endpoint>, Error> {
        let filter = after.map_or_else(Document::new, |after| doc! { "_id": { "$gt": after } });
        Ok(page::find(self.0.find(filter).sort(doc! { "_id": 1 }), limit).await?)
    }

    /// Those that want events of these types, also those that are disabled.
    pub async fn wanting(&self, event_types: &[String]) -> Result<Vec<Endpoint>, Error> {
        Ok(self.0.find(doc! { "event_types": { "$in": event_types } }).await?.try_collect().await?)
    }

    /// Which of these there are not.
    pub async fn missing(&self, ids: &[String]) -> Result<Vec<String>, Error> {
        let endpoints = self.0.clone_with_type::<Document>();
        let found = endpoints.find(doc! { "_id": { "$in": ids } });
        let found: Vec<Document> = found.projection(doc! { "_id": 1 }).await?.try_collect().await?;
        let is_there = |id: &String| found.iter().any(|one| one.get_str("_id").is_ok_and(|found| found == id));
        Ok(ids.iter().filter(|id| !is_there(id)).cloned().collect())
    }

    pub async fn delete(&self, id: &str) -> Result<(), Error> {
        self.0.delete_one(doc! { "_id": id }).await?;
        Ok(())
    }

    /// Enables it; tells whether it was disabled.
    pub async fn enable(&self, id: &str) -> Result<bool, Error> {
        let enabled = doc! { "$set": { "disabled": null, "failing_since": null } };
        let disabled = doc! { "_id": id, "disabled": { "$ne": null } };
        Ok(self.0.update_one(disabled, enabled).await?.matched_count > 0)
    }

    /// Disables it, unless an attempt has succeeded, or somebody has enabled it, since it was `seen`.
    pub async fn disable(&self, seen: &Endpoint, why: &str) -> Result<(), Error> {
        let unchanged = doc! { "_id": &seen.id, "disabled": null, "failing_since": seen.failing_since };
        self.0.update_one(unchanged, doc! { "$set": { "disabled": why } }).await?;
        Ok(())
    }

    /// Notes that an attempt has failed at this time, unless one before has.
    pub async fn note_failure(&self, id: &str, now: Time) -> Result<(), Error> {
        let first = doc! { "_id": id, "failing_since": null };
        self.0.update_one(first, doc! { "$set": { "failing_since": now } }).await?;
        Ok(())
    }

    pub async fn note_success(&self, id: &str) -> Result<(), Error> {
        let failing = doc! { "_id": id, "failing_since": { "$ne": null } };
        self.0.update_one(failing, doc! { "$set": { "failing_since": null } }).await?;
        Ok(())
    }

    /// Replaces the secrets of `old`; none when somebody else has in between, or it is deleted.
    pub async fn replace_secrets(&self, old: &Endpoint, new: &[Secret]) -> Result<Option<Endpoint>, Error> {
        let unchanged = doc! { "_id": &old.id, "secrets": to_bson(&old.secrets)? };
        let update = doc! { "$set": { "secrets": to_bson(&new)? } };
        Ok(self.0.find_one_and_update(unchanged, update).return_document(ReturnDocument::After).await?)
    }
}

fn slot(endpoint: &Document) -> Option<i32> {
    endpoint.get_i32("slot").ok()
}
