//! The rules of payments: states, ledger, intents.

mod machine;
mod notifications;
mod parts;
mod states;

use super::{
    Command, Entry, Error, Kind, Ledger, Movement, Operation, Outcome, Payment, Portion, ProviderEvent, Start, State,
    Token,
};
use ::saga::StepCall;
use ::store::Time;
use contracts::money::Money;
use parts::part;
use proptest::prelude::*;
use rust_decimal::Decimal;
use std::collections::HashSet;

const ID: &str = "pay_1";

fn now() -> Time {
    Time::from_millis(1_000_000)
}

fn eur(cents: i64) -> Money {
    Money::new("EUR", Decimal::new(cents, 2)).unwrap()
}

fn start(cents: i64) -> Start {
    let (order_id, user_id) = ("ord_1".to_owned(), "usr_1".to_owned());
    Start { order_id, user_id, amount: eur(cents), token: Token::new("tok_secret"), call: caller("authorize/do", 1) }
}

fn caller(step_key: &str, epoch: i64) -> StepCall {
    StepCall { step_key: step_key.into(), epoch }
}

fn begun() -> Payment {
    Payment::begin(ID, start(1999), now()).unwrap()
}

fn done() -> Outcome {
    Outcome::Done { reference: "sbx_1".into(), ends_at: None }
}

fn declined(reason: &str) -> Outcome {
    Outcome::Declined { reason: reason.into() }
}

/// The payment after the provider's answer to what is open.
fn answered(payment: &Payment, outcome: &Outcome) -> Payment {
    let key = payment.intent.as_ref().unwrap().key.clone();
    payment.record(&key, outcome, now()).unwrap().unwrap()
}

fn commanded(payment: &Payment, command: Command) -> Payment {
    payment.decide(ID, &command, Some(&caller("step", 1)), now()).unwrap().unwrap()
}

#[derive(Debug, Clone)]
enum Happening {
    Command(Command),
    Answer(Outcome),
    LateAnswer(Operation, Outcome),
    News(ProviderEvent),
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let waits = Outcome::ActionRequired { reference: "sbx_1".into(), ends_at: None };
    prop_oneof![4 => Just(done()), 1 => Just(declined("CARD_DECLINED")), 1 => Just(waits), 2 => Just(Outcome::Unknown)]
}

/// All, or a part under one of a few names; parts may be nothing, too much, or of another currency.
fn any_portion() -> impl Strategy<Value = Portion> {
    let part = (prop_oneof![8 => 1..900_i64, 1 => -5..5_i64, 1 => Just(9_999)], 0..4u8, prop::bool::weighted(0.05));
    let part = part.prop_map(|(cents, name, is_foreign)| {
        let currency = if is_foreign { "USD" } else { "EUR" };
        let amount = Some(Money::new(currency, Decimal::new(cents, 2)).unwrap());
        Portion { amount, name: format!("part-{name}") }
    });
    prop_oneof![1 => Just(Portion::default()), 2 => part]
}

fn any_news() -> impl Strategy<Value = ProviderEvent> {
    let movement = prop::sample::select(vec![
        Movement::Capture,
        Movement::Void,
        Movement::Expiry,
        Movement::Refund,
        Movement::ChargeBack,
    ]);
    let key = (0..6u8).prop_map(|number| format!("{ID}/news-{number}"));
    prop_oneof![
        3 => (movement, 1..900_i64, key.clone()).prop_map(|(movement, cents, key)| ProviderEvent::Moved { movement, key, amount: eur(cents) }),
        1 => key.clone().prop_map(|key| ProviderEvent::Authorized { key, ends_at: None }),
        1 => key.prop_map(|key| ProviderEvent::Declined { key, reason: "NO".into() }),
    ]
}

fn whole_capture() -> Command {
    Command::Capture(Portion::default())
}

fn any_happening() -> impl Strategy<Value = Happening> {
    let commands = prop_oneof![
        any_portion().prop_map(Command::Capture),
        any_portion().prop_map(Command::Refund),
        Just(Command::Cancel),
        any::<bool>().prop_map(|approve| Command::CompleteAction { approve }),
    ];
    let operations = prop::sample::select(vec![
        Operation::Authorize,
        Operation::Capture,
        Operation::Void,
        Operation::Refund,
        Operation::Approve,
        Operation::Abandon,
    ]);
    prop_oneof![
        3 => commands.prop_map(Happening::Command),
        4 => any_outcome().prop_map(Happening::Answer),
        1 => any_news().prop_map(Happening::News),
        1 => (operations, any_outcome()).prop_map(|(operation, outcome)| Happening::LateAnswer(operation, outcome)),
    ]
}

