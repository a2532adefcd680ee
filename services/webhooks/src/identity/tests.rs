//! The same event has the same delivery to an endpoint.

use crate::{domain::later, identity::delivery_id};
use ::store::Time;
use contracts::id::Kind;
use std::time::Duration;

const AT: Time = Time::from_millis(1_700_000_000_000);

#[test]
fn an_event_and_an_endpoint_have_one_identifier_of_the_time_of_the_event() {
    let id = delivery_id("evt_1", "whe_1", AT);
    assert_eq!(id, delivery_id("evt_1", "whe_1", AT));
    assert!(Kind::Delivery.matches(&id), "{id}");
    assert_ne!(id, delivery_id("evt_1", "whe_2", AT));
    assert_ne!(id, delivery_id("evt_2", "whe_1", AT));
    assert!(id < delivery_id("evt_1", "whe_1", later(AT, Duration::from_millis(1))));
}
