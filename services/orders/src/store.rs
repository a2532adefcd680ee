//! Orders in MongoDB.

use crate::{domain::Order, error::Error, events, sagas::known};
use ::rpc::RequestKey;
use ::store::{Aggregate, Change, ChangeError, Database, Documents, Found, Versioned, now};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Collection;
use saga::{Definition, Due, Whose};

impl Aggregate for Order {
    const COLLECTION: &'static str = "orders";
    const NOUN: &'static str = "order";
}

/// Indexes of the service.
pub fn indexes() -> [(&'static str, Document, bool); 4] {
    [
        (Order::COLLECTION, doc! { "request_key": 1 }, true),
        (Order::COLLECTION, doc! { "user_id": 1, "_id": -1 }, false),
        (Order::COLLECTION, doc! { "saga.peer": 1, "saga.wake_at": 1 }, false),
        (Order::COLLECTION, doc! { "saga.status": 1, "_id": -1 }, false),
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
    pub async fn insert(&self, id: &str, mut order: Order) -> Result<Versioned<Order>, Error> {
        note_trace(&mut order, 0);
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
    ) -> Result<Found<Versioned<Order>>, Error> {
        let mut filter = user_id.map_or_else(Document::new, |user_id| doc! { "user_id": user_id });
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        Ok(self.0.page(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// Orders whose saga must be looked at, longest due first.
    pub async fn due(&self, due: Due) -> Result<Vec<Versioned<Order>>, Error> {
        let one = |known: &&Definition| doc! { "saga.kind": known.kind, "saga.version": known.version };
        let known: Vec<Document> = known().0.iter().map(one).collect();
        let mut filter = doc! { "saga.wake_at": { "$lte": due.until } };
        match due.whose {
            Whose::Peer(peer) => filter.extend(doc! { "saga.peer": peer, "$or": known }),
            // Few are live at any time; the index finds those.
            Whose::Unknown => {
                filter.extend(doc! { "saga.status": { "$in": ["Running", "Compensating"] }, "$nor": known })
            }
        }
        let sort = doc! { "saga.wake_at": 1 };
        if due.skip > 0 {
            filter = doc! { "_id": { "$in": self.ids_behind(filter, sort.clone(), &due).await? } };
        }
        Ok(self.0.find_readable(filter, sort, due.limit).await?)
    }

    /// Ids of what is due behind the first `skip`.
    async fn ids_behind(&self, filter: Document, sort: Document, due: &Due) -> Result<Vec<Bson>, Error> {
        let found = self.collection().find(filter).sort(sort).skip(due.skip).limit(due.limit);
        let found = found.projection(doc! { "_id": 1 }).await.map_err(::store::Error::from)?;
        let ids = found.map_ok(|document| document.get("_id").cloned().unwrap_or(Bson::Null));
        Ok(ids.try_collect().await.map_err(::store::Error::from)?)
    }

    /// How many sagas are parked, and how many others keep failing.
    pub async fn alarms(&self) -> Result<(u64, u64), Error> {
        let count = |filter| async { self.collection().count_documents(filter).await.map_err(::store::Error::from) };
        let parked = count(doc! { "saga.status": "Parked" }).await?;
        let live = doc! { "$in": ["Running", "Compensating"] };
        let failing = count(doc! { "saga.status": live, "saga.alarm_at": { "$ne": null } }).await?;
        Ok((parked, failing))
    }

    /// Orders whose saga matches `filter`, newest first, after `after`.
    pub async fn sagas(
        &self,
        mut filter: Document,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Versioned<Order>>, Error> {
        if let Some(after) = after {
            filter.insert("_id", doc! { "$lt": after });
        }
        Ok(self.0.page(filter, doc! { "_id": -1 }, limit).await?)
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
        decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        self.change_once(item, None, decide).await
    }

    /// The same for a request: its repeat changes nothing, and another request under its key is refused.
    pub async fn change_once(
        &self,
        item: Versioned<Order>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Order) -> Result<Option<Order>, Error>,
    ) -> Result<Versioned<Order>, Error> {
        let id = item.id.clone();
        let on = |old: &Versioned<Order>| -> Result<Option<Change<Order>>, Error> {
            let Some(mut state) = decide(&old.state)? else { return Ok(None) };
            if state == old.state {
                return Ok(None);
            }
            note_trace(&mut state, old.state.history.len());
            let events = events::between(&old.id, &old.state, &state);
            Ok(Some(Change { state, events }))
        };
        self.0.change_found(item, request, on).await.map_err(|error| match error {
            ChangeError::NotFound => Error::NotFound(id),
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Store(cause) => cause.into(),
        })
    }
}

/// Adds the trace of the present work to the transitions from `first` on.
fn note_trace(order: &mut Order, first: usize) {
    let trace = telemetry::traceparent();
    let trace_id = trace.as_deref().and_then(|trace| trace.split('-').nth(1));
    for transition in order.history.iter_mut().skip(first).filter(|transition| transition.trace_id.is_none()) {
        transition.trace_id = trace_id.map(str::to_owned);
    }
}
