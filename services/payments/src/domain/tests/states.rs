//! The table of states, and their words.

use super::{super::transition, LEGAL, State};

/// Every state.
const ALL: [State; 9] = [
    State::Created,
    State::Authorizing,
    State::Authorized,
    State::Captured,
    State::Refunded,
    State::Declined,
    State::Voided,
    State::ActionRequired,
    State::Unknown,
];

#[test]
fn the_table_of_payment_transitions_is_that_of_the_design() {
    for from in ALL {
        for to in ALL {
            let is_legal = from == to || LEGAL.contains(&(from, to));
            assert_eq!(transition(Some(from), to).is_ok(), is_legal, "{from:?} to {to:?}");
        }
    }
    let first: Vec<State> = ALL.into_iter().filter(|to| transition(None, *to).is_ok()).collect();
    assert_eq!(first, [State::Created, State::Authorizing, State::Voided]);
}

#[test]
fn the_word_of_a_state_is_that_of_the_contract() {
    for state in ALL {
        assert_eq!(state.name().to_uppercase(), crate::convert::state_to_wire(state).as_str_name());
    }
}
