//! An order whose user has closed the account: the person goes, what was bought and paid stays. Pure.

use super::{Address, Order, State, UserSnapshot};
use crate::sagas::definitions::Purpose;
use ::store::Time;
use contracts::shipping::v1::shipment::State as ShipmentState;

impl Order {
    /// Whether nothing is in it that tells who its user was.
    pub fn is_erased(&self) -> bool {
        self.user.email.is_empty() && self.address.line1.is_empty()
    }

    /// Without its user, and without its address once nothing is to be sent there any more. None when there is nothing to erase
    /// now. The country stays, which its taxes follow from.
    pub fn erased(&self, now: Time) -> Option<Self> {
        let mut next = self.clone();
        next.user = UserSnapshot { name: String::new(), email: String::new() };
        if !self.needs_address() {
            next.address = without_person(&self.address);
            next.request_digest = String::new();
        }
        // Whoever gave a reason in their own words may have named somebody.
        next.reason = code(&self.reason);
        next.history.iter_mut().for_each(|transition| transition.reason = code(&transition.reason));
        next.cancellation.iter_mut().for_each(|cancellation| cancellation.reason = code(&cancellation.reason));
        next.refunds.iter_mut().for_each(|refund| refund.reason.clear());
        (next != *self).then_some(Self { updated_at: now, ..next })
    }

    /// Whether a shipment is yet to be made, or has not come to its end.
    fn needs_address(&self) -> bool {
        // A saga of a newer build may be one that ships.
        let may_ship = matches!(Purpose::of(&self.saga), Some(Purpose::Place) | None) && !self.saga.has_ended();
        let has_arrived =
            matches!(self.shipment_state, ShipmentState::Delivered | ShipmentState::Lost | ShipmentState::Returned);
        may_ship || !(self.state.is_final() || self.state == State::Shipped && has_arrived)
    }
}

fn without_person(address: &Address) -> Address {
    Address {
        name: String::new(),
        line1: String::new(),
        line2: String::new(),
        city: String::new(),
        region: String::new(),
        postal_code: String::new(),
        country_code: address.country_code.clone(),
    }
}

/// A reason as others than its user and staff see it: as a code, whatever the words are.
pub fn code(reason: &str) -> String {
    let is_code = reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if is_code { reason.to_owned() } else { "CANCELLED".to_owned() }
}
