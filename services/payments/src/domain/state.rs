//! The states of a payment and the table of legal moves. Pure.

use serde::{Deserialize, Serialize};

/// Where the money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Recorded; the provider has not been asked.
    Created,
    /// The provider is being asked.
    Authorizing,
    /// The amount is set aside.
    Authorized,
    /// The amount is taken.
    Captured,
    /// The amount was given back after capture.
    Refunded,
    /// The provider refused, or the payer gave up.
    Declined,
    /// The authorization was given back, or cancelled before it was made.
    Voided,
    /// The payer must act at the provider.
    ActionRequired,
    /// The provider did not answer; it is asked again under the same key.
    Unknown,
}

impl State {
    /// The states in which a payment may begin.
    pub const FIRST: [State; 3] = [State::Created, State::Authorizing, State::Voided];

    pub const fn next(self) -> &'static [State] {
        use State::*;
        match self {
            Created => &[Authorizing, Voided],
            Authorizing => &[Authorized, Declined, ActionRequired, Unknown],
            Unknown => &[Authorized, Declined, ActionRequired],
            ActionRequired => &[Authorized, Declined, Voided],
            Authorized => &[Captured, Voided],
            Captured => &[Refunded],
            Refunded | Declined | Voided => &[],
        }
    }

    /// The word in subjects: the state in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Authorizing => "authorizing",
            State::Authorized => "authorized",
            State::Captured => "captured",
            State::Refunded => "refunded",
            State::Declined => "declined",
            State::Voided => "voided",
            State::ActionRequired => "action_required",
            State::Unknown => "unknown",
        }
    }
}

/// A move that is not in the table of transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("illegal transition from {from:?} to {to:?}")]
pub struct IllegalTransition {
    /// The state before; none for a new payment.
    pub from: Option<State>,
    pub to: State,
}

/// Refuses what is not in the table; to stay in a state is always legal. `from` is none for a new payment.
pub fn transition(from: Option<State>, to: State) -> Result<(), IllegalTransition> {
    let next = from.map_or(State::FIRST.as_slice(), State::next);
    if from == Some(to) || next.contains(&to) { Ok(()) } else { Err(IllegalTransition { from, to }) }
}
