//! What comes late: the approval of a payment whose order has ended, and a saga of a build that is gone.

use super::*;

/// An order that was rejected while payments did not know whether it is paid.
fn rejected(payment_state: PaymentState) -> Order {
    let mut order = Order { state: State::Rejected, payment_state, ..order() };
    (order.saga.status, order.saga.wake_at) = (Status::Compensated, None);
    order
}

#[test]
fn an_approval_after_the_order_has_ended_is_undone_by_a_saga_of_its_own() {
    let order = rejected(PaymentState::Unknown);
    let late = order.payment_decided(SAGAS, PaymentState::Authorized, at(5)).expect("there is money to give back");
    let call = late.saga.call("ord_1").expect("a call");
    assert_eq!(call.key, "ord_1/cancel_late_payment/cancel_payment/do");
    assert!(late.saga.epoch > order.saga.epoch && late.saga.is_due(at(5)));
    assert!(late.saga.is_past_pivot(SAGAS), "it is repeated until it works");
    assert_eq!(late.state, State::Rejected);
    let again = late.payment_decided(SAGAS, PaymentState::Authorized, at(6));
    assert_eq!(again, None, "the event that comes again finds the saga at work");
}

#[test]
fn an_approval_of_a_payment_that_is_known_to_be_undone_changes_nothing() {
    for state in [PaymentState::Voided, PaymentState::Refunded] {
        assert_eq!(rejected(state).payment_decided(SAGAS, PaymentState::Authorized, at(5)), None, "{state:?}");
    }
    assert_eq!(rejected(PaymentState::Unknown).payment_decided(SAGAS, PaymentState::Declined, at(5)), None);
}

#[test]
fn a_stored_step_that_is_not_known_parks_the_saga_at_its_claim() {
    let mut saga = Saga::start(&PLACE_ORDER, "gone", at(0));
    saga.steps[3].name = "plan_shipment".into();
    assert_eq!(saga.definition(SAGAS), None);
    saga.claim(SAGAS, "here", at(20_000));
    assert_eq!((saga.status, saga.call("ord_1")), (Status::Parked, None));
    assert!(saga.parked.is_some_and(|reason| reason.contains("place_order version 2")), "the reason names it");
}
