//! What a shipment is and which moves it allows. Pure.

use crate::error::Error;
use ::store::Time;
use serde::{Deserialize, Serialize};

/// Where the goods are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Planned, still in the warehouse.
    Created,
    /// With the carrier.
    Dispatched,
    /// At the door.
    Delivered,
    /// Stopped before dispatch.
    Cancelled,
    /// Given up by the carrier.
    Lost,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] = [State::Created, State::Dispatched, State::Delivered, State::Cancelled, State::Lost];

    /// The states in which a shipment may begin.
    pub const FIRST: [State; 2] = [State::Created, State::Cancelled];

    /// The states that may follow.
    pub const fn next(self) -> &'static [State] {
        match self {
            State::Created => &[State::Dispatched, State::Cancelled],
            State::Dispatched => &[State::Delivered, State::Lost],
            State::Delivered | State::Cancelled | State::Lost => &[],
        }
    }

    /// The word in subjects: the state in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Dispatched => "dispatched",
            State::Delivered => "delivered",
            State::Cancelled => "cancelled",
            State::Lost => "lost",
        }
    }
}

/// Refuses what is not in the table; to stay in a state is always legal. `from` is none for a new shipment.
pub fn transition(from: Option<State>, to: State) -> Result<(), Error> {
    let next = from.map_or(State::FIRST.as_slice(), State::next);
    if from == Some(to) || next.contains(&to) { Ok(()) } else { Err(Error::IllegalTransition { from, to }) }
}

/// Units of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The product.
    pub product_id: String,
    /// Units.
    pub quantity: i32,
}

/// Where it goes. Personal data: not into events or logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Who receives.
    pub name: String,
    /// First line.
    pub line1: String,
    /// Second line.
    pub line2: String,
    /// City.
    pub city: String,
    /// Region, state or province.
    pub region: String,
    /// Postal code as written in its country.
    pub postal_code: String,
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

/// The order that a shipment serves, and its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The order.
    pub order_id: String,
    /// The user who receives.
    pub user_id: String,
}

/// What CreateShipment asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The order to serve.
    pub order: Order,
    /// What to send.
    pub lines: Vec<Line>,
    /// Where to.
    pub address: Address,
    /// Key of the saga step.
    pub step_key: String,
}

/// What can be asked of an existing shipment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Stop it before it leaves.
    Cancel,
    /// Hand it to the carrier.
    Dispatch,
    /// Record that it arrived.
    Deliver,
}

/// A shipment as it is stored. An absent address is stored as null: a write sets fields and removes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The order that it serves.
    pub order_id: String,
    /// The user who receives.
    pub user_id: String,
    /// Where the goods are.
    pub state: State,
    /// What is in it; empty when it was cancelled before it was planned.
    pub lines: Vec<Line>,
    /// Where it goes; none when it was cancelled before it was planned.
    pub address: Option<Address>,
    /// Keys of the saga steps that changed this shipment.
    pub step_keys: Vec<String>,
    /// When it was planned.
    pub created_at: Time,
    /// When it last changed.
    pub updated_at: Time,
}

impl Shipment {
    /// A new shipment.
    pub fn create(plan: Plan, now: Time) -> Self {
        let Plan { order, lines, address, step_key } = plan;
        Self { lines, address: Some(address), ..Self::blank(order, State::Created, step_key, now) }
    }

    /// The mark of a cancellation that came before its shipment.
    pub fn cancelled(order: Order, step_key: String, now: Time) -> Self {
        Self::blank(order, State::Cancelled, step_key, now)
    }

    fn blank(order: Order, state: State, step_key: String, now: Time) -> Self {
        let Order { order_id, user_id } = order;
        let (lines, address, step_keys) = (Vec::new(), None, vec![step_key]);
        Self { order_id, user_id, state, lines, address, step_keys, created_at: now, updated_at: now }
    }

    /// Refuses a request that names another order or user.
    pub fn belongs_to(&self, order: &Order) -> Result<(), Error> {
        if self.order_id == order.order_id && self.user_id == order.user_id { Ok(()) } else { Err(Error::Mismatch) }
    }

    /// Whether this shipment can answer a repeated CreateShipment.
    pub fn repeats(&self, order: &Order) -> Result<(), Error> {
        self.belongs_to(order)?;
        if self.state == State::Cancelled { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The shipment after `command`; `None` when that has happened before.
    pub fn decide(&self, command: Command, step_key: &str, now: Time) -> Result<Option<Self>, Error> {
        let Some(state) = self.target(command)? else { return Ok(None) };
        transition(Some(self.state), state)?;
        let mut next = Self { state, updated_at: now, ..self.clone() };
        if !step_key.is_empty() && !self.step_keys.iter().any(|known| known == step_key) {
            next.step_keys.push(step_key.to_owned());
        }
        Ok(Some(next))
    }

    fn target(&self, command: Command) -> Result<Option<State>, Error> {
        match (command, self.state) {
            (Command::Cancel, State::Created) => Ok(Some(State::Cancelled)),
            (Command::Cancel, State::Cancelled) => Ok(None),
            (Command::Cancel, State::Dispatched | State::Delivered | State::Lost) => Err(Error::Dispatched),
            (Command::Dispatch, State::Created) => Ok(Some(State::Dispatched)),
            (Command::Dispatch, State::Dispatched | State::Delivered | State::Lost) => Ok(None),
            (Command::Deliver, State::Created) => Err(Error::NotDispatched),
            (Command::Deliver, State::Dispatched) => Ok(Some(State::Delivered)),
            (Command::Deliver, State::Delivered) => Ok(None),
            (Command::Deliver, State::Lost) => Err(Error::Lost),
            (Command::Dispatch | Command::Deliver, State::Cancelled) => Err(Error::Cancelled),
        }
    }
}
