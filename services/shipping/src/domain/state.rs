//! The states of a shipment and the table of legal moves. Pure.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Still in the warehouse.
    Created,
    Dispatched,
    Delivered,
    Cancelled,
    /// Given up by the carrier; it may still turn up.
    Lost,
    Returned,
}

impl State {
    /// The states in which a shipment may begin.
    pub const FIRST: [State; 2] = [State::Created, State::Cancelled];

    pub const fn next(self) -> &'static [State] {
        match self {
            State::Created => &[State::Dispatched, State::Cancelled],
            State::Dispatched => &[State::Lost, State::Delivered, State::Returned],
            State::Lost => &[State::Delivered, State::Returned],
            State::Delivered => &[State::Returned],
            State::Cancelled | State::Returned => &[],
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
            State::Returned => "returned",
        }
    }

    /// Whether the carrier has, or had, the parcel.
    pub const fn has_left(self) -> bool {
        match self {
            State::Dispatched | State::Delivered | State::Lost | State::Returned => true,
            State::Created | State::Cancelled => false,
        }
    }
}

/// A move that is not in the table of transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal transition from {from:?} to {to:?}")]
pub struct IllegalTransition {
    /// The state before; none for a new shipment.
    pub from: Option<State>,
    pub to: State,
}

/// Refuses what is not in the table; to stay in a state is always legal. `from` is none for a new shipment.
pub fn transition(from: Option<State>, to: State) -> Result<(), IllegalTransition> {
    let next = from.map_or(State::FIRST.as_slice(), State::next);
    if from == Some(to) || next.contains(&to) { Ok(()) } else { Err(IllegalTransition { from, to }) }
}
