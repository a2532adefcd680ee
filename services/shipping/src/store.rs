//! Shipments in MongoDB.

use crate::{
    domain::{self, Command, Label, NewShipment, Order, Shipment, SplitRequest, SplitResult, State, TrackingEvent},
    error::Error,
    events,
};
use ::saga::StepCall;
use ::store::{Aggregate, Change, Database, Documents, Erased, Index, Transaction, Versioned, now, transaction::retry};
use bson::doc;

/// How often a split is decided again when others write in between: a shipment is split by hand, and its order's saga
/// writes it a few times.
const ATTEMPTS: u32 = 8;

/// Most shipments of an order, for cancelling reads all of them; splits that run side by side may exceed it by a few.
const MAX_OF_ORDER: u64 = 100;

/// Shipments in one read of an order: more than [`MAX_OF_ORDER`] with what may exceed it, so that one read has them all.
const READ_LIMIT: i64 = 1_000;

impl Aggregate for Shipment {
    const COLLECTION: &'static str = "shipments";
    const NOUN: &'static str = "shipment";
}

pub fn indexes() -> [Index; 2] {
    [
        Index::new(Shipment::COLLECTION, doc! { "order_id": 1 }),
        Index::new(Shipment::COLLECTION, doc! { "user_id": 1, "_id": 1 }),
    ]
}

#[derive(Clone)]
pub struct Shipments {
    documents: Documents<Shipment>,
    database: Database,
}

impl Shipments {
    pub fn new(database: &Database) -> Self {
        Self { documents: Documents::new(database), database: database.clone() }
    }

    pub async fn get(&self, id: &str) -> Result<Versioned<Shipment>, Error> {
        self.documents.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
    }

    /// Stores a new shipment, or finds the one that the same request made before.
    pub async fn create(&self, id: &str, new: NewShipment) -> Result<Versioned<Shipment>, Error> {
        // The customer knows of the order already, and nobody waits for its shipment.
        match insert(&self.documents.deferred(), id, Shipment::create(new.clone(), now())).await {
            Err(Error::Store(::store::Error::Duplicate)) => {
                let found = self.get(id).await?;
                found.state.repeats(&new)?;
                Ok(found)
            }
            stored => stored,
        }
    }

    /// Stops all shipments of the order of `id`, or marks that one as cancelled when it does not exist. Refused, and nothing
    /// is stopped, when one of them has left; refused too when one leaves meanwhile, and the order goes on with that one.
    pub async fn cancel(&self, id: &str, order: Order, call: &StepCall) -> Result<Versioned<Shipment>, Error> {
        let of_order = doc! { "order_id": &order.order_id };
        let all = self.documents.find(of_order.clone(), doc! {}, READ_LIMIT).await?;
        if all.iter().any(|shipment| shipment.state.state.has_left()) {
            return Err(domain::Error::Dispatched.into());
        }
        let named = self.cancel_one(id, order, call).await?;
        // A split that runs meanwhile adds a shipment, which the next read finds. A cancelled shipment cannot be split, and an
        // order has a bounded number of shipments, so the loop ends.
        let mut waiting = of_order;
        waiting.insert("state", bson::serialize_to_bson(&State::Created).map_err(::store::Error::from)?);
        loop {
            let left = self.documents.find(waiting.clone(), doc! {}, READ_LIMIT).await?;
            if left.is_empty() {
                return Ok(named);
            }
            for shipment in left {
                self.change(&shipment.id, Command::Cancel, Some(call)).await?;
            }
        }
    }

    async fn cancel_one(&self, id: &str, order: Order, call: &StepCall) -> Result<Versioned<Shipment>, Error> {
        if let Some(found) = self.documents.load(id).await? {
            found.state.belongs_to(&order)?;
            return self.change(id, Command::Cancel, Some(call)).await;
        }
        match insert(&self.documents, id, Shipment::cancelled(order.clone(), call, now())).await {
            Err(Error::Store(::store::Error::Duplicate)) => {
                self.get(id).await?.state.belongs_to(&order)?;
                self.change(id, Command::Cancel, Some(call)).await
            }
            marked => marked,
        }
    }

    pub async fn change(
        &self,
        id: &str,
        command: Command,
        call: Option<&StepCall>,
    ) -> Result<Versioned<Shipment>, Error> {
        self.change_with(id, command, call, None).await
    }

