//! Which events ask for a mail, and what attempts lead to.

use crate::domain::{Email, Ending, MAX_ATTEMPTS, Origin, Outcome, State, TRIED_FOR, Template, later, pause};
use ::store::Time;
use std::time::Duration;

const BORN: Time = Time::from_millis(1_700_000_000_000);

fn tried(attempts: i32) -> Email {
    Email {
        id: "eml_1".to_owned(),
        template: Template::OrderConfirmed,
        event: Origin {
            id: "evt_1".to_owned(),
            service: "orders".to_owned(),
            aggregate_id: "ord_1".to_owned(),
            seq: 2,
        },
        user_id: "usr_1".to_owned(),
        order_id: "ord_1".to_owned(),
        shipment_id: None,
        lines: Vec::new(),
        refund: None,
        state: State::Pending,
        reason: None,
        attempts,
        wake_at: Some(BORN),
        addressed: None,
        is_erased: false,
        created_at: BORN,
        updated_at: BORN,
        sent_at: None,
    }
}

fn after(attempts: i32, outcome: Outcome, seconds: u64) -> Ending {
    tried(attempts).ending(outcome, later(BORN, Duration::from_secs(seconds)))
}

fn refused_for_now() -> Outcome {
    Outcome::Later("SMTP_451".to_owned())
}

#[test]
fn each_template_is_asked_for_by_one_event_and_others_ask_for_none() {
    for template in Template::ALL {
        let (service, aggregate, name) = template.event();
        assert_eq!(Template::of_event(service, aggregate, name), Some(template));
    }
    for (service, aggregate, name) in [
        ("orders", "order", "created"),
        ("orders", "order", "shipped"),
        ("orders", "coupon", "refunded"),
        ("shipping", "order", "delivered"),
    ] {
        assert_eq!(Template::of_event(service, aggregate, name), None, "{service} {aggregate} {name}");
    }
}

#[test]
fn what_was_sent_or_is_not_to_be_sent_is_not_tried_again() {
    let over = |state, reason: Option<&str>| Ending { state, reason: reason.map(str::to_owned), wake_at: None };
    assert_eq!(after(1, Outcome::Sent, 0), over(State::Sent, None));
    assert_eq!(after(1, Outcome::Failed("BOUNCED"), 0), over(State::Failed, Some("BOUNCED")));
    assert_eq!(after(1, Outcome::Suppressed("NOT_WANTED"), 0), over(State::Suppressed, Some("NOT_WANTED")));
}

#[test]
fn pauses_double_from_a_second_to_half_an_hour() {
    let seconds: Vec<u64> = [1, 2, 3, 11, 12, 80, i32::MAX].map(|attempts| pause(attempts).as_secs()).to_vec();
    assert_eq!(seconds, [1, 2, 4, 1024, 1800, 1800, 1800]);
    let again = after(3, refused_for_now(), 10);
    assert_eq!((again.state, again.reason.as_deref()), (State::Pending, Some("SMTP_451")));
    assert_eq!(again.wake_at, Some(later(BORN, Duration::from_secs(14))));
}

#[test]
fn a_mail_is_given_up_after_a_day_or_after_the_last_attempt() {
    let day = TRIED_FOR.as_secs();
    let given_up = Ending { state: State::Failed, reason: Some("GAVE_UP".to_owned()), wake_at: None };
    assert_eq!(after(2, refused_for_now(), day - 1).state, State::Pending);
    assert_eq!(after(2, refused_for_now(), day), given_up);
    assert_eq!(after(MAX_ATTEMPTS - 1, refused_for_now(), 1).state, State::Pending);
    assert_eq!(after(MAX_ATTEMPTS, refused_for_now(), 1), given_up);
    assert_eq!(after(MAX_ATTEMPTS, Outcome::Sent, day).state, State::Sent, "late is not never");
}
