//! What attempts lead to, and which secrets sign.

use crate::domain::{Delivery, Endpoint, Outcome, Secret, State, TRIED_FOR, later, pause};
use ::store::Time;
use std::time::Duration;

const AT: Time = Time::from_millis(1_700_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn endpoint() -> Endpoint {
    Endpoint {
        id: "whe_1".to_owned(),
        slot: 0,
        url: "https://example.com".to_owned(),
        event_types: vec!["order.confirmed".to_owned()],
        secrets: vec![Secret { value: "whsec_1".to_owned(), created_at: AT, until: None }],
        disabled: None,
        failing_since: None,
        created_at: AT,
        certain_from: Some(AT),
    }
}

fn delivery(attempts: i32) -> Delivery {
    Delivery {
        id: "whd_1".to_owned(),
        endpoint_id: "whe_1".to_owned(),
        lane: "whe_1/orders/ord_1".to_owned(),
        event_id: "evt_1".to_owned(),
        event_type: "order.confirmed".to_owned(),
        aggregate_id: "ord_1".to_owned(),
        seq: 1,
        body: String::new(),
        state: State::Pending,
        attempts,
        last_status: None,
        last_error: None,
        wake_at: Some(AT),
        attempts_before: 0,
        is_blocked: false,
        open_until: later(AT, TRIED_FOR),
        created_at: AT,
        updated_at: AT,
        expires_at: later(AT, DAY),
    }
}

#[test]
fn a_failed_attempt_is_followed_by_another_for_a_day_and_each_pause_is_longer() {
    let (state, next) = delivery(1).after(&Outcome::Failed("TIMEOUT"), 0.0, AT);
    assert_eq!((state, next), (State::Pending, Some(later(AT, Duration::from_secs(1)))));
    assert_eq!(delivery(1).after(&Outcome::Taken(204), 0.0, AT), (State::Delivered, None));
    let end = later(AT, TRIED_FOR);
    assert_eq!(delivery(30).after(&Outcome::Refused(500), 0.0, end), (State::Failed, None));
    let seconds: Vec<u64> = [1, 2, 3, 12, 13, 99].map(|attempts| pause(attempts, 0.0).as_secs()).into();
    assert_eq!(seconds, [1, 2, 4, 2048, 3600, 3600]);
    assert_eq!(pause(3, 1.0), Duration::from_secs(5));
}

#[test]
fn an_endpoint_ends_when_it_is_gone_or_has_failed_for_a_day() {
    let failing = Endpoint { failing_since: Some(AT), ..endpoint() };
    assert_eq!(endpoint().ends_by(Some(410), AT), Some("GONE"));
    assert_eq!(endpoint().ends_by(Some(500), AT), None);
    assert_eq!(failing.ends_by(None, later(AT, DAY - Duration::from_secs(1))), None);
    assert_eq!(failing.ends_by(None, later(AT, DAY)), Some("FAILING"));
}

#[test]
fn secrets_sign_until_their_overlap_has_passed_and_three_at_a_time() {
    let hour = Duration::from_secs(3600);
    let rotated = Endpoint { secrets: endpoint().rotated("whsec_2".to_owned(), hour, AT), ..endpoint() };
    assert_eq!(rotated.signing(AT).collect::<Vec<_>>(), ["whsec_2", "whsec_1"]);
    assert_eq!(rotated.signing(later(AT, hour)).collect::<Vec<_>>(), ["whsec_2"]);
    let at_once = Endpoint { secrets: rotated.rotated("whsec_3".to_owned(), Duration::ZERO, AT), ..endpoint() };
    assert_eq!(at_once.signing(AT).collect::<Vec<_>>(), ["whsec_3"]);
    let mut many = endpoint();
    for number in 2..=5 {
        many.secrets = many.rotated(format!("whsec_{number}"), DAY, AT);
    }
    assert_eq!(many.signing(AT).collect::<Vec<_>>(), ["whsec_5", "whsec_4", "whsec_3"]);
}
