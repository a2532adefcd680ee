//! The saga engine's rules and the orders' sagas, as properties over any sequence of answers.

use contracts::{
    money::Money, payments::v1::payment::State as PaymentState, shipping::v1::shipment::State as ShipmentState,
};
use orders::{Address, CANCEL_ORDER, Cancellation, Fact, Order, PLACE_ORDER, State, UserSnapshot};
use proptest::prelude::*;
use saga::{Direction, Outcome, Progress, Saga, Status};
use store::Time;

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

/// An order that is about to hold its stock.
pub fn order() -> Order {
    let nobody = UserSnapshot { name: "Test Customer".into(), email: "customer@example.com".into() };
    let address = Address {
        name: "Test Customer".into(),
        line1: "1 rue de la Paix".into(),
        line2: String::new(),
        city: "Paris".into(),
        region: String::new(),
        postal_code: "75002".into(),
        country_code: "FR".into(),
    };
    Order {
        user_id: "usr_1".into(),
        user: nobody,
        items: Vec::new(),
        total: Money::new("EUR", 10.into()).expect("money"),
        state: State::Pending,
        reason: String::new(),
        payment_state: PaymentState::Unspecified,
        shipment_state: ShipmentState::Unspecified,
        payment_id: "pay_1".into(),
        shipment_id: "shp_1".into(),
        address,
        payment_token: Some("tok_visa".into()),
        hold_expires_at: None,
        saga: Saga::start(&PLACE_ORDER, "here", at(0)),
        cancellation: None,
        history: Vec::new(),
        created_at: at(0),
        updated_at: at(0),
        request_key: "key".into(),
        request_digest: String::new(),
    }
}

/// What the participants hold for the order, played by the test.
#[derive(Debug, Default)]
struct World {
    stock: bool,
    committed: bool,
    money: bool,
    shipment: bool,
}

/// One answer: what the participant did, and whether the reply arrived.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Works,
    WorksButTheReplyIsLost,
    Refuses,
    IsDown,
}

fn answers() -> impl Strategy<Value = Vec<(Answer, bool)>> {
    let answer = prop_oneof![
        4 => Just(Answer::Works),
        1 => Just(Answer::WorksButTheReplyIsLost),
        1 => Just(Answer::Refuses),
        1 => Just(Answer::IsDown),
    ];
    prop::collection::vec((answer, prop::bool::weighted(0.1)), 0..30)
}

/// Plays one call. Participants refuse only where they may: before the pivot, never an undo.
fn play(world: &mut World, order: &Order, answer: Answer, now: i64) -> Order {
    let call = order.saga.call("ord_1").expect("an open saga has a call");
    let may_refuse =
        call.direction == Direction::Do && ["hold_stock", "authorize_payment"].contains(&call.name.as_str());
    let answer = match answer {
        Answer::Refuses if !may_refuse => Answer::Works,
        other => other,
    };
    let mut fact = None;
    if matches!(answer, Answer::Works | Answer::WorksButTheReplyIsLost) {
        match (call.name.as_str(), call.direction) {
            ("hold_stock", Direction::Do) => {
                world.stock = true;
                fact = Some(Fact::Held(at(now + 900_000)));
            }
            ("hold_stock", Direction::Undo) | ("release_stock", _) => (world.stock, world.committed) = (false, false),
            ("authorize_payment", Direction::Do) => {
                world.money = true;
                fact = Some(Fact::Payment(PaymentState::Authorized));
            }
            ("authorize_payment", Direction::Undo) | ("cancel_payment", _) => {
                world.money = false;
                fact = Some(Fact::Payment(PaymentState::Voided));
            }
            ("commit_stock", _) => world.committed = world.stock,
            ("create_shipment", _) => world.shipment = true,
            ("cancel_shipment", _) => world.shipment = false,
            (other, _) => panic!("no such step: {other}"),
        }
    }
    let outcome = match answer {
        Answer::Works => Outcome::Done,
        Answer::WorksButTheReplyIsLost | Answer::IsDown => Outcome::Transient("lost".into()),
        Answer::Refuses => Outcome::Rejected("REFUSED".into()),
    };
    let fact = fact.filter(|_| matches!(answer, Answer::Works));
    order.record(&call, outcome, fact, at(now), 0.5).expect("every transition is legal")
}

