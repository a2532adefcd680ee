//! Erasures in MongoDB, and their sagas.

use crate::{
    domain::{
        Erasure, Receipt, State,
        definition::{SAGAS, Sagas, Step},
    },
    error::Error,
    events,
};
use ::store::{Aggregate, Change, ChangeError, Database, Documents, Found, Index, Time, Versioned, now};
use bson::{Bson, Document, doc};
use mongodb::Collection;
use saga::{Answer, Due, Recorded, Saga, SagaStore, Status, Whose};

impl Aggregate for Erasure {
    const COLLECTION: &'static str = "erasures";
    const NOUN: &'static str = "erasure";
}

pub fn indexes() -> [Index; 3] {
    [
        Index::new(Erasure::COLLECTION, doc! { "state": 1, "_id": -1 }),
        Index::new(Erasure::COLLECTION, doc! { "saga.peer": 1, "saga.wake_at": 1 }),
        Index::new(Erasure::COLLECTION, doc! { "saga.status": 1 }),
    ]
}

#[derive(Clone)]
pub struct Erasures {
    documents: Documents<Erasure>,
}

impl Erasures {
    pub fn new(database: &Database) -> Self {
        Self { documents: Documents::new(database) }
    }

    fn collection(&self) -> &Collection<Document> {
        self.documents.collection()
    }

    /// Starts the erasure of a user. None when it was started before.
    pub async fn start(&self, user_id: &str, owner: &str) -> Result<Option<Versioned<Erasure>>, Error> {
        let erasure = Erasure::start(owner, now());
        match self.documents.insert(user_id, erasure, vec![events::started(user_id)]).await {
            Ok(started) => Ok(Some(started)),
            Err(::store::Error::Duplicate) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub async fn get(&self, user_id: &str) -> Result<Versioned<Erasure>, Error> {
        self.documents.load(user_id).await?.ok_or_else(|| Error::NotFound(user_id.to_owned()))
    }

    /// Erasures after `after`, the newest account first; in one state, or in any.
    pub async fn list(
        &self,
        state: Option<State>,
        after: Option<String>,
        limit: i64,
    ) -> Result<Found<Versioned<Erasure>>, Error> {
        let mut filter = Document::new();
        filter.extend(state.map(|state| ("state".to_owned(), stored(&state))));
        filter.extend(after.map(|after| ("_id".to_owned(), doc! { "$lt": after }.into())));
        Ok(self.documents.page(filter, doc! { "_id": -1 }, limit).await?)
    }
}

fn stored(name: &impl serde::Serialize) -> Bson {
    bson::serialize_to_bson(name).expect("an enum without values is stored as its name")
}

fn change(old: &Versioned<Erasure>, state: Erasure) -> Change<Erasure> {
    Change { events: events::between(&old.id, &old.state, &state), state }
}

#[tonic::async_trait]
impl SagaStore for Erasures {
    type Item = Versioned<Erasure>;
    type Fact = Receipt;
    type Step = Step;
    type Error = Error;

    fn registry(&self) -> &'static Sagas {
        SAGAS
    }

    fn saga<'a>(&self, erasure: &'a Versioned<Erasure>) -> (&'a str, &'a Saga) {
        (&erasure.id, &erasure.state.saga)
    }

    async fn due(&self, due: Due) -> Result<Vec<Versioned<Erasure>>, Error> {
        let known = SAGAS.0.iter().map(|known| doc! { "saga.kind": known.kind, "saga.version": known.version });
        let known: Vec<Document> = known.collect();
        let mut filter = doc! { "saga.wake_at": { "$lte": due.until } };
        match due.whose {
            Whose::Peer(peer) => filter.extend(doc! { "saga.peer": peer, "$or": known }),
            Whose::Unknown => filter.extend(doc! { "saga.status": stored(&Status::Running), "$nor": known }),
        }
        let sort = doc! { "saga.wake_at": 1 };
        if due.skip > 0 {
            let found = self.collection().find(filter).sort(sort.clone()).skip(due.skip).limit(due.limit);
            let mut found = found.projection(doc! { "_id": 1 }).await.map_err(::store::Error::from)?;
            let mut ids = Vec::new();
            while found.advance().await.map_err(::store::Error::from)? {
                let id = found.deserialize_current().map_err(::store::Error::from)?;
                ids.extend(id.get("_id").cloned());
            }
            filter = doc! { "_id": { "$in": ids } };
        }
        Ok(self.documents.find_readable(filter, sort, due.limit).await?)
    }

    async fn next_wake(&self) -> Result<Option<Time>, Error> {
        let peers = Vec::from_iter(SAGAS.peers());
        let waking = doc! { "saga.peer": { "$in": peers }, "saga.wake_at": { "$type": "date" } };
        let next = self.collection().find_one(waking).sort(doc! { "saga.wake_at": 1 });
        let next = next.projection(doc! { "_id": 0, "saga.wake_at": 1 }).await.map_err(::store::Error::from)?;
        Ok(next.and_then(|erasure| erasure.get_document("saga").ok()?.get_datetime("wake_at").ok().copied()))
    }

    async fn claim(&self, erasure: &Versioned<Erasure>, owner: &str) -> Result<Option<Versioned<Erasure>>, Error> {
        let mut state = erasure.state.clone();
        state.saga.claim(SAGAS, owner, now());
        match self.documents.save(erasure, change(erasure, state)).await {
            Ok(claimed) => Ok(Some(claimed)),
            Err(::store::Error::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn with_facts(&self, mut erasure: Versioned<Erasure>, receipts: &[Receipt]) -> Versioned<Erasure> {
        erasure.state = erasure.state.with(receipts);
        erasure
    }

    async fn record(
        &self,
        erasure: Versioned<Erasure>,
        answers: Vec<Answer<Receipt>>,
    ) -> Result<Recorded<Versioned<Erasure>>, Error> {
        let (id, jitter, mut counted) = (erasure.id.clone(), rand::random(), false);
        let decide = |old: &Versioned<Erasure>| -> Result<_, Error> {
            let mut next = None;
            for answer in &answers {
                next = next.as_ref().unwrap_or(&old.state).record(answer, now(), jitter);
            }
            counted = next.is_some();
            Ok(next.map(|next| change(old, next)))
        };
        let changed = self.documents.change_found(erasure, None, decide).await;
        let item = changed.map_err(|error: ChangeError<Error>| error.or(|| Error::NotFound(id)))?;
        Ok(Recorded { item, counted })
    }

    async fn alarms(&self) -> Result<(u64, u64), Error> {
        let count = |filter| async { self.collection().count_documents(filter).await.map_err(::store::Error::from) };
        let parked = count(doc! { "saga.status": stored(&Status::Parked) }).await?;
        let alarmed = doc! { "saga.status": stored(&Status::Running), "saga.alarm_at": { "$ne": null } };
        Ok((parked, count(alarmed).await?))
    }
}
