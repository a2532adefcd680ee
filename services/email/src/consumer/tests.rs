//! Which events become mails, and of what they are.

use crate::{
    consumer::email,
    domain::{Email, Line, STALE_AFTER, State, Template, later},
};
use ::events::Event;
use ::store::Time;
use contracts::{
    google::r#type::Money,
    orders::v1::{OrderChanged, OrderRefunded, order},
    shipping::v1::{ShipmentChanged, ShipmentLine},
};
use prost::{Message, Name};

const AT: Time = Time::from_millis(1_700_000_000_000);

fn event<M: Message + Name>((service, aggregate, name): (&str, &str, &str), message: &M) -> Event {
    Event {
        id: "evt_1".to_owned(),
        service: service.to_owned(),
        aggregate: aggregate.to_owned(),
        aggregate_id: "ord_1".to_owned(),
        seq: 2,
        log_sequence: 7,
        r#type: M::full_name(),
        name: name.to_owned(),
        at: AT,
        trace: None,
        actor: None,
        data: message.encode_to_vec().into(),
    }
}

fn confirmed(from: order::State) -> Event {
    let to = order::State::Confirmed.into();
    let (order_id, user_id) = ("ord_1".to_owned(), "usr_1".to_owned());
    let message = OrderChanged { order_id, user_id, from: from.into(), to, ..OrderChanged::default() };
    event(Template::OrderConfirmed.event(), &message)
}

fn asked(event: &Event) -> Option<Email> {
    email(event, AT).expect("it is well-formed")
}

#[test]
fn an_order_that_could_not_be_cancelled_is_not_confirmed_again() {
    let first = asked(&confirmed(order::State::Pending)).expect("it asks for a mail");
    assert_eq!((first.template, first.state, first.wake_at), (Template::OrderConfirmed, State::Pending, Some(AT)));
    assert_eq!((&*first.user_id, &*first.order_id), ("usr_1", "ord_1"));
    assert_eq!(asked(&confirmed(order::State::Cancelling)), None);
}

#[test]
fn what_is_old_when_it_is_heard_of_is_told_to_nobody() {
    let late = email(&confirmed(order::State::Pending), later(AT, STALE_AFTER)).expect("well-formed").expect("a mail");
    assert_eq!((late.state, late.reason.as_deref(), late.wake_at), (State::Suppressed, Some("STALE"), None));
}

#[test]
fn a_refund_has_its_amount_and_a_shipment_its_lines() {
    let amount = Some(Money { currency_code: "EUR".to_owned(), units: 5, nanos: 10_000_000 });
    let refund = OrderRefunded { order_id: "ord_1".to_owned(), amount, ..OrderRefunded::default() };
    let mail = asked(&event(Template::OrderRefunded.event(), &refund)).expect("a mail");
    assert_eq!(mail.refund.map(|refund| refund.0.to_string()), Some("5.01 EUR".to_owned()));
    let lines = vec![ShipmentLine { product_id: "prd_1".to_owned(), quantity: 2 }];
    let shipment = ShipmentChanged { shipment_id: "shp_1".to_owned(), lines, ..ShipmentChanged::default() };
    let mail = asked(&event(Template::ShipmentDispatched.event(), &shipment)).expect("a mail");
    assert_eq!(mail.shipment_id.as_deref(), Some("shp_1"));
    assert_eq!(mail.lines, [Line { product_id: "prd_1".to_owned(), quantity: 2 }]);
}

#[test]
fn an_event_without_its_message_or_amount_is_no_mail_but_an_error() {
    let mut foreign = confirmed(order::State::Pending);
    foreign.r#type = "comptoir.orders.v1.OrderCreated".to_owned();
    assert!(email(&foreign, AT).is_err());
    assert!(email(&event(Template::OrderRefunded.event(), &OrderRefunded::default()), AT).is_err());
}
