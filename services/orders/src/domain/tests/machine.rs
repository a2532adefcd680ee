//! The state machines: no sequence of commands reaches an illegal transition. 100,000 sequences each.

use super::*;
use crate::domain::{Error, Line};

const CASES: u32 = 100_000;

/// A sequence: each byte chooses a command.
fn sequences() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 1..16)
}

fn outcome(choice: u8) -> Outcome {
    match choice % 7 {
        0 | 1 => Outcome::Done,
        2 => Outcome::Rejected("NO".into()),
        3 => Outcome::Transient("down".into()),
        4 => Outcome::Waiting,
        5 => Outcome::Undecided("later".into()),
        _ => Outcome::Bug("odd".into()),
    }
}

fn action(choice: u8) -> Action {
    match choice % 4 {
        0 => Action::Retry,
        1 => Action::Resume,
        2 => Action::Compensate,
        _ => Action::Skip { acknowledged: choice >= 8 },
    }
}

fn someone() -> Operator {
    Operator { actor: "usr_staff".into(), reason: "test".into() }
}

/// What a participant may have told with its answer.
fn facts(call: &Call, choice: u8, now: i64) -> Vec<Fact> {
    match call.name.as_str() {
        "hold_stock" => vec![Fact::Held(at(now + i64::from(choice) * 10_000))],
        "create_shipment" if choice.is_multiple_of(2) => vec![Fact::Shipment(ShipmentState::Created)],
        "create_shipment" => vec![Fact::Shipment(ShipmentState::Dispatched)],
        "cancel_shipment" => vec![Fact::Shipment(ShipmentState::Cancelled)],
        "capture_payment" => vec![Fact::Payment(PaymentState::Captured)],
        _ => vec![Fact::Payment(PaymentState::Authorized)],
    }
}

/// What shipping may tell, of the first shipment or of one that was split off.
fn news(choice: u8) -> Vec<ShipmentUpdate> {
    use ShipmentState::{Cancelled, Created, Delivered, Dispatched, Lost, Returned};
    let state = [Dispatched, Delivered, Lost, Returned, Cancelled, Created][usize::from(choice % 6)];
    let one =
        |told: ShipmentUpdate| ShipmentUpdate { lines: vec![Line { product_id: "prd_1".into(), quantity: 1 }], ..told };
    if choice.is_multiple_of(4) {
        vec![one(told(Created)), one(ShipmentUpdate { id: "shp_2".into(), ..told(state) })]
    } else {
        vec![told(state)]
    }
}

/// An order of two units.
fn two_units() -> Order {
    let amount = Money::new("EUR", 10.into()).expect("money");
    Order { items: vec![item(2, amount.clone(), amount)], ..order() }
}

/// One command of any kind, at any time. `None` when it was refused or changed nothing.
fn command(order: &Order, byte: u8, last: &mut Option<Call>, now: i64) -> Result<Option<Order>, Error> {
    let choice = byte >> 3;
    match byte % 8 {
        0..=3 => {
            let Some(call) = order.saga.call("ord_1") else { return Ok(None) };
            *last = Some(call.clone());
            let outcome = outcome(choice);
            let facts = if outcome == Outcome::Done { facts(&call, choice, now) } else { Vec::new() };
            order.record(SAGAS, &[Answer { call, outcome, facts }], at(now), 0.5)
        }
        4 => match last.clone() {
            // An answer that comes twice, or late.
            Some(call) => {
                order.record(SAGAS, &[Answer { call, outcome: outcome(choice), facts: Vec::new() }], at(now), 0.5)
            }
            None => Ok(None),
        },
        5 => order.cancel(SAGAS, Cancellation { reason: "test".into(), actor: "usr_1".into() }, at(now)),
        6 => order.apply_shipments(SAGAS, news(choice), at(now)),
        _ => order.intervene(SAGAS, action(choice), &someone(), at(now)).map(Some),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_commands_brings_an_order_to_an_illegal_transition(bytes in sequences()) {
        let (mut order, mut last, mut now) = (two_units(), None, 0);
        for byte in bytes {
            now += 1 + i64::from(byte) * 500;
            let next = match command(&order, byte, &mut last, now) {
                Ok(Some(next)) => next,
                Ok(None) | Err(Error::CannotCancel(_) | Error::HasLeft | Error::Intervention(_)) => continue,
                Err(error) => return Err(TestCaseError::fail(format!("{error} by {byte} in {:?}", order.saga))),
            };
            prop_assert!(order.state == next.state || order.state.allows(next.state) || next.history.len() > order.history.len() + 1);
            order = next;
        }
        let mut state = State::Pending;
        for step in &order.history {
            prop_assert_eq!(step.from, Some(state));
            prop_assert!(state.allows(step.to), "{:?}", step);
            state = step.to;
        }
        prop_assert_eq!(state, order.state);
    }

    #[test]
    fn no_sequence_of_answers_and_interventions_confuses_a_saga(bytes in sequences()) {
        let mut saga = Saga::start(&PLACE_ORDER, "here", at(0));
        for (now, byte) in (1i64..).zip(bytes) {
            let (before, choice) = (saga.clone(), byte >> 3);
            match byte % 8 {
                0..=4 => {
                    let Some(call) = saga.call("it") else { continue };
                    saga.record(SAGAS, &call, outcome(choice), at(now), 0.5);
                }
                5 => saga.claim(SAGAS, "there", at(now)),
                6 => drop(saga.abort(SAGAS, "CANCELLED", at(now))),
                _ => drop(saga.intervene(SAGAS, action(choice), &someone(), at(now))),
            }
            let is_quiet = matches!(saga.status, Status::Completed | Status::Compensated | Status::Parked);
            prop_assert_eq!(saga.wake_at.is_none(), is_quiet && byte % 8 != 5, "{:?}", saga);
            prop_assert_eq!(saga.call("it").is_none(), is_quiet);
            prop_assert_eq!(saga.parked.is_some(), saga.status == Status::Parked);
            prop_assert!(saga.epoch >= before.epoch);
            let went_back = saga.reason.is_some() && before.reason.is_none();
            prop_assert!(!(went_back && before.is_past_pivot(SAGAS)), "undone after the pivot: {:?}", before);
            if before.has_ended() {
                prop_assert_eq!((saga.status, &saga.steps.len()), (before.status, &before.steps.len()));
            }
            if is_quiet && byte % 8 == 5 {
                break; // nobody claims what is not due
            }
        }
    }
}
