//! Baskets in MongoDB.

use crate::{
    domain::{Basket, Clock},
    error::Error,
    events,
};
use ::store::{
    Aggregate, Change, Database, Documents, Erased, Found, Index, RequestKey, Time, Transaction, Versioned, now,
};
use bson::doc;

pub const COLLECTION: &str = "baskets";

impl Aggregate for Basket {
    const COLLECTION: &'static str = COLLECTION;
    const NOUN: &'static str = "basket";
}

pub fn indexes() -> [Index; 4] {
    [
        Index::unique(COLLECTION, doc! { "request_key": 1 }),
        Index::new(COLLECTION, doc! { "user_id": 1, "_id": -1 }),
        Index::new(COLLECTION, doc! { "checkout.at": 1 }).sparse(),
        Index::new(COLLECTION, doc! { "expires_at": 1, "_id": 1 }),
    ]
}

#[derive(Clone)]
pub struct Baskets {
    database: Database,
    documents: Documents<Basket>,
}

impl Baskets {
    pub fn new(database: &Database) -> Self {
        Self { database: database.clone(), documents: Documents::new(database) }
    }

    /// Stores a new basket, or finds the one that the same request made before.
    pub async fn create(
        &self,
        id: &str,
        mut basket: Basket,
        request: Option<&RequestKey>,
    ) -> Result<Versioned<Basket>, Error> {
        let key = basket.request_key.clone();
        basket.request_digest = request.map_or_else(String::new, |request| request.digest().to_owned());
        let created = events::created(id, &basket);
        match self.documents.insert(id, basket, vec![created]).await {
            Err(::store::Error::Duplicate) => {
                let before = self.documents.find_one(doc! { "request_key": key }).await?.ok_or(Error::KeyReused)?;
                let is_same = request.is_some_and(|request| request.repeats(&before.state.request_digest));
                if is_same { Ok(before) } else { Err(Error::KeyReused) }
            }
            stored => Ok(stored?),
        }
    }

    /// A basket that may have been deleted or expired.
    pub async fn find(&self, id: &str) -> Result<Versioned<Basket>, Error> {
        self.documents.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
    }

    /// Baskets after `after`, newest first; of one user, or of all.
    pub async fn list(
        &self,
        user_id: Option<&str>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Versioned<Basket>>, Error> {
        let mut filter = doc! { "state": { "$ne": "Deleted" }, "expires_at": { "$not": { "$lte": now() } } };
        if let Some(user_id) = user_id {
            filter.insert("user_id", user_id);
        }
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        Ok(self.documents.page(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// The user's newest open basket.
    pub async fn newest_open(&self, user_id: &str) -> Result<Option<Versioned<Basket>>, Error> {
        let open = doc! { "user_id": user_id, "state": "Open", "expires_at": { "$gt": now() } };
        Ok(self.documents.find(open, doc! { "_id": -1 }, 1).await?.into_iter().next())
    }

    /// Baskets whose checkout has begun before `late` and has no end, the oldest first.
    pub async fn cut_off(&self, late: Time, limit: i64) -> Result<Vec<Versioned<Basket>>, Error> {
        let begun = doc! { "checkout.at": { "$lte": late } };
        Ok(self.documents.find_readable(begun, doc! { "checkout.at": 1 }, limit).await?)
    }

    /// Baskets that have expired, the oldest first. They are there for nobody.
    pub async fn expired(&self, limit: i64) -> Result<Vec<Versioned<Basket>>, Error> {
        let over = doc! { "expires_at": { "$lte": now() } };
        Ok(self.documents.find_readable(over, doc! { "expires_at": 1, "_id": 1 }, limit).await?)
    }

    /// Removes an expired basket, unless it has changed or one of its events is not in the log yet.
    pub async fn remove(&self, expired: &Versioned<Basket>) -> Result<bool, Error> {
        Ok(self.documents.remove(expired).await?)
    }

    /// Deletes a user's baskets that are open.
    pub async fn erase(&self, user_id: &str) -> Result<Erased, Error> {
        let kept = doc! { "user_id": user_id, "state": { "$in": ["Open", "CheckingOut"] } };
        let delete = |old: &Versioned<Basket>| {
            let state = old.state.deleted(now()).ok().flatten()?;
            Some(Change { events: events::between(&old.id, &old.state, &state), state })
        };
        Ok(self.documents.erase(kept, delete).await?)
    }

    /// Changes a basket by `decide`, on `found` if it is current, else on the newest version. None changes nothing.
    pub async fn change(
        &self,
        found: Versioned<Basket>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Versioned<Basket>) -> Result<Option<Basket>, Error>,
    ) -> Result<Versioned<Basket>, Error> {
        let id = found.id.clone();
        let changed = self.documents.change_found(found, request, |old| -> Result<_, Error> {
            let changed = decide(old)?;
            Ok(changed.map(|state| Change { events: events::between(&old.id, &old.state, &state), state }))
        });
        changed.await.map_err(|error| error.or(|| Error::NotFound(id)))
    }

    /// Adds the items of a guest's basket to a user's, in one transaction. A conflict when either has changed since it was read.
    pub async fn merge(
        &self,
        guest: &Versioned<Basket>,
        own: &Versioned<Basket>,
        clock: Clock,
    ) -> Result<Versioned<Basket>, Error> {
        let taken = own.state.take(&guest.state, clock)?;
        let user_id = own.state.user_id.clone().unwrap_or_default();
        let merged = Change {
            state: guest.state.merged(&own.id, clock),
            events: vec![events::merged(&guest.id, &own.id, &user_id)],
        };
        let taking = Change { events: events::between(&own.id, &own.state, &taken), state: taken };
        let mut transaction = Transaction::new(&self.database);
        transaction.update(&self.documents, guest, merged).await?;
        let own = transaction.update(&self.documents, own, taking).await?;
        transaction.commit("baskets.merge").await?;
        Ok(own)
    }
}
