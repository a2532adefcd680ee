//! The mails in MongoDB, and the addresses that mails are not sent to any more.

use crate::{
    domain::{Addressed, Email, Ending, State, Template},
    identity::address_digest,
};
use ::store::{Error, Found, Index, Time, page};
use bson::{Document, doc, serialize_to_bson as to_bson};
use mongodb::{Collection, Database, options::ReturnDocument};
use std::sync::Arc;
use tokio::sync::Notify;

const EMAILS: &str = "emails";

/// `{_id: digest of the address, email_id, code, at}`. Who deletes such a document lets mails go to the address again.
const BOUNCED: &str = "bounced_addresses";

/// Those that are to be sent, by time; each filter of the list; what `verify` looks them up by; and the bounces of a mail.
pub fn indexes() -> [Index; 6] {
    [
        Index::new(EMAILS, doc! { "wake_at": 1 }).sparse(),
        Index::new(EMAILS, doc! { "user_id": 1, "_id": -1 }),
        Index::new(EMAILS, doc! { "state": 1, "_id": -1 }),
        Index::new(EMAILS, doc! { "template": 1, "_id": -1 }),
        Index::new(EMAILS, doc! { "event.aggregate_id": 1 }),
        Index::new(BOUNCED, doc! { "email_id": 1 }),
    ]
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub user_id: Option<String>,
    pub state: Option<State>,
    pub template: Option<Template>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Emails {
    emails: Collection<Email>,
    bounced: Collection<Document>,
    /// Told when a mail was written, so that the sender of this process does not wait for its next look.
    pub written: Arc<Notify>,
}

impl Emails {
    pub fn new(database: &Database) -> Self {
        Self { emails: database.collection(EMAILS), bounced: database.collection(BOUNCED), written: Arc::default() }
    }

    /// Writes a mail, unless it is there.
    pub async fn write(&self, email: &Email) -> Result<(), Error> {
        match self.emails.insert_one(email).await.map_err(Error::from) {
            Ok(_) => self.written.notify_one(),
            Err(Error::Duplicate) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The mail that has waited for the longest, as an attempt that ends at `until` at the latest: after that time it is
    /// anybody's again.
    pub async fn claim(&self, now: Time, until: Time) -> Result<Option<Email>, Error> {
        let update = doc! { "$set": { "wake_at": until, "updated_at": now }, "$inc": { "attempts": 1 } };
        let claim = self.emails.find_one_and_update(doc! { "wake_at": { "$lte": now } }, update);
        Ok(claim.sort(doc! { "wake_at": 1 }).return_document(ReturnDocument::After).await?)
    }

    /// Writes how the attempt has ended, unless another has begun. False then.
    pub async fn end(
        &self,
        email: &Email,
        addressed: Option<&Addressed>,
        ending: &Ending,
        now: Time,
    ) -> Result<bool, Error> {
        let Ending { state, reason, wake_at } = ending;
        let mut set = doc! { "state": to_bson(state)?, "reason": reason.clone(), "updated_at": now };
        if let Some(addressed) = addressed {
            set.insert("addressed", to_bson(addressed)?);
        }
        if *state == State::Sent {
            set.insert("sent_at", now);
        }
        let mut update = doc! {};
        match wake_at {
            Some(wake_at) => drop(set.insert("wake_at", *wake_at)),
            None => drop(update.insert("$unset", doc! { "wake_at": 1 })),
        }
        update.insert("$set", set);
        let is_last = doc! { "_id": &email.id, "attempts": email.attempts, "state": to_bson(&State::Pending)? };
        Ok(self.emails.update_one(is_last, update).await?.matched_count > 0)
    }

    /// Whether mails to the address come back.
    pub async fn is_bounced(&self, address: &str) -> Result<bool, Error> {
        Ok(self.bounced.find_one(doc! { "_id": address_digest(address) }).await?.is_some())
    }

    /// Sends no further mail to the address, since this one came back.
    pub async fn bounce(&self, address: &str, email: &Email, code: &str, now: Time) -> Result<(), Error> {
        let why = doc! { "$setOnInsert": { "email_id": &email.id, "code": code, "at": now } };
        self.bounced.update_one(doc! { "_id": address_digest(address) }, why).upsert(true).await?;
        Ok(())
    }

    /// Mails to a user that never change again and are not erased.
    pub async fn ended_of(&self, user_id: &str, limit: i64) -> Result<Vec<Email>, Error> {
        let mut ended = kept(user_id);
        ended.insert("state", doc! { "$ne": to_bson(&State::Pending)? });
        Ok(page::find(self.emails.find(ended), limit).await?.entries)
    }

    /// Mails to a user that are not erased.
    pub async fn count_kept(&self, user_id: &str) -> Result<i64, Error> {
        Ok(i64::try_from(self.emails.count_documents(kept(user_id)).await?).unwrap_or(i64::MAX))
    }

    /// Takes the person out of these mails, which never change again.
    pub async fn erase(&self, ids: &[String]) -> Result<(), Error> {
        let erased = doc! { "$set": { "addressed": null, "is_erased": true } };
        self.emails.update_many(doc! { "_id": { "$in": ids } }, erased).await?;
        Ok(())
    }

    /// Forgets the addresses that these mails came back from.
    pub async fn forget_bounces(&self, ids: &[String]) -> Result<(), Error> {
        self.bounced.delete_many(doc! { "email_id": { "$in": ids } }).await?;
        Ok(())
    }

    pub async fn find(&self, id: &str) -> Result<Option<Email>, Error> {
        Ok(self.emails.find_one(doc! { "_id": id }).await?)
    }

    /// Newest event first.
    pub async fn list(&self, wanted: &Filter, after: Option<String>, limit: i64) -> Result<Found<Email>, Error> {
        let mut filter = doc! {};
        if let Some(user_id) = &wanted.user_id {
            filter.insert("user_id", user_id);
        }
        if let Some(state) = wanted.state {
            filter.insert("state", to_bson(&state)?);
        }
        if let Some(template) = wanted.template {
            filter.insert("template", to_bson(&template)?);
        }
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        Ok(page::find(self.emails.find(filter).sort(doc! { "_id": -1 }), limit).await?)
    }
}

/// The mails to a user that are not erased.
fn kept(user_id: &str) -> Document {
    doc! { "user_id": user_id, "is_erased": { "$ne": true } }
}
