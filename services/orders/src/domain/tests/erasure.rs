//! What is left of an order whose user has closed the account.

use super::*;
use crate::domain::{Extent, RefundRequest};
use ::saga::Intervention;

/// An order of these states whose last saga has ended, with reasons in somebody's own words.
fn ended(state: State, shipment_state: ShipmentState) -> Order {
    let mut order = Order { state, shipment_state, reason: "Ada has moved".into(), ..order() };
    order.request_digest = "0123456789abcdef".into();
    order.enter_again("Ada has moved");
    order.cancellation = Some(Cancellation { reason: "Ada has moved".into(), actor: "usr_1".into() });
    (order.saga.status, order.saga.wake_at) = (Status::Completed, None);
    let (action, step, actor, reason) = ("RETRY".into(), String::new(), "usr_staff".into(), "Ada has called".into());
    order.saga.interventions.push(Intervention { action, step, actor, reason, at: at(1) });
    order
}

impl Order {
    /// With a transition for this reason.
    fn enter_again(&mut self, reason: &str) {
        let (from, to) = (None, self.state);
        let (reason, actor) = (reason.to_owned(), "usr_1".to_owned());
        self.history.push(crate::domain::Transition { from, to, reason, actor, at: at(1), trace_id: None });
    }

    fn stored(&self) -> String {
        format!("{:?}", bson::serialize_to_document(self).expect("an order can be stored"))
    }
}

#[test]
fn an_order_to_which_nothing_comes_loses_its_person_and_keeps_what_was_paid() {
    for (state, shipment) in [
        (State::Delivered, ShipmentState::Delivered),
        (State::Rejected, ShipmentState::Unspecified),
        (State::Cancelled, ShipmentState::Cancelled),
        (State::Shipped, ShipmentState::Lost),
        (State::Shipped, ShipmentState::Returned),
    ] {
        let order = ended(state, shipment);
        let erased = order.erased(at(9)).expect("there is a person in it");
        let stored = erased.stored();
        for personal in
            ["Test Customer", "customer@example.com", "rue de la Paix", "Paris", "75002", "Ada", "0123456789abcdef"]
        {
            assert!(!stored.contains(personal), "{state:?}: {personal} is in {stored}");
        }
        assert_eq!((erased.address.country_code.as_str(), erased.updated_at), ("FR", at(9)));
        let shown = |order: &Order| (order.user_id.clone(), order.total.clone(), order.items.clone(), order.state);
        assert_eq!(shown(&erased), shown(&order));
        assert!(erased.is_erased());
        assert_eq!(erased.erased(at(10)), None, "a repeat changes nothing");
    }
}

#[test]
fn an_order_under_way_keeps_its_address_alone_until_it_has_arrived() {
    for (state, shipment) in [
        (State::Pending, ShipmentState::Unspecified),
        (State::Confirmed, ShipmentState::Created),
        (State::Cancelling, ShipmentState::Created),
        (State::Shipped, ShipmentState::Dispatched),
    ] {
        let order = ended(state, shipment);
        let kept = order.erased(at(9)).expect("its user goes at once");
        assert_eq!((kept.address.clone(), kept.is_erased()), (order.address, false), "{state:?}");
        assert!(!kept.stored().contains("customer@example.com") && !kept.stored().contains("Ada"), "{state:?}");
        assert_eq!(kept.erased(at(10)), None, "{state:?}: a repeat changes nothing");
        let arrived = Order { state: State::Delivered, shipment_state: ShipmentState::Delivered, ..kept };
        assert!(arrived.erased(at(11)).expect("now it goes").is_erased());
    }
}

#[test]
fn an_order_keeps_its_address_while_its_saga_may_make_a_shipment() {
    let delivered = ended(State::Delivered, ShipmentState::Delivered);
    for (definition, is_erased) in [(&PLACE_ORDER, false), (&crate::sagas::definitions::REFUND_ORDER, true)] {
        let order = Order { saga: Saga::start(definition, "here", at(0)), ..delivered.clone() };
        assert_eq!(order.erased(at(9)).expect("its user goes").is_erased(), is_erased, "{}", definition.kind);
    }
    let mut newer = delivered;
    newer.saga = Saga::start(&PLACE_ORDER, "here", at(0));
    newer.saga.kind = "ship_by_drone".into();
    assert!(!newer.erased(at(9)).expect("its user goes").is_erased(), "nothing is guessed");
}

#[test]
fn an_erasure_tells_no_event() {
    let order = ended(State::Delivered, ShipmentState::Delivered);
    let erased = order.erased(at(9)).expect("there is a person in it");
    assert_eq!(crate::events::between("ord_1", &order, &erased).len(), 0);
}

#[test]
fn the_reason_of_whoever_cancels_is_no_code_whatever_it_looks_like() {
    for words in ["DUPONT", "0612345678"] {
        let mut order = ended(State::Cancelled, ShipmentState::Cancelled);
        order.reason = words.into();
        order.enter_again(words);
        order.cancellation = Some(Cancellation { reason: words.into(), actor: "usr_1".into() });
        let erased = order.erased(at(9)).expect("there is a person in it");
        assert!(!erased.stored().contains(words), "{}", erased.stored());
        let before = Order { state: State::Cancelling, ..order.clone() };
        let events = crate::events::between("ord_1", &before, &order);
        let tells =
            |text: &str| events.iter().any(|event| event.data.windows(text.len()).any(|it| it == text.as_bytes()));
        assert_eq!((tells("CANCELLED"), tells(words)), (true, false));
    }
    let stopped = Order { reason: "SHIPMENTS_STOPPED".into(), ..ended(State::Cancelled, ShipmentState::Cancelled) };
    assert_eq!(stopped.erased(at(9)).expect("there is a person in it").reason, "SHIPMENTS_STOPPED");
}

#[test]
fn a_refund_and_an_intervention_have_no_words_before_an_erasure_or_after_it() {
    let wish = RefundRequest {
        id: "rfd_1".into(),
        request_id: "key".into(),
        digest: "digest of Ada".into(),
        extent: Extent::Rest,
        reason: "Ada sent it back".into(),
        actor: "usr_staff".into(),
    };
    let refund = |order: &Order| {
        order.refund(SAGAS, wish.clone(), at(8)).expect("it can be refunded").expect("it is a new refund")
    };
    let erase = |order: &Order| order.erased(at(9)).expect("there is a person in it");
    let order = ended(State::Delivered, ShipmentState::Delivered);
    for erased in [erase(&refund(&order)), refund(&erase(&order))] {
        let operator = Operator { actor: "usr_staff".into(), reason: "Ada has called again".into() };
        let retried = erased.intervene(SAGAS, Action::Retry, &operator, at(10)).expect("its saga runs");
        assert!(!retried.stored().contains("Ada"), "{}", retried.stored());
        assert_eq!(retried.refund(SAGAS, wish.clone(), at(11)).expect("it is the same"), None);
    }
}
