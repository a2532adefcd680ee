//! The states of an order and the table of legal moves. Pure.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    Pending,
    /// Stock is sold to it and payment authorized.
    Confirmed,
    Shipped,
    Delivered,
    Rejected,
    Cancelling,
    Cancelled,
}

impl State {
    pub const ALL: [State; 7] = [
        State::Pending,
        State::Confirmed,
        State::Shipped,
        State::Delivered,
        State::Rejected,
        State::Cancelling,
        State::Cancelled,
    ];

    /// Whether the table of states allows `self` → `next`.
    pub fn allows(self, next: State) -> bool {
        match self {
            State::Pending => matches!(next, State::Confirmed | State::Rejected | State::Cancelling),
            State::Confirmed => matches!(next, State::Shipped | State::Cancelling),
            State::Shipped => next == State::Delivered,
            State::Cancelling => matches!(next, State::Cancelled | State::Confirmed),
            State::Delivered | State::Rejected | State::Cancelled => false,
        }
    }

    pub fn is_final(self) -> bool {
        matches!(self, State::Delivered | State::Rejected | State::Cancelled)
    }

    /// Whether its customer knows what came of it: it is not on its way to an answer.
    pub fn is_decided(self) -> bool {
        !matches!(self, State::Pending | State::Cancelling)
    }
}
