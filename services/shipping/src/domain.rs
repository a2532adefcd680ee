//! What a shipment is and which moves it allows. Pure.

mod erasure;
mod error;
mod split;
mod state;
#[cfg(test)]
mod tests;
mod tracking;

pub use error::Error;
pub use split::{SplitRequest, SplitResult};
pub use state::{State, transition};

use ::saga::{StepCall, StepCalls};
use ::store::Time;
use contracts::address::Address;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub product_id: String,
    pub quantity: i32,
}

/// The order that a shipment serves, and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub order_id: String,
    pub user_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewShipment {
    pub order: Order,
    pub lines: Vec<Line>,
    pub address: Address,
    pub call: StepCall,
}

/// What can be asked of an existing shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Cancel,
    Dispatch,
    Deliver,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    pub request_id: String,
    pub shipment_id: String,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub carrier: String,
    pub tracking_number: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TrackingKind {
    InTransit,
    Delivered,
    /// The carrier has given the parcel up; it may still turn up.
    Lost,
    Returned,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingEvent {
    pub carrier: String,
    pub event_id: String,
    pub kind: TrackingKind,
    pub at: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    pub order_id: String,
    pub user_id: String,
    pub state: State,
    /// Empty when the shipment was cancelled before it was created.
    pub lines: Vec<Line>,
    /// The lines at its creation, before any split; empty in shipments that are older than splits.
    #[serde(default)]
    pub planned: Vec<Line>,
    /// The shipment from which this one was split off.
    #[serde(default)]
    pub split_from: Option<String>,
    #[serde(default)]
    pub splits: Vec<Split>,
    #[serde(default)]
    pub label: Option<Label>,
    /// The events of the carrier, in the order in which they came.
    #[serde(default, rename = "news")]
    pub tracking_events: Vec<TrackingEvent>,
    /// None when the shipment was cancelled before it was created.
    pub address: Option<Address>,
    #[serde(default, rename = "callers")]
    pub calls: StepCalls,
    pub created_at: Time,
    pub updated_at: Time,
}

impl Shipment {
    pub fn create(request: NewShipment, now: Time) -> Self {
        let NewShipment { order, lines, address, call } = request;
        let planned = lines.clone();
        Self { lines, planned, address: Some(address), ..Self::blank(order, State::Created, &call, now) }
    }

    /// The mark of a cancellation that came before its shipment.
    pub fn cancelled(order: Order, call: &StepCall, now: Time) -> Self {
        Self::blank(order, State::Cancelled, call, now)
    }

    fn blank(order: Order, state: State, call: &StepCall, now: Time) -> Self {
        let Order { order_id, user_id } = order;
        Self {
            order_id,
            user_id,
            state,
            lines: Vec::new(),
            planned: Vec::new(),
            split_from: None,
            splits: Vec::new(),
            label: None,
            tracking_events: Vec::new(),
            address: None,
            calls: StepCalls::default().with(call),
            created_at: now,
            updated_at: now,
        }
    }

    /// Refuses a request that names another order or user.
    pub fn belongs_to(&self, order: &Order) -> Result<(), Error> {
        if self.order_id == order.order_id && self.user_id == order.user_id { Ok(()) } else { Err(Error::Mismatch) }
    }

    /// Whether this shipment is the answer to `request`, which was sent before.
    pub fn repeats(&self, request: &NewShipment) -> Result<(), Error> {
        self.belongs_to(&request.order)?;
        self.calls.admit(&request.call)?;
        if self.state == State::Cancelled {
            return Err(Error::Cancelled);
        }
        // A split takes lines away, and the repeat of the creation still names all of them.
        let planned = if self.planned.is_empty() { &self.lines } else { &self.planned };
        // An address that is erased was that of any request.
        let is_erased = self.address.as_ref().is_some_and(Address::is_erased);
        let is_same = *planned == request.lines && (is_erased || self.address.as_ref() == Some(&request.address));
        if is_same { Ok(()) } else { Err(Error::Mismatch) }
    }

    /// The shipment after `command`; `None` when that has happened before. Carriers and staff have no `call`.
    pub fn decide(&self, command: Command, call: Option<&StepCall>, now: Time) -> Result<Option<Self>, Error> {
        if let Some(call) = call {
            self.calls.admit(call)?;
        }
        let Some(state) = self.target(command)? else { return Ok(None) };
        transition(Some(self.state), state)?;
        let mut next = Self { state, updated_at: now, ..self.clone() };
        if let Some(call) = call {
            next.calls = next.calls.with(call);
        }
        Ok(Some(next))
    }

    fn target(&self, command: Command) -> Result<Option<State>, Error> {
        match (command, self.state) {
            (Command::Cancel, State::Created) => Ok(Some(State::Cancelled)),
            (Command::Cancel, State::Cancelled) => Ok(None),
            (Command::Cancel, State::Dispatched | State::Delivered | State::Lost | State::Returned) => {
                Err(Error::Dispatched)
            }
            (Command::Dispatch, State::Created) => Ok(Some(State::Dispatched)),
            (Command::Dispatch, State::Dispatched | State::Delivered | State::Lost | State::Returned) => Ok(None),
            (Command::Deliver, State::Created) => Err(Error::NotDispatched),
            (Command::Deliver, State::Dispatched | State::Lost) => Ok(Some(State::Delivered)),
            (Command::Deliver, State::Delivered) => Ok(None),
            (Command::Deliver, State::Returned) => Err(Error::Returned),
            (Command::Dispatch | Command::Deliver, State::Cancelled) => Err(Error::Cancelled),
        }
    }
}
