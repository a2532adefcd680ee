//! What the engine makes of answers that come late, twice or from before, and of a person.

use super::*;

/// Names of the steps that the saga undoes, each at its first attempt.
pub(super) fn undone(saga: &mut Saga) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(undo) = saga.call("ord_1") {
        assert_eq!(undo.direction, Direction::Undo);
        assert!(saga.record(SAGAS, &undo, Outcome::Done, at(9), 0.5));
        names.push(undo.name);
    }
    names
}

#[test]
fn a_first_refusal_undoes_nothing_because_the_next_step_was_intended_and_not_called() {
    let mut saga = Saga::start(&PLACE_ORDER, "here", at(0));
    let progress = |saga: &Saga| saga.steps.iter().map(|step| step.progress).take(3).collect::<Vec<_>>();
    assert_eq!(progress(&saga), [Progress::Attempted, Progress::Attempted, Progress::Pending]);
    let call = saga.call("ord_1").expect("a call");
    assert!(saga.record(SAGAS, &call, Outcome::Rejected("OUT_OF_STOCK".into()), at(1), 0.5));
    assert_eq!(progress(&saga), [Progress::Rejected, Progress::Pending, Progress::Pending]);
    assert_eq!((saga.status, saga.call("ord_1")), (Status::Compensated, None));
}

#[test]
fn a_refusal_after_a_runner_has_died_undoes_what_that_runner_may_have_called() {
    let mut saga = Saga::start(&PLACE_ORDER, "gone", at(0));
    saga.claim(SAGAS, "here", at(20_000));
    let hold = saga.call("ord_1").expect("a call");
    assert!(saga.record(SAGAS, &hold, Outcome::Rejected("OUT_OF_STOCK".into()), at(20_001), 0.5));
    assert_eq!(undone(&mut saga), ["authorize_payment", "hold_stock"]);

    let mut saga = Saga::start(&PLACE_ORDER, "gone", at(0));
    saga.claim(SAGAS, "here", at(20_000));
    for outcome in [Outcome::Done, Outcome::Rejected("CARD_DECLINED".into())] {
        let call = saga.call("ord_1").expect("a call");
        assert!(saga.record(SAGAS, &call, outcome, at(20_001), 0.5));
    }
    assert_eq!(
        undone(&mut saga),
        ["authorize_payment", "hold_stock"],
        "the first attempt may have been another answer"
    );
}

#[test]
fn an_answer_to_an_earlier_call_is_ignored() {
    let mut saga = Saga::start(&CANCEL_ORDER, "here", at(0));
    let first = saga.call("ord_1").expect("a call");
    assert!(saga.record(SAGAS, &first, Outcome::Done, at(1), 0.5));
    let before = saga.clone();
    assert!(!saga.record(SAGAS, &first, Outcome::Rejected("late".into()), at(2), 0.5));
    assert_eq!(saga, before);
}

#[test]
fn an_answer_of_an_earlier_epoch_is_refused_with_what_it_told() {
    let order = authorizing();
    let call = call_of(&order);
    let mut claimed = order.clone();
    claimed.saga.claim(SAGAS, "another", at(2));
    let facts = vec![Fact::Payment(PaymentState::Authorized)];
    let answer = Answer { call, outcome: Outcome::Done, facts };
    assert_eq!(claimed.record(SAGAS, &[answer], at(3), 0.5).expect("no transition"), None);
}

#[test]
fn a_refusal_after_the_pivot_parks_the_saga_for_a_person() {
    let mut saga = Saga::start(&CANCEL_ORDER, "here", at(0));
    let first = saga.call("ord_1").expect("a call");
    saga.record(SAGAS, &first, Outcome::Done, at(1), 0.5);
    let second = saga.call("ord_1").expect("a call");
    saga.record(SAGAS, &second, Outcome::Rejected("RESERVATION_SHIPPED".into()), at(2), 0.5);
    assert_eq!((saga.status, saga.wake_at), (Status::Parked, None));
    assert_eq!(saga.parked.as_deref(), Some("RESERVATION_SHIPPED"));
    assert_eq!(saga.steps[1].error.as_deref(), Some("RESERVATION_SHIPPED"));
}

