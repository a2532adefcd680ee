//! The rules of orders: what their sagas make of any sequence of answers, and what the tests of each rule share.

mod answers;
mod erasure;
mod late;
mod machine;
mod payable;
mod pricing;
mod refunds;
mod shares;

use super::{Cancellation, Fact, Item, Order, ShipmentUpdate, State, UserSnapshot};
use crate::sagas::definitions::{CANCEL_ORDER, PLACE_ORDER, SAGAS};
use ::saga::{Action, Answer, Call, Direction, InterventionError, Operator, Outcome, Progress, Saga, Status};
use ::store::Time;
use answers::undone;
use contracts::{
    address::Address, money::Money, payments::v1::payment::State as PaymentState,
    shipping::v1::shipment::State as ShipmentState,
};
use proptest::prelude::*;

fn at(ms: i64) -> Time {
    Time::from_millis(ms)
}

/// An order that is about to hold its stock.
fn order() -> Order {
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
        step: None,
        amounts: None,
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
        refunds: Vec::new(),
        shipments: Vec::new(),
        frozen: None,
        discount: None,
        history: Vec::new(),
        created_at: at(0),
        updated_at: at(0),
        request_key: "key".into(),
        request_digest: String::new(),
    }
}

/// A line of an order, without discount and tax.
pub(crate) fn item(quantity: i32, price: Money, amount: Money) -> Item {
    Item {
        product_id: "prd_1".into(),
        quantity,
        name: "Product".into(),
        sku: "SKU".into(),
        price,
        amount,
        tax_category: String::new(),
        weight_grams: 0,
        charges: None,
    }
}

