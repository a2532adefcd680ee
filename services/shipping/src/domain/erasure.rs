//! A shipment whose recipient has closed the account. Pure.

use super::{Shipment, State};
use ::store::Time;

impl Shipment {
    /// Without its address, but for the country. None when it has none, or still needs it.
    pub fn erased(&self, now: Time) -> Option<Self> {
        let address = self.address.as_ref().filter(|address| !address.is_erased())?;
        let is_over = matches!(self.state, State::Delivered | State::Cancelled | State::Lost | State::Returned);
        is_over.then(|| Self { address: Some(address.erased()), updated_at: now, ..self.clone() })
    }
}
