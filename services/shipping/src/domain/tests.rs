//! The rules of shipments: which moves are legal, and who may ask for them.

mod erasure;
mod split;
mod tracking;

use super::{Command, Error, Line, NewShipment, Order, Shipment, State, transition};
use ::saga::StepCall;
use ::store::Time;
use contracts::address::Address;
use proptest::prelude::*;

fn now() -> Time {
    Time::from_millis(1_000_000)
}

fn order(order_id: &str) -> Order {
    Order { order_id: order_id.into(), user_id: "usr_1".into() }
}

fn planned() -> Shipment {
    let address = Address {
        name: "Ada Lovelace".into(),
        line1: "12 St James's Square".into(),
        line2: String::new(),
        city: "London".into(),
        region: String::new(),
        postal_code: "SW1Y 4JH".into(),
        country_code: "GB".into(),
    };
    let lines = vec![Line { product_id: "prd_1".into(), quantity: 2 }];
    Shipment::create(NewShipment { order: order("ord_1"), lines, address, call: caller(1) }, now())
}

fn caller(epoch: i64) -> StepCall {
    StepCall { step_key: "a step".into(), epoch }
}

/// Every state.
const ALL: [State; 6] =
    [State::Created, State::Dispatched, State::Delivered, State::Cancelled, State::Lost, State::Returned];

/// The legal moves, written down a second time.
const LEGAL: [(State, State); 8] = [
    (State::Created, State::Dispatched),
    (State::Created, State::Cancelled),
    (State::Dispatched, State::Delivered),
    (State::Dispatched, State::Lost),
    (State::Dispatched, State::Returned),
    (State::Lost, State::Delivered),
    (State::Lost, State::Returned),
    (State::Delivered, State::Returned),
];

proptest! {
    #[test]
    fn no_sequence_of_commands_reaches_an_illegal_state(
        was_cancelled_first in any::<bool>(),
        commands in prop::collection::vec(
            prop::sample::select(vec![Command::Cancel, Command::Dispatch, Command::Deliver]),
            0..12,
        ),
    ) {
        let mark = Shipment::cancelled(order("ord_1"), &caller(1), now());
        let mut shipment = if was_cancelled_first { mark } else { planned() };
        for command in commands {
            match shipment.decide(command, Some(&caller(1)), now()) {
                Ok(Some(next)) => {
                    let step = (shipment.state, next.state);
                    prop_assert!(LEGAL.contains(&step), "{step:?} by {command:?}");
                    prop_assert_eq!((&next.lines, &next.address), (&shipment.lines, &shipment.address));
                    let repeated = next.decide(command, Some(&caller(1)), now()).unwrap();
                    prop_assert_eq!(repeated, None, "a repeated command does nothing");
                    shipment = next;
                }
                Ok(None) => {}
                Err(Error::Transition(_)) => panic!("{command:?} of {shipment:?}"),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn the_table_of_shipment_transitions_is_that_of_the_design() {
    for from in ALL {
        for to in ALL {
            let is_legal = from == to || LEGAL.contains(&(from, to));
            assert_eq!(transition(Some(from), to).is_ok(), is_legal, "{from:?} to {to:?}");
        }
    }
    let first: Vec<State> = ALL.into_iter().filter(|to| transition(None, *to).is_ok()).collect();
    assert_eq!(first, [State::Created, State::Cancelled]);
}

#[test]
fn a_shipment_is_printed_without_its_address() {
    assert!(!format!("{:?}", planned()).contains("Lovelace"));
}

#[test]
fn the_word_of_a_state_is_that_of_the_contract() {
    for state in ALL {
        assert_eq!(state.name().to_uppercase(), crate::convert::state_to_wire(state).as_str_name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]

    #[test]
    fn no_sequence_of_commands_brings_a_shipment_to_an_illegal_transition(bytes in prop::collection::vec(any::<u8>(), 1..16)) {
        let mut shipment = Shipment::cancelled(order("ord_1"), &caller(1), now());
        if bytes.first().is_some_and(|byte| *byte != 0) {
            shipment.state = State::Created;
        }
        for byte in bytes {
            let command = [Command::Cancel, Command::Dispatch, Command::Deliver][usize::from(byte % 3)];
            match shipment.decide(command, Some(&caller(1)), now()) {
                Ok(Some(next)) => {
                    prop_assert!(shipment.state.next().contains(&next.state), "{:?} to {:?}", shipment.state, next.state);
                    shipment = next;
                }
                Ok(None) => {}
                Err(error @ Error::Transition(_)) => {
                    return Err(TestCaseError::fail(error.to_string()));
                }
                Err(_) => {}
            }
        }
    }
}
