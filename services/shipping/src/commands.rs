//! Use cases that need the carrier: its label is booked before the write that hands a shipment over.
//!
//! A crash in between leaves a booked parcel that nobody hands over; the repeat is given the same label.

use crate::{
    carrier::Carrier,
    domain::{self, Command, Label, Shipment, State, TrackingEvent},
    error::Error,
    store::Shipments,
};
use ::store::Versioned;
use std::{sync::Arc, time::Duration};

/// Longest wait for the carrier's answer: shorter than the deadline of a request, so that the caller learns why.
const CARRIER_TIMEOUT: Duration = Duration::from_secs(4);

#[derive(Clone)]
pub struct Commands {
    pub shipments: Shipments,
    pub carrier: Arc<dyn Carrier>,
}

impl Commands {
    pub async fn dispatch(&self, id: &str) -> Result<Versioned<Shipment>, Error> {
        let found = self.shipments.get(id).await?;
        if found.state.state != State::Created {
            return self.shipments.change(id, Command::Dispatch, None).await;
        }
        let label = self.label(&found).await?;
        let dispatched = self.shipments.dispatch(id, &label).await;
        if let Err(Error::Refused(domain::Error::Cancelled)) = dispatched
            // The shipment was cancelled while the parcel was booked. A crash here leaves the parcel booked.
            && let Err(error) = self.carrier.cancel(id).await
        {
            tracing::warn!(shipment = id, %error, "a parcel that will not be handed over could not be called off");
        }
        dispatched
    }

    pub async fn track(&self, id: &str, event: TrackingEvent) -> Result<Versioned<Shipment>, Error> {
        let found = self.shipments.get(id).await?;
        let label = self.label(&found).await?;
        let tracked = self.shipments.track(id, &event, &label).await?;
        if tracked.state.state == State::Cancelled {
            tracing::error!(shipment = id, "the carrier has a parcel of a shipment that was cancelled");
        }
        Ok(tracked)
    }

    /// The label of a shipment; booked at the carrier when there is none yet.
    async fn label(&self, found: &Versioned<Shipment>) -> Result<Label, Error> {
        if let Some(label) = &found.state.label {
            return Ok(label.clone());
        }
        let booked = tokio::time::timeout(CARRIER_TIMEOUT, self.carrier.book(&found.id, &found.state)).await;
        let late = |_| Error::CarrierUnavailable("no answer in time".to_owned());
        booked.map_err(late)?.map_err(|error| Error::CarrierUnavailable(error.0))
    }
}
