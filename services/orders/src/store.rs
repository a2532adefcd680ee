//! Orders in MongoDB.

use crate::{
    domain::{Fact, Order},
    error::Error,
    events,
    sagas::{Definition, Sagas, Step},
};
use ::store::{Aggregate, Change, Database, Documents, Found, RequestKey, Versioned, now};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use mongodb::Collection;
use saga::{Answer, Due, Recorded, Saga, SagaStore, Whose};

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
pub struct Orders {
    documents: Documents<Order>,
    /// The sagas that this build knows.
    pub sagas: &'static Sagas,
}

impl Orders {
    /// Orders of this database.
    pub fn new(database: &Database, sagas: &'static Sagas) -> Self {
        Self { documents: Documents::new(database), sagas }
    }

    /// The collection, to listen to.
    pub fn collection(&self) -> &Collection<Document> {
        self.documents.collection()
    }

    /// Stores an accepted order. `Duplicate` when its request was accepted before.
    pub async fn insert(&self, id: &str, mut order: Order) -> Result<Versioned<Order>, Error> {
        note_trace(&mut order, 0);
        let created = events::created(id, &order);
        Ok(self.documents.insert(id, order, vec![created]).await?)
    }

    /// The order that a request placed before.
    pub async fn by_request(&self, request_key: &str) -> Result<Option<Versioned<Order>>, Error> {
        Ok(self.documents.find_one(doc! { "request_key": request_key }).await?)
    }

    /// One order.
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

    /// Ids of what is due behind the first `skip`.
    async fn ids_behind(&self, filter: Document, sort: Document, due: &Due) -> Result<Vec<Bson>, Error> {
        let found = self.collection().find(filter).sort(sort).skip(due.skip).limit(due.limit);
        let found = found.projection(doc! { "_id": 1 }).await.map_err(::store::Error::from)?;
        let ids = found.map_ok(|document| document.get("_id").cloned().unwrap_or(Bson::Null));
        Ok(ids.try_collect().await.map_err(::store::Error::from)?)
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
        Ok(self.documents.page(filter, doc! { "_id": -1 }, limit).await?)
    }

    /// Changes an order by `decide`, on `found` if it is current, else on the newest version. What `decide` returns beside
    /// the new state is returned with the order; its default when the order of a repeated `request` is not decided again.
    pub async fn change<T: Default>(
        &self,
        found: Versioned<Order>,
        request: Option<&RequestKey>,
        mut decide: impl FnMut(&Order) -> Result<(Option<Order>, T), Error>,
    ) -> Result<(Versioned<Order>, T), Error> {
        let (id, mut more) = (found.id.clone(), T::default());
        let on = |old: &Versioned<Order>| -> Result<Option<Change<Order>>, Error> {
            let (state, decided) = decide(&old.state)?;
            more = decided;
            Ok(state.filter(|state| *state != old.state).map(|state| change(old, state)))
        };
        let changed = self.documents.change_found(found, request, on).await;
        Ok((changed.map_err(|error| error.or(|| Error::NotFound(id)))?, more))
    }
}

/// A new state with the events that tell of it.
fn change(old: &Versioned<Order>, mut state: Order) -> Change<Order> {
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

#[tonic::async_trait]
impl SagaStore for Orders {
    type Item = Versioned<Order>;
    type Fact = Fact;
    type Step = Step;
    type Error = Error;

    fn registry(&self) -> &'static Sagas {
        self.sagas
    }

    fn saga<'a>(&self, order: &'a Versioned<Order>) -> (&'a str, &'a Saga) {
        (&order.id, &order.state.saga)
    }

    async fn due(&self, due: Due) -> Result<Vec<Versioned<Order>>, Error> {
        let one = |known: &&Definition| doc! { "saga.kind": known.kind, "saga.version": known.version };
        let known: Vec<Document> = self.sagas.0.iter().map(one).collect();
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
        Ok(self.documents.find_readable(filter, sort, due.limit).await?)
    }

    async fn claim(&self, order: &Versioned<Order>, owner: &str) -> Result<Option<Versioned<Order>>, Error> {
        let mut state = order.state.clone();
        state.saga.claim(self.sagas, owner, now());
        match self.documents.save(order, change(order, state)).await {
            Ok(claimed) => Ok(Some(claimed)),
            Err(::store::Error::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn learned(&self, mut order: Versioned<Order>, facts: &[Fact]) -> Versioned<Order> {
        order.state.learn(facts);
        order
    }

    async fn record(
        &self,
        order: Versioned<Order>,
        answers: Vec<Answer<Fact>>,
    ) -> Result<Recorded<Versioned<Order>>, Error> {
        let jitter = rand::random();
        let record = |order: &Order| {
            let next = order.record(self.sagas, &answers, now(), jitter)?;
            let counted = next.is_some();
            Ok((next, counted))
        };
        let (item, counted) = self.change(order, None, record).await?;
        Ok(Recorded { item, counted })
    }

    async fn alarms(&self) -> Result<(u64, u64), Error> {
        let count = |filter| async { self.collection().count_documents(filter).await.map_err(::store::Error::from) };
        let parked = count(doc! { "saga.status": "Parked" }).await?;
        let live = doc! { "$in": ["Running", "Compensating"] };
        let failing = count(doc! { "saga.status": live, "saga.alarm_at": { "$ne": null } }).await?;
        Ok((parked, failing))
    }
}
