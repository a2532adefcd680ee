//! Orders in MongoDB.

use crate::{domain::Order, error::Error, events};
use ::store::{Aggregate, Change, ChangeError, Documents, Time, Versioned, now};
use bson::{Document, doc};
use mongodb::{Collection, Database};

impl Aggregate for Order {
    const COLLECTION: &'static str = "orders";
    const NOUN: &'static str = "order";
}

/// Indexes of the service.
pub fn indexes() -> [(&'static str, Document, bool); 3] {
    [
        (Order::COLLECTION, doc! { "request_key": 1 }, true),
        (Order::COLLECTION, doc! { "user_id": 1, "_id": -1 }, false),
        (Order::COLLECTION, doc! { "saga.wake_at": 1 }, false),
    ]
}

/// The orders. Cheap to clone.
#[derive(Clone)]
pub struct Orders(Documents<Order>);

impl Orders {
    /// Orders of this database.
    pub fn new(database: &Database) -> Self {
        Self(Documents::new(database))
    }

    /// The collection, to listen to.
    pub fn collection(&self) -> &Collection<Document> {
        self.0.collection()
    }

    /// Stores an accepted order. `Duplicate` when its request was accepted before.
    pub async fn insert(&self, id: &str, order: Order) -> Result<Versioned<Order>, Error> {
        let created = events::created(id, &order);
        Ok(self.0.insert(id, order, vec![created]).await?)
    }

    /// The order that a request placed before.
    pub async fn by_request(&self, request_key: &str) -> Result<Option<Versioned<Order>>, Error> {
        Ok(self.0.find_one(doc! { "request_key": request_key }).await?)
    }

    /// One order.
    pub async fn get(&self, id: &str) -> Result<Versioned<Order>, Error> {
        self.0.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
    }

    /// Orders after `after`, newest first; of one user, or of all.
    pub async fn list(
        &self,
        user_id: Option<&str>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Vec<Versioned<Order>>, Error> {
        let mut filter = user_id.map_or_else(Document::new, |user_id| doc! { "user_id": user_id });
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        Ok(self.0.find(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// Orders whose saga must be looked at, longest due first.
    pub async fn due(&self, now: Time, limit: i64) -> Result<Vec<Versioned<Order>>, Error> {
        Ok(self.0.find(doc! { "saga.wake_at": { "$lte": now } }, doc! { "saga.wake_at": 1 }, limit).await?)
    }

    /// Claims an order's saga; `None` when the order has changed meanwhile.
    pub async fn claim(&self, old: &Versioned<Order>, owner: &str) -> Result<Option<Versioned<Order>>, Error> {
        let mut state = old.state.clone();
        state.saga.claim(owner, now());
        match self.0.save(old, Change { state, events: Vec::new() }).await {
            Ok(claimed) => Ok(Some(claimed)),
            Err(::store::Error::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes an order by `decide`, on `item` if it is current, else on the newest version.
    pub async fn change(
        &self,
        item: Versioned<Order>,
        mut decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        let mut on = |old: &Versioned<Order>| -> Result<Option<Change<Order>>, Error> {
            let Some(state) = decide(&old.state)? else { return Ok(None) };
            if state == old.state {
                return Ok(None);
            }
            let events = events::between(&old.id, &old.state, &state);
            Ok(Some(Change { state, events }))
        };
        let Some(change) = on(&item)? else { return Ok(item) };
        match self.0.save(&item, change).await {
            Err(::store::Error::Conflict) => {}
            saved => return Ok(saved?),
        }
        self.0.change(&item.id, on).await.map_err(|error| match error {
            ChangeError::NotFound => Error::NotFound(item.id.clone()),
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Store(cause) => cause.into(),
        })
    }
}
