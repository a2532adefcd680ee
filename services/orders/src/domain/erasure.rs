//! An order whose user has closed the account: the person goes, what was bought and paid stays. Pure.

use super::{Order, State, UserSnapshot, shipments::STOPPED};
use crate::sagas::definitions::Purpose;
use ::store::Time;
use contracts::shipping::v1::shipment::State as ShipmentState;

impl Order {
    /// Whether nothing is in it that tells who its user was.
    pub fn is_erased(&self) -> bool {
        self.user.email.is_empty() && self.address.is_erased()
    }

    /// Without its user, and without its address once nothing is to be sent there any more. None when there is nothing to erase
    /// now. The country stays, which its taxes follow from.
    pub fn erased(&self, now: Time) -> Option<Self> {
        let mut next = self.clone();
        next.user = UserSnapshot { name: String::new(), email: String::new() };
        if !self.needs_address() {
            next.address = self.address.erased();
            next.request_digest = String::new();
        }
        // Whoever gave a reason in their own words may have named somebody.
        next.reason = code(self.state, &self.reason);
        next.history.iter_mut().for_each(|transition| transition.reason = code(transition.to, &transition.reason));
        if let Some(cancellation) = &mut next.cancellation {
            cancellation.reason = code(State::Cancelling, &cancellation.reason);
        }
        for refund in &mut next.refunds {
            refund.reason.clear();
            // It is made of the request, whose reason could be guessed and tried.
            refund.digest.clear();
        }
        next.saga.interventions.iter_mut().for_each(|intervention| intervention.reason.clear());
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

/// The reason of an order in `state`, or of its move there, as others than its user and staff see it: a code, whatever the
/// words are. Whoever cancels gives a reason in their own words, which may look like a code; services gave the others.
pub fn code(state: State, reason: &str) -> String {
    let is_code = match state {
        State::Cancelling | State::Cancelled => reason == STOPPED,
        _ => reason.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_'),
    };
    if is_code { reason.to_owned() } else { "CANCELLED".to_owned() }
}