fn is_consistent(world: &World, order: &Order) -> bool {
    match order.state {
        State::Confirmed => world.stock && world.committed && world.money && world.shipment,
        State::Rejected | State::Cancelled => !world.stock && !world.money && !world.shipment,
        State::Pending | State::Cancelling | State::Shipped | State::Delivered => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn every_order_ends_with_all_of_its_effects_or_none(answers in answers(), step_ms in 1..60_000i64) {
        let (mut world, mut order, mut now) = (World::default(), order(), 0);
        let mut answers = answers.into_iter();
        for _ in 0..200 {
            if order.saga.has_ended() {
                break;
            }
            prop_assert_ne!(order.saga.status, Status::Parked);
            now += step_ms;
            let (answer, cancel) = answers.next().unwrap_or((Answer::Works, false));
            if cancel
                && let Ok(Some(next)) =
                    order.cancel(Cancellation { reason: "test".into(), actor: "usr_1".into() }, at(now))
            {
                order = next;
            } else {
                order = play(&mut world, &order, answer, now);
            }
        }
        prop_assert!(order.saga.has_ended(), "{:?}", order.saga);
        prop_assert!(is_consistent(&world, &order), "{:?} {:?} {:?}", world, order.state, order.saga);
        prop_assert!(order.payment_token.is_none(), "the payment token outlives its use");
    }

    #[test]
    fn the_history_has_only_legal_transitions(answers in answers()) {
        let (mut world, mut order) = (World::default(), order());
        for (now, (answer, _)) in answers.into_iter().enumerate() {
            if order.saga.has_ended() {
                break;
            }
            order = play(&mut world, &order, answer, i64::try_from(now).expect("small"));
        }
        for step in &order.history {
            prop_assert!(step.from.is_none_or(|from| from.allows(step.to)), "{step:?}");
        }
    }
}

#[test]
fn an_order_is_not_confirmed_once_its_hold_has_run_out() {
    let order = order();
    let hold = order.saga.call("ord_1").expect("hold");
    let held = order.record(&hold, Outcome::Done, Some(Fact::Held(at(10_000))), at(1), 0.0).expect("legal");
    let authorize = held.saga.call("ord_1").expect("authorize");
    let money = Some(Fact::Payment(PaymentState::Authorized));
    let late = held.record(&authorize, Outcome::Done, money, at(9_000), 0.0).expect("legal");
    assert_eq!((late.state, late.saga.status), (State::Pending, Status::Compensating));
    assert_eq!(late.saga.call("ord_1").expect("undo").name, "authorize_payment");
}

#[test]
fn the_key_of_a_call_is_the_same_on_every_attempt() {
    let mut saga = Saga::start(&PLACE_ORDER, "here", at(0));
    let call = saga.call("ord_1").expect("a call");
    assert_eq!(call.key, "ord_1/place_order/hold_stock/do");
    saga.record(&PLACE_ORDER, &call, Outcome::Transient("lost".into()), at(1), 0.5);
    assert_eq!(saga.call("ord_1"), Some(call));
    assert_eq!((saga.steps[0].attempt, saga.steps[0].progress), (2, Progress::Attempted));
}

#[test]
fn an_unknown_outcome_at_the_deadline_is_undone_too() {
    let mut saga = Saga::start(&PLACE_ORDER, "here", at(0));
    let call = saga.call("ord_1").expect("a call");
    let deadline = saga.deadline_at;
    saga.record(&PLACE_ORDER, &call, Outcome::Transient("lost".into()), deadline, 0.5);
    assert_eq!((saga.status, saga.reason.as_deref()), (Status::Compensating, Some("DEADLINE_EXCEEDED")));
    let undo = saga.call("ord_1").expect("the attempted step is undone");
    assert_eq!((undo.name.as_str(), undo.direction), ("hold_stock", Direction::Undo));
}

#[test]
fn an_answer_to_an_earlier_call_is_ignored() {
    let mut saga = Saga::start(&CANCEL_ORDER, "here", at(0));
    let first = saga.call("ord_1").expect("a call");
    saga.record(&CANCEL_ORDER, &first, Outcome::Done, at(1), 0.5);
    let before = saga.clone();
    saga.record(&CANCEL_ORDER, &first, Outcome::Rejected("late".into()), at(2), 0.5);
    assert_eq!(saga, before);
}

#[test]
fn a_refusal_after_the_pivot_parks_the_saga_for_a_person() {
    let mut saga = Saga::start(&CANCEL_ORDER, "here", at(0));
    let first = saga.call("ord_1").expect("a call");
    saga.record(&CANCEL_ORDER, &first, Outcome::Done, at(1), 0.5);
    let second = saga.call("ord_1").expect("a call");
    saga.record(&CANCEL_ORDER, &second, Outcome::Rejected("RESERVATION_SHIPPED".into()), at(2), 0.5);
    assert_eq!((saga.status, saga.wake_at), (Status::Parked, None));
    assert_eq!(saga.steps[1].error.as_deref(), Some("RESERVATION_SHIPPED"));
}