    /// Hands a shipment to the carrier, who has given it `label`.
    pub async fn dispatch(&self, id: &str, label: &Label) -> Result<Versioned<Shipment>, Error> {
        self.change_with(id, Command::Dispatch, None, Some(label)).await
    }

    async fn change_with(
        &self,
        id: &str,
        command: Command,
        call: Option<&StepCall>,
        label: Option<&Label>,
    ) -> Result<Versioned<Shipment>, Error> {
        crash_at(command, "writing");
        let decide = |old: &Shipment| {
            let next = old.decide(command, call, now())?;
            Ok(next.map(|next| (vec![next.state], Shipment { label: label.cloned().or(next.label), ..next })))
        };
        let changed = self.write(id, decide).await;
        crash_at(command, "written");
        changed
    }

    pub async fn track(&self, id: &str, event: &TrackingEvent, label: &Label) -> Result<Versioned<Shipment>, Error> {
        let decide = |old: &Shipment| {
            let tracked = old.track(event.clone(), label.clone(), now())?;
            Ok(tracked.map(|(next, path)| (path, next)))
        };
        self.write(id, decide).await
    }

    /// Writes the shipment that `decide` returns, with an event for each state of its path.
    async fn write(
        &self,
        id: &str,
        mut decide: impl FnMut(&Shipment) -> Result<Option<(Vec<State>, Shipment)>, domain::Error>,
    ) -> Result<Versioned<Shipment>, Error> {
        let changed = self.documents.change(id, |old| -> Result<_, domain::Error> {
            let Some((path, state)) = decide(&old.state)? else { return Ok(None) };
            let events = events::moved(id, Some(old.state.state), &path, &state);
            Ok(Some(Change { state, events }))
        });
        changed.await.map_err(|error| error.or(|| Error::NotFound(id.to_owned())))
    }

    /// Takes the addresses out of a user's shipments that have come to their end.
    pub async fn erase(&self, user_id: &str) -> Result<Erased, Error> {
        let kept = doc! { "user_id": user_id, "address.line1": { "$gt": "" } };
        let erase = |old: &Versioned<Shipment>| Some(Change { state: old.state.erased(now())?, events: Vec::new() });
        Ok(self.documents.erase(kept, erase).await?)
    }

    /// Splits a shipment, or finds what the same request made before: the shipment, and the new one.
    pub async fn split(
        &self,
        id: &str,
        request: SplitRequest,
    ) -> Result<(Versioned<Shipment>, Versioned<Shipment>), Error> {
        let is_conflict = |error: &Error| matches!(error, Error::Store(::store::Error::Conflict));
        retry(ATTEMPTS, is_conflict, || self.split_once(id, request.clone())).await
    }

    async fn split_once(
        &self,
        id: &str,
        request: SplitRequest,
    ) -> Result<(Versioned<Shipment>, Versioned<Shipment>), Error> {
        let (old, off_id) = (self.get(id).await?, request.shipment_id.clone());
        let (left, off) = match old.state.split(id, request, now())? {
            SplitResult::Repeated(other) => return Ok((old, self.get(&other).await?)),
            SplitResult::Split { rest, off } => (*rest, *off),
        };
        let of_order = doc! { "order_id": &old.state.order_id };
        let shipments = self.documents.collection().count_documents(of_order).await.map_err(::store::Error::from)?;
        if shipments >= MAX_OF_ORDER {
            return Err(Error::TooManyShipments);
        }
        let created = events::moved(&off_id, None, &[off.state], &off);
        let events = vec![events::split(&old.id, &left, &off_id, &off)];
        // Both shipments are one write: at no moment is a unit in none of them, or in both.
        let mut transaction = Transaction::new(&self.database);
        let left = transaction.update(&self.documents, &old, Change { state: left, events }).await?;
        let off = transaction.insert(&self.documents, &off_id, off, created)?;
        transaction.commit("shipping.split").await?;
        Ok((left, off))
    }
}

async fn insert(documents: &Documents<Shipment>, id: &str, shipment: Shipment) -> Result<Versioned<Shipment>, Error> {
    let events = events::moved(id, None, &[shipment.state], &shipment);
    telemetry::crash_point("shipping.create.writing");
    let inserted = documents.insert(id, shipment, events).await;
    telemetry::crash_point("shipping.create.written");
    Ok(inserted?)
}

/// Where a test kills this process: `shipping.dispatch.written`. Release builds have none of this.
fn crash_at(command: Command, moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("shipping.{command:?}.{moment}").to_lowercase());
    }
}
