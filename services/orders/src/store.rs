//! Orders in MongoDB.

use crate::{
    domain::{self, Order},
    error::Error,
    events,
    sagas::definitions::Sagas,
};
use ::store::{Aggregate, Change, Database, Documents, Erased, Found, Index, RequestKey, Versioned, now};
use bson::{Document, doc};
use mongodb::Collection;

impl Aggregate for Order {
    const COLLECTION: &'static str = "orders";
    const NOUN: &'static str = "order";

    fn is_erased(&self) -> bool {
        Order::is_erased(self)
    }
}

pub fn indexes() -> [Index; 4] {
    [
        Index::unique(Order::COLLECTION, doc! { "request_key": 1 }),
        Index::new(Order::COLLECTION, doc! { "user_id": 1, "_id": -1 }),
        Index::new(Order::COLLECTION, doc! { "saga.peer": 1, "saga.wake_at": 1 }),
        Index::new(Order::COLLECTION, doc! { "saga.status": 1, "_id": -1 }),
    ]
}

#[derive(Clone)]
pub struct Orders {
    pub(crate) documents: Documents<Order>,
    pub sagas: &'static Sagas,
}

impl Orders {
    pub fn new(database: &Database, sagas: &'static Sagas) -> Self {
        Self { documents: Documents::new(database), sagas }
    }

    /// The same orders, for writes that nobody waits for.
    pub fn deferred(&self) -> Self {
        Self { documents: self.documents.deferred(), sagas: self.sagas }
    }

    pub fn collection(&self) -> &Collection<Document> {
        self.documents.collection()
    }

    /// Stores an accepted order. `Duplicate` when its request was accepted before.
    pub async fn insert(&self, id: &str, mut order: Order) -> Result<Versioned<Order>, Error> {
        note_trace(&mut order, 0);
        let created = events::created(id, &order);
        Ok(self.documents.insert(id, order, vec![created]).await?)
    }

    pub async fn by_request(&self, request_key: &str) -> Result<Option<Versioned<Order>>, Error> {
        Ok(self.documents.find_one(doc! { "request_key": request_key }).await?)
    }

    pub async fn get(&self, id: &str) -> Result<Versioned<Order>, Error> {
        self.documents.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
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
        Ok(self.documents.page(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// Takes a user out of their orders; those that are under way keep their address.
    pub async fn erase(&self, user_id: &str) -> Result<Erased, Error> {
        let kept =
            doc! { "user_id": user_id, "$or": [{ "user.email": { "$gt": "" } }, { "address.line1": { "$gt": "" } }] };
        Ok(self.documents.erase(kept, |old| old.state.erased(now()).map(|state| change(old, state))).await?)
    }

    /// Changes an order by `decide`, on `found` if it is current, else on the newest version. What `decide` returns beside
    /// the new state is returned with the order; its default when the order of a repeated `request` is not decided again.
    pub async fn change<T: Default>(
        &self,
        found: Versioned<Order>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Order) -> Result<(Option<Order>, T), domain::Error>,
    ) -> Result<(Versioned<Order>, T), Error> {
        let (id, mut more) = (found.id.clone(), T::default());
        let on = |old: &Versioned<Order>| -> Result<Option<Change<Order>>, domain::Error> {
            let (state, decided) = decide(&old.state)?;
            more = decided;
            // A decision that changes nothing is no write: neither the revision nor the events of the order move.
            Ok(state.filter(|state| *state != old.state).map(|state| change(old, state)))
        };
        let changed = self.documents.change_found(found, request, on).await;
        Ok((changed.map_err(|error| error.or(|| Error::NotFound(id)))?, more))
    }
}

/// A new state with the events that tell of it.
pub fn change(old: &Versioned<Order>, mut state: Order) -> Change<Order> {
    note_trace(&mut state, old.state.history.len());
    let events = events::between(&old.id, &old.state, &state);
    Change { state, events }
}

/// Adds the trace of the present work to the transitions from `first` on.
fn note_trace(order: &mut Order, first: usize) {
    let trace = telemetry::traceparent();
    let trace_id = trace.as_deref().and_then(|trace| trace.split('-').nth(1));
    for transition in order.history.iter_mut().skip(first).filter(|transition| transition.trace_id.is_none()) {
        transition.trace_id = trace_id.map(str::to_owned);
    }
}