fn happen(payment: &Payment, happening: &Happening) -> Result<Option<Payment>, Error> {
    match happening {
        Happening::Command(command) => payment.decide(ID, command, Some(&caller("step", 1)), now()),
        Happening::News(event) => payment.apply(ID, "sbx_1", event, now()),
        Happening::LateAnswer(operation, outcome) => payment.record(&operation.key(ID), outcome, now()),
        Happening::Answer(outcome) => {
            let key = payment.intent.as_ref().map_or("nothing is open", |intent| intent.key.as_str());
            payment.record(key, outcome, now())
        }
    }
}

/// The legal moves, written down a second time.
const LEGAL: [(State, State); 15] = [
    (State::Created, State::Authorizing),
    (State::Created, State::Voided),
    (State::Authorizing, State::Authorized),
    (State::Authorizing, State::Declined),
    (State::Authorizing, State::ActionRequired),
    (State::Authorizing, State::Unknown),
    (State::Unknown, State::Authorized),
    (State::Unknown, State::Declined),
    (State::Unknown, State::ActionRequired),
    (State::ActionRequired, State::Authorized),
    (State::ActionRequired, State::Declined),
    (State::ActionRequired, State::Voided),
    (State::Authorized, State::Captured),
    (State::Authorized, State::Voided),
    (State::Captured, State::Refunded),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]

    #[test]
    fn no_sequence_of_commands_and_answers_reaches_an_illegal_state_or_sum(
        was_cancelled_first in prop::bool::weighted(0.1),
        happenings in prop::collection::vec(any_happening(), 0..24),
    ) {
        let mark = Payment::cancelled("ord_1".into(), "usr_1".into(), &caller("void/do", 1), now());
        let mut payment = if was_cancelled_first { mark } else { begun() };
        let mut was_told = false;
        for happening in &happenings {
            was_told |= matches!(happening, Happening::News(_));
            let next = match happen(&payment, happening) {
                Ok(Some(next)) => next,
                Ok(None) => continue,
                // News of more than there is, and answers that contradict news, are refused, and people are told.
                Err(Error::Ledger(_) | Error::Transition(_)) if was_told => continue,
                Err(Error::Transition(_) | Error::Ledger(_)) => {
                    panic!("{happening:?} of {payment:?}")
                }
                Err(_) => continue,
            };
            let step = (payment.state, next.state);
            prop_assert!(step.0 == step.1 || LEGAL.contains(&step), "{step:?} by {happening:?}");
            prop_assert!(next.ledger.entries().starts_with(payment.ledger.entries()), "the ledger is append-only");
            is_sound(&next)?;
            payment = next;
        }
    }

    #[test]
    fn a_ledger_never_gives_back_more_than_was_taken_nor_takes_more_than_was_authorized(
        entries in prop::collection::vec((0..4usize, 1..500i64, 0..12u8), 0..20),
    ) {
        let mut ledger = Ledger::default();
        for (kind, cents, key) in entries {
            let before = ledger.clone();
            let kind = [Kind::Authorization, Kind::Capture, Kind::Void, Kind::Refund][kind];
            let (provider_reference, key) = ("sbx_1".to_owned(), key.to_string());
            let is_known = before.entries().iter().any(|entry| entry.key == key);
            let added = ledger.append(Entry { kind, amount: eur(cents), provider_reference, key, at: now() });
            prop_assert_eq!(ledger == before, is_known || added.is_err());
            let sums = ledger.amounts("EUR").unwrap();
            prop_assert!(sums.refunded.amount <= sums.captured.amount);
            prop_assert!(sums.captured.amount + sums.voided.amount <= sums.authorized.amount);
        }
    }
}

fn is_sound(payment: &Payment) -> Result<(), TestCaseError> {
    let keys: HashSet<&str> = payment.ledger.entries().iter().map(|entry| entry.key.as_str()).collect();
    prop_assert_eq!(keys.len(), payment.ledger.entries().len(), "a key stands in the ledger once");
    let is_open = payment.intends(Operation::Authorize);
    prop_assert_eq!(is_open, matches!(payment.state, State::Authorizing | State::Unknown));
    prop_assert_eq!(is_open, payment.token.is_some(), "the token lives as long as it is needed");
    let Some(sums) = payment.amounts().unwrap() else {
        prop_assert_eq!(payment.state, State::Voided);
        return Ok(());
    };
    let (zero, asked) = (eur(0), payment.asked.as_ref().unwrap().amount.clone());
    let [authorized, captured, voided, refunded] = [&sums.authorized, &sums.captured, &sums.voided, &sums.refunded];
    prop_assert!(*authorized == zero || *authorized == asked);
    prop_assert!(captured.amount + voided.amount <= authorized.amount);
    prop_assert!(refunded.amount <= captured.amount && sums.charged_back.amount <= captured.amount);
    prop_assert_eq!(payment.frozen.is_some(), sums.charged_back.is_positive());
    match payment.state {
        State::Created | State::Authorizing | State::Unknown | State::Declined | State::ActionRequired => {
            prop_assert_eq!([authorized, captured, voided, refunded], [&zero; 4]);
        }
        State::Authorized => prop_assert_eq!([authorized, captured, refunded], [&asked, &zero, &zero]),
        State::Captured => prop_assert!(captured.is_positive() && *refunded == zero),
        State::Refunded => prop_assert!(refunded.is_positive()),
        State::Voided => prop_assert_eq!([authorized, captured], [voided, &zero]),
    }
    Ok(())
}

