//! What needs the carrier: its label is booked before the write that hands a shipment over.
//!
//! A crash in between leaves a booked parcel that nobody hands over; the repeat is given the same label.

use crate::{
    carrier::Carrier,
    domain::{self, Command, Label, News, Shipment, State},
    error::Error,
    store::Shipments,
};
use ::store::Versioned;
use std::{sync::Arc, time::Duration};

/// Longest wait for the carrier's answer.
const CARRIER_TIMEOUT: Duration = Duration::from_secs(4);

/// Moves shipments that a carrier has, or is to have.
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
            && let Err(silent) = self.carrier.cancel(id).await
        {
            tracing::warn!(shipment = id, %silent, "a parcel that will not be handed over could not be called off");
        }
        dispatched
    }

    /// Takes down what the carrier tells.
    pub async fn hear(&self, id: &str, news: News) -> Result<Versioned<Shipment>, Error> {
        let found = self.shipments.get(id).await?;
        let label = self.label(&found).await?;
        let heard = self.shipments.hear(id, &news, &label).await?;
        if heard.state.state == State::Cancelled {
            tracing::error!(shipment = id, "the carrier has a parcel of a shipment that was cancelled");
        }
        Ok(heard)
    }

    /// The label that a shipment has, or is given.
    async fn label(&self, found: &Versioned<Shipment>) -> Result<Label, Error> {
        if let Some(label) = &found.state.label {
            return Ok(label.clone());
        }
        let booked = tokio::time::timeout(CARRIER_TIMEOUT, self.carrier.book(&found.id, &found.state)).await;
        let late = |_| Error::CarrierSilent("no answer in time".to_owned());
        booked.map_err(late)?.map_err(|silent| Error::CarrierSilent(silent.0))
    }
}
