//! The order in which `comptoir events tail` prints, with a clock of the test.

use comptoir::events::merge::{Merge, SILENCE_LIMIT};
use contracts::events::v1::Event;
use std::time::{Duration, Instant};

fn event(service: &str, id: &str, seconds: i64) -> Event {
    let time = Some(prost_types::Timestamp { seconds, nanos: 0 });
    Event { service: service.to_owned(), id: id.to_owned(), time, ..Event::default() }
}

/// What may be printed now.
fn printed(merge: &mut Merge, now: Instant) -> Vec<String> {
    std::iter::from_fn(|| merge.pop(now)).map(|event| event.id).collect()
}

#[test]
fn events_of_several_services_come_by_their_time() {
    let now = Instant::now();
    let mut merge = Merge::new(&["orders".to_owned(), "payments".to_owned()], now);
    merge.push(event("orders", "created", 1), now);
    merge.push(event("orders", "confirmed", 3), now);
    assert!(printed(&mut merge, now).is_empty(), "payments may still have an older one");
    merge.push(event("payments", "authorized", 2), now);
    assert_eq!(printed(&mut merge, now), ["created", "authorized"]);
    merge.push(event("payments", "captured", 4), now);
    assert_eq!(printed(&mut merge, now), ["confirmed"]);
}

#[test]
fn a_silent_service_holds_up_the_others_for_the_limit_and_no_longer() {
    let now = Instant::now();
    let mut merge = Merge::new(&["orders".to_owned(), "payments".to_owned()], now);
    merge.push(event("orders", "created", 1), now);
    assert!(printed(&mut merge, now + SILENCE_LIMIT - Duration::from_millis(1)).is_empty());
    assert_eq!(printed(&mut merge, now + SILENCE_LIMIT), ["created"]);
}

#[test]
fn the_order_of_a_service_s_log_counts_more_than_its_times() {
    let now = Instant::now();
    let mut merge = Merge::new(&["orders".to_owned()], now);
    for (id, seconds) in [("first", 5), ("second", 3), ("third", 4)] {
        merge.push(event("orders", id, seconds), now);
    }
    assert_eq!(printed(&mut merge, now), ["first", "second", "third"]);
}
