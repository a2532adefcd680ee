//! Finds, claims and moves the sagas of stored orders.

use crate::{
    domain::{Fact, Order, State},
    error::Error,
    sagas::definitions::{Definition, Purpose, Sagas, Step},
    store::{Orders, change},
};
use ::store::{Found, Time, Versioned, now};
use bson::{Bson, Document, doc};
use futures::TryStreamExt;
use saga::{Answer, Due, Recorded, Saga, SagaStore, Status, Whose};

/// Which sagas are listed. What is `None` matches all of them.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub kind: Option<String>,
    pub status: Option<Status>,
    pub step: Option<String>,
    /// Part of the last error of the current step.
    pub error: Option<String>,
    pub started_by: Option<Time>,
}

impl Filter {
    /// The query. Text is compared as it is; nothing of a request becomes an operator or a pattern.
    fn query(&self) -> Document {
        let mut query = Document::new();
        query.extend(self.kind.as_ref().map(|kind| ("saga.kind".to_owned(), kind.into())));
        query.extend(self.status.map(|status| ("saga.status".to_owned(), stored(status))));
        query.extend(self.started_by.map(|at| ("saga.started_at".to_owned(), doc! { "$lte": at }.into())));
        let step = self.step.as_ref().map(|step| doc! { "$eq": ["$$current.name", { "$literal": step }] });
        let error = self.error.as_ref().map(|error| {
            let last = doc! { "$ifNull": ["$$current.error", ""] };
            doc! { "$gte": [{ "$indexOfCP": [last, { "$literal": error }] }, 0] }
        });
        let conditions: Vec<Document> = step.into_iter().chain(error).collect();
        if !conditions.is_empty() {
            let current = doc! { "$arrayElemAt": ["$saga.steps", "$saga.step"] };
            query.insert("$expr", doc! { "$let": { "vars": { "current": current }, "in": { "$and": conditions } } });
        }
        query
    }
}

fn stored(status: Status) -> Bson {
    bson::serialize_to_bson(&status).expect("a status is stored as its name")
}

fn is_live() -> Document {
    doc! { "$in": [stored(Status::Running), stored(Status::Compensating)] }
}

impl Orders {
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
        filter: &Filter,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Versioned<Order>>, Error> {
        let mut query = filter.query();
        if let Some(after) = after {
            query.insert("_id", doc! { "$lt": after });
        }
        Ok(self.documents.page(query, doc! { "_id": -1 }, limit).await?)
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
            // A saga of a definition that this build does not know stays with replicas that do.
            Whose::Peer(peer) => filter.extend(doc! { "saga.peer": peer, "$or": known }),
            // Few are live at any time; the index finds those.
            Whose::Unknown => filter.extend(doc! { "saga.status": is_live(), "$nor": known }),
        }
        let sort = doc! { "saga.wake_at": 1 };
        if due.skip > 0 {
            filter = doc! { "_id": { "$in": self.ids_behind(filter, sort.clone(), &due).await? } };
        }
        Ok(self.documents.find_readable(filter, sort, due.limit).await?)
    }

    async fn next_wake(&self) -> Result<Option<Time>, Error> {
        let peers =
            doc! { "saga.peer": { "$in": Vec::from_iter(self.sagas.peers()) }, "saga.wake_at": { "$type": "date" } };
        let next = self.collection().find_one(peers).sort(doc! { "saga.wake_at": 1 });
        let next = next.projection(doc! { "_id": 0, "saga.wake_at": 1 }).await.map_err(::store::Error::from)?;
        Ok(next.and_then(|order| order.get_document("saga").ok()?.get_datetime("wake_at").ok().copied()))
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

    fn with_facts(&self, mut order: Versioned<Order>, facts: &[Fact]) -> Versioned<Order> {
        order.state.apply(facts);
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
        // The answers are decided on the newest version: events of shipping may have changed the order during the
        // call.
        let orders = if is_known_to_the_customer(&order.state) { &self.deferred() } else { self };
        let (item, counted) = orders.change(order, None, record).await?;
        Ok(Recorded { item, counted })
    }

    async fn alarms(&self) -> Result<(u64, u64), Error> {
        let count = |filter| async { self.collection().count_documents(filter).await.map_err(::store::Error::from) };
        let parked = count(doc! { "saga.status": stored(Status::Parked) }).await?;
        let failing = count(doc! { "saga.status": is_live(), "saga.alarm_at": { "$ne": null } }).await?;
        Ok((parked, failing))
    }
}

/// Whether the customer has the answer: what is left of placing the order is for the warehouse.
fn is_known_to_the_customer(order: &Order) -> bool {
    order.state == State::Confirmed && Purpose::of(&order.saga) == Some(Purpose::Place)
}