#[test]
fn an_amount_of_zero_or_less_is_refused() {
    for cents in [0, -1] {
        assert!(matches!(Payment::begin(ID, start(cents), now()), Err(Error::NotPositive)));
    }
}

#[test]
fn an_answer_is_recorded_once() {
    let key = Operation::Authorize.key(ID);
    let authorized = answered(&begun(), &done());
    for outcome in [done(), declined("LATE"), Outcome::Unknown] {
        assert_eq!(authorized.record(&key, &outcome, now()).unwrap(), None);
    }
}

#[test]
fn a_late_answer_to_one_operation_is_not_taken_for_that_of_another() {
    let capturing = commanded(&answered(&begun(), &done()), whole_capture());
    for outcome in [done(), declined("LATE"), Outcome::Unknown] {
        assert_eq!(capturing.record(&Operation::Authorize.key(ID), &outcome, now()).unwrap(), None);
    }
}

#[test]
fn a_capture_under_way_ends_before_a_cancellation_is_decided() {
    let capturing = commanded(&answered(&begun(), &done()), whole_capture());
    assert_eq!(capturing.decide(ID, &Command::Cancel, Some(&caller("cancel", 1)), now()).unwrap(), None);
    let refunding = commanded(&answered(&capturing, &done()), Command::Cancel);
    assert!(refunding.intends(Operation::Refund));
    assert_eq!(answered(&refunding, &done()).state, State::Refunded);
}

#[test]
fn a_runner_that_was_replaced_moves_no_money() {
    let capturing = begun_by(7).decide(ID, &whole_capture(), Some(&caller("capture/do", 7)), now()).unwrap().unwrap();
    for payment in [begun_by(7), capturing] {
        for command in [whole_capture(), Command::Refund(part(1, "a")), Command::Cancel] {
            let late = payment.decide(ID, &command, Some(&caller("late", 6)), now());
            assert!(matches!(late, Err(Error::Stale(_))), "{late:?}");
        }
        let late = payment.repeats(&Start { call: caller("authorize/do", 6), ..start(1999) });
        assert!(matches!(late, Err(Error::Stale(_))), "{late:?}");
        assert!(payment.repeats(&Start { call: caller("authorize/do", 8), ..start(1999) }).is_ok());
    }
}

/// A payment that a runner of this epoch has authorized.
fn begun_by(epoch: i64) -> Payment {
    let start = Start { call: caller("authorize/do", epoch), ..start(1999) };
    answered(&Payment::begin(ID, start, now()).unwrap(), &done())
}

#[test]
fn a_silent_provider_is_asked_again_ever_later_but_within_64_seconds() {
    let (mut payment, mut pauses) = (begun(), Vec::new());
    for _ in 0..8 {
        payment = answered(&payment, &Outcome::Unknown);
        pauses.push(payment.intent.as_ref().unwrap().ask_at.timestamp_millis() - now().timestamp_millis());
    }
    assert_eq!(payment.state, State::Unknown);
    assert_eq!(pauses, [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000, 64_000]);
}

#[test]
fn a_refused_capture_leaves_the_authorization_in_place() {
    let capturing = commanded(&answered(&begun(), &done()), whole_capture());
    let refused = answered(&capturing, &declined("EXPIRED"));
    assert_eq!((refused.state, refused.intent.is_none()), (State::Authorized, true));
    assert!(matches!(Operation::Capture.check(&declined("EXPIRED")), Err(Error::ProviderRefused { .. })));
}

#[test]
fn a_payment_is_printed_without_its_token() {
    assert!(!format!("{:?}{:?}", begun(), start(1)).contains("tok_secret"));
}

#[test]
fn what_the_provider_refused_is_tried_again_under_another_key_and_still_done_once() {
    let capturing = commanded(&answered(&begun(), &done()), whole_capture());
    let refused = answered(&capturing, &declined("LATER"));
    let again = commanded(&refused, whole_capture());
    assert_ne!(again.intent.as_ref().unwrap().key, capturing.intent.as_ref().unwrap().key);
    let captured = answered(&again, &done());
    assert_eq!(captured.decide(ID, &whole_capture(), Some(&caller("step", 1)), now()).unwrap(), None);
}