/// What shipping tells of the first shipment.
fn told(state: ShipmentState) -> ShipmentUpdate {
    ShipmentUpdate { id: "shp_1".into(), lines: Vec::new(), state }
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
enum Behaviour {
    Works,
    WorksButTheReplyIsLost,
    Refuses,
    IsDown,
}

fn answers() -> impl Strategy<Value = Vec<(Behaviour, bool)>> {
    let answer = prop_oneof![
        4 => Just(Behaviour::Works),
        1 => Just(Behaviour::WorksButTheReplyIsLost),
        1 => Just(Behaviour::Refuses),
        1 => Just(Behaviour::IsDown),
    ];
    prop::collection::vec((answer, prop::bool::weighted(0.1)), 0..30)
}

/// Plays one call. Participants refuse only where they may: before the pivot, never an undo.
fn play(world: &mut World, order: &Order, answer: Behaviour, now: i64) -> Order {
    let call = order.saga.call("ord_1").expect("an open saga has a call");
    let may_reject =
        call.direction == Direction::Do && ["hold_stock", "authorize_payment"].contains(&call.name.as_str());
    let answer = match answer {
        Behaviour::Refuses if !may_reject => Behaviour::Works,
        other => other,
    };
    let mut fact = None;
    if matches!(answer, Behaviour::Works | Behaviour::WorksButTheReplyIsLost) {
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
        Behaviour::Works => Outcome::Done,
        Behaviour::WorksButTheReplyIsLost | Behaviour::IsDown => Outcome::Transient("lost".into()),
        Behaviour::Refuses => Outcome::Rejected("REFUSED".into()),
    };
    let fact = fact.filter(|_| matches!(answer, Behaviour::Works));
    answered(order, call, outcome, fact, now)
}

/// The order after an answer that it waits for.
fn answered(order: &Order, call: Call, outcome: Outcome, fact: Option<Fact>, now: i64) -> Order {
    let answer = Answer { call, outcome, facts: fact.into_iter().collect() };
    order.record(SAGAS, &[answer], at(now), 0.5).expect("every transition is legal").expect("it waits for this answer")
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
            let (answer, cancel) = answers.next().unwrap_or((Behaviour::Works, false));
            if cancel
                && let Ok(Some(next)) =
                    order.cancel(SAGAS, Cancellation { reason: "test".into(), actor: "usr_1".into() }, at(now))
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

/// An order whose payment is about to be authorized; its hold ends at 700,000, its saga's deadline is 600,000.
fn authorizing() -> Order {
    let order = order();
    let hold = order.saga.call("ord_1").expect("hold");
    answered(&order, hold, Outcome::Done, Some(Fact::Held(at(700_000))), 1)
}

fn call_of(order: &Order) -> Call {
    order.saga.call("ord_1").expect("an open saga has a call")
}

#[test]
fn an_order_is_not_confirmed_once_its_hold_has_run_out() {
    let order = authorizing();
    let money = Some(Fact::Payment(PaymentState::Authorized));
    let late = answered(&order, call_of(&order), Outcome::Done, money, 699_000);
    assert_eq!((late.state, late.saga.status), (State::Pending, Status::Compensating));
    assert_eq!(call_of(&late).name, "authorize_payment");
}

#[test]
fn a_hold_with_little_life_left_must_be_extended_before_the_pivot() {
    let order = authorizing();
    assert!(!order.needs_extension(at(639_000)) && order.needs_extension(at(640_000)));
    let facts = vec![Fact::Payment(PaymentState::Authorized), Fact::Held(at(1_600_000))];
    let answer = Answer { call: call_of(&order), outcome: Outcome::Done, facts };
    let confirmed = order.record(SAGAS, &[answer], at(699_000), 0.0).expect("legal").expect("waits for it");
    assert_eq!((confirmed.state, confirmed.saga.status), (State::Confirmed, Status::Running));
}

#[test]
fn exactly_at_the_deadline_an_approval_confirms_and_an_unknown_outcome_goes_back() {
    for now in [599_999, 600_000, 600_001] {
        let order = authorizing();
        assert_eq!(order.saga.deadline_at, at(600_000));
        let money = Some(Fact::Payment(PaymentState::Authorized));
        let approved = answered(&order, call_of(&order), Outcome::Done, money, now);
        assert_eq!((approved.state, approved.saga.status), (State::Confirmed, Status::Running), "at {now}");
        let lost = answered(&order, call_of(&order), Outcome::Transient("lost".into()), None, now);
        let expected = if now < 600_000 { Status::Running } else { Status::Compensating };
        assert_eq!((lost.state, lost.saga.status), (State::Pending, expected), "at {now}");
        if expected == Status::Compensating {
            let undo = call_of(&lost);
            assert_eq!((undo.name.as_str(), undo.direction), ("authorize_payment", Direction::Undo));
        }
    }
}

#[test]
fn the_key_of_a_call_is_the_same_on_every_attempt() {
    let mut saga = Saga::start(&PLACE_ORDER, "here", at(0));
    let call = saga.call("ord_1").expect("a call");
    assert_eq!(call.key, "ord_1/place_order/hold_stock/do");
    assert!(saga.record(SAGAS, &call, Outcome::Transient("lost".into()), at(1), 0.5));
    assert_eq!(saga.call("ord_1").map(|again| again.key), Some(call.key));
    saga.claim(SAGAS, "there", at(2));
    assert_eq!((saga.steps[0].attempts, saga.steps[0].progress), (2, Progress::Attempted));
}

#[test]
fn an_unknown_outcome_at_the_deadline_is_undone_too() {
    let mut saga = Saga::start(&PLACE_ORDER, "here", at(0));
    let deadline = saga.deadline_at;
    let just_before = at(deadline.timestamp_millis() - 1);
    // The payment was asked for just now, so that nothing but the deadline ends the saga.
    for (outcome, now) in [
        (Outcome::Done, just_before),
        (Outcome::Transient("lost".into()), just_before),
        (Outcome::Transient("lost".into()), deadline),
    ] {
        assert_eq!(saga.status, Status::Running);
        let call = saga.call("ord_1").expect("a call");
        assert!(saga.record(SAGAS, &call, outcome, now, 0.5));
    }
    assert_eq!((saga.status, saga.reason.as_deref()), (Status::Compensating, Some("DEADLINE_EXCEEDED")));
    assert_eq!(undone(&mut saga), ["authorize_payment", "hold_stock"], "what was intended may have been called");
    assert_eq!(saga.status, Status::Compensated);
}

#[test]
fn a_cancellation_taken_by_a_build_without_the_saga_acts_at_its_next_answer() {
    let mut order = authorizing();
    order.saga.version = 99;
    let wish = Cancellation { reason: "CANCELLED".into(), actor: "usr_1".into() };
    let mut wished = order.cancel(SAGAS, wish, at(2)).expect("legal").expect("a change");
    assert_eq!((wished.state, wished.saga.status), (State::Cancelling, Status::Running), "nothing is guessed");
    wished.saga.version = PLACE_ORDER.version; // as one sees it who knows
    let back = answered(&wished, call_of(&wished), Outcome::Waiting, None, 3);
    assert_eq!((back.state, back.saga.status), (State::Cancelling, Status::Compensating));
    assert!(back.saga.is_due(at(3)));
}

#[test]
fn the_same_state_again_changes_nothing() {
    let mut order = order();
    order.state = State::Cancelled;
    let wish = Cancellation { reason: "again".into(), actor: "usr_1".into() };
    assert_eq!(order.cancel(SAGAS, wish, at(1)).expect("legal"), None);
    order.state = State::Delivered;
    order.shipment_state = ShipmentState::Delivered;
    let known = order
        .apply_shipments(SAGAS, vec![told(ShipmentState::Delivered)], at(1))
        .expect("legal")
        .expect("it is new here");
    for state in [ShipmentState::Created, ShipmentState::Dispatched, ShipmentState::Delivered] {
        assert_eq!(known.apply_shipments(SAGAS, vec![told(state)], at(2)).expect("legal"), None, "{state:?}");
    }
}