#[test]
fn a_pause_is_anything_from_nothing_to_a_bound_that_doubles_up_to_30_s() {
    let pause = |attempts: u32, jitter: f64| {
        let mut saga = Saga::start(&CANCEL_ORDER, "here", at(0));
        for _ in 1..attempts {
            saga.claim(SAGAS, "here", at(0));
        }
        let call = saga.call("ord_1").expect("a call");
        saga.record(SAGAS, &call, Outcome::Transient("down".into()), at(0), jitter);
        saga.wake_at.expect("it will be tried again").timestamp_millis()
    };
    assert_eq!([1, 2, 3, 9, 10, 500].map(|attempts| pause(attempts, 1.0)), [100, 200, 400, 25_600, 30_000, 30_000]);
    assert_eq!([1, 5, 500].map(|attempts| pause(attempts, 0.0)), [0, 0, 0]);
}

/// A saga of a cancelled order that waits for a person at its second step.
fn parked() -> Saga {
    let mut saga = Saga::start(&CANCEL_ORDER, "here", at(0));
    for outcome in [Outcome::Done, Outcome::Rejected("RESERVATION_SHIPPED".into())] {
        let call = saga.call("ord_1").expect("a call");
        saga.record(SAGAS, &call, outcome, at(1), 0.5);
    }
    saga
}

#[test]
fn an_intervention_that_is_not_possible_changes_nothing_and_says_what_is() {
    let someone = Operator { actor: "usr_staff".into(), reason: "test".into() };
    let running = Saga::start(&PLACE_ORDER, "here", at(0));
    let mut unknown = running.clone();
    unknown.version = 99;
    let mut failing = running.clone();
    let call = failing.call("ord_1").expect("a call");
    failing.record(SAGAS, &call, Outcome::Transient("down".into()), at(1), 0.5);
    let mut back = running.clone();
    assert!(back.abort(SAGAS, "CANCELLED", at(1)));
    let mut ended = running.clone();
    ended.record(SAGAS, &running.call("ord_1").expect("a call"), Outcome::Rejected("NO".into()), at(1), 0.5);
    let refused = [
        (&ended, Action::Retry, InterventionError::Ended),
        (&parked(), Action::Retry, InterventionError::Parked),
        (&running, Action::Resume, InterventionError::NotParked),
        (&parked(), Action::Compensate, InterventionError::PastPivot),
        (&back, Action::Compensate, InterventionError::GoingBack),
        (&running, Action::Skip { acknowledged: true }, InterventionError::NotFailing),
        (&failing, Action::Skip { acknowledged: false }, InterventionError::NotAcknowledged),
        (&authorizing_and_failing().saga, Action::Skip { acknowledged: true }, InterventionError::Pivot),
        (&unknown, Action::Retry, InterventionError::UnknownDefinition),
    ];
    for (saga, action, refusal) in refused {
        let mut after = saga.clone();
        assert_eq!(after.intervene(SAGAS, action, &someone, at(9)), Err(refusal), "{action:?}");
        assert_eq!(&after, saga, "{action:?}");
    }
}

fn authorizing_and_failing() -> Order {
    let order = authorizing();
    answered(&order, call_of(&order), Outcome::Transient("down".into()), None, 2)
}

#[test]
fn what_a_person_does_fences_the_call_under_way_and_is_kept_with_its_reason() {
    let someone = Operator { actor: "usr_staff".into(), reason: "the shelf was counted".into() };
    let mut skipped = parked();
    let epoch = skipped.epoch;
    skipped.intervene(SAGAS, Action::Skip { acknowledged: true }, &someone, at(9)).expect("possible");
    assert_eq!((skipped.status, skipped.steps[1].progress), (Status::Running, Progress::Skipped));
    assert_eq!(skipped.call("ord_1").expect("the next step").name, "cancel_payment");
    assert!(skipped.epoch > epoch && skipped.is_due(at(9)));
    let done = skipped.interventions.last().expect("it is noted");
    assert_eq!((done.action.as_str(), done.step.as_str()), ("SKIP", "release_stock"));
    assert_eq!((done.actor.as_str(), done.reason.as_str(), done.at), ("usr_staff", "the shelf was counted", at(9)));

    let order = authorizing_and_failing();
    let under_way = call_of(&order);
    let back = order.intervene(SAGAS, Action::Compensate, &someone, at(9)).expect("before the pivot");
    assert_eq!(call_of(&back).key, "ord_1/place_order/authorize_payment/undo");
    assert!(!back.saga.expects(&under_way));
}
