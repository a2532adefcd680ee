//! Shipments in MongoDB.

use crate::{
    convert,
    domain::{Command, Order, Plan, Shipment},
    error::Error,
};
use ::saga::Caller;
use ::store::{Aggregate, Change, ChangeError, Database, Documents, Versioned, now};

impl Aggregate for Shipment {
    const COLLECTION: &'static str = "shipments";
    const NOUN: &'static str = "shipment";
}

/// The shipments.
pub struct Shipments(Documents<Shipment>);

impl Shipments {
    /// Shipments of this database.
    pub fn new(database: &Database) -> Self {
        Self(Documents::new(database))
    }

    /// One shipment.
    pub async fn get(&self, id: &str) -> Result<Versioned<Shipment>, Error> {
        self.0.load(id).await?.ok_or_else(|| Error::NotFound(id.to_owned()))
    }

    /// Stores a new shipment, or finds the one that the same request made before.
    pub async fn create(&self, id: &str, plan: Plan) -> Result<Versioned<Shipment>, Error> {
        match self.insert(id, Shipment::create(plan.clone(), now())).await {
            Err(Error::Store(::store::Error::Duplicate)) => {
                let found = self.get(id).await?;
                found.state.repeats(&plan)?;
                Ok(found)
            }
            stored => stored,
        }
    }

    /// Stops a shipment, or marks one that does not exist as cancelled.
    pub async fn cancel(&self, id: &str, order: Order, caller: &Caller) -> Result<Versioned<Shipment>, Error> {
        if let Some(found) = self.0.load(id).await? {
            found.state.belongs_to(&order)?;
            return self.change(id, Command::Cancel, Some(caller)).await;
        }
        match self.insert(id, Shipment::cancelled(order.clone(), caller, now())).await {
            Err(Error::Store(::store::Error::Duplicate)) => {
                self.get(id).await?.state.belongs_to(&order)?;
                self.change(id, Command::Cancel, Some(caller)).await
            }
            marked => marked,
        }
    }

    /// Moves a shipment by `command`.
    pub async fn change(
        &self,
        id: &str,
        command: Command,
        caller: Option<&Caller>,
    ) -> Result<Versioned<Shipment>, Error> {
        crash_at(command, "writing");
        let changed = self.0.change(id, |old| -> Result<_, Error> {
            let Some(state) = old.state.decide(command, caller, now())? else { return Ok(None) };
            let events = convert::changed(id, Some(&old.state), &state);
            Ok(Some(Change { state, events }))
        });
        let changed = changed.await;
        crash_at(command, "written");
        changed.map_err(|error| match error {
            ChangeError::NotFound => Error::NotFound(id.to_owned()),
            ChangeError::Refused(refusal) => refusal,
            ChangeError::Store(cause) => cause.into(),
        })
    }

    async fn insert(&self, id: &str, shipment: Shipment) -> Result<Versioned<Shipment>, Error> {
        let events = convert::changed(id, None, &shipment);
        telemetry::crash_point("shipping.create.writing");
        let inserted = self.0.insert(id, shipment, events).await;
        telemetry::crash_point("shipping.create.written");
        Ok(inserted?)
    }
}

/// Where a test kills this process: `shipping.dispatch.written`. Release builds have none of this.
fn crash_at(command: Command, moment: &str) {
    if cfg!(debug_assertions) {
        telemetry::crash_point(&format!("shipping.{command:?}.{moment}").to_lowercase());
    }
}
