//! The seam to a carrier, and the sandbox behind it, which lives in this process and never fails.

use crate::domain::{Label, Shipment};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// A carrier of parcels. A shipment's id is the key of its parcel: a repeated call does nothing and answers as before. Callers
/// set the deadline; a dropped call may have had its effect.
#[tonic::async_trait]
pub trait Carrier: Send + Sync {
    /// Its name in documents and events: `sandbox`.
    fn name(&self) -> &'static str;

    async fn book(&self, shipment_id: &str, shipment: &Shipment) -> Result<Label, Unreachable>;

    /// Calls off a parcel that was booked and will not be handed over; one that was never booked is called off already.
    async fn cancel(&self, shipment_id: &str) -> Result<(), Unreachable>;
}

/// A carrier that carries nothing: its tracking numbers follow from the shipment's id, so that it need not remember them.
pub struct Sandbox;

#[tonic::async_trait]
impl Carrier for Sandbox {
    fn name(&self) -> &'static str {
        "sandbox"
    }

    async fn book(&self, shipment_id: &str, _shipment: &Shipment) -> Result<Label, Unreachable> {
        let number = shipment_id.trim_start_matches("shp_").to_uppercase();
        Ok(Label { carrier: self.name().to_owned(), tracking_number: format!("SBX-{number}") })
    }

    async fn cancel(&self, _shipment_id: &str) -> Result<(), Unreachable> {
        Ok(())
    }
}
