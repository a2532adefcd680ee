//! The arithmetic of a quota.

use crate::{
    NoQuota, Quota,
    quota::{Nanos, Taken},
};
use std::time::Duration;

const SECOND: Nanos = 1_000_000_000;
const NOW: Nanos = 1_700_000_000 * SECOND;

fn quota(text: &str) -> Quota {
    text.parse().expect("a quota")
}

#[test]
fn a_quota_is_requests_in_seconds() {
    assert_eq!(quota("300/60"), Quota { requests: 300, window: Duration::from_secs(60) });
    for text in
        ["", "300", "300/", "/60", "0/60", "300/0", "1000001/1", "1/86401", "-1/60", "1.5/60", "300/60s", "1/2/3"]
    {
        assert_eq!(text.parse::<Quota>(), Err(NoQuota), "{text}");
    }
}

#[test]
fn who_has_sent_nothing_may_send_all_at_once_and_no_more() {
    let quota = quota("4/8");
    let mut clear_at = 0;
    for _ in 0..4 {
        clear_at = quota.take(clear_at, NOW, 1).expect("free").clear_at;
    }
    assert_eq!(quota.take(clear_at, NOW, 1), Err(Duration::from_secs(2)));
    assert_eq!(quota.take(clear_at, NOW + SECOND, 1), Err(Duration::from_secs(1)));
    assert_eq!(quota.take(clear_at, NOW + 2 * SECOND, 1).map(|taken| taken.requests), Ok(1));
}

#[test]
fn requests_become_free_one_by_one_over_the_window() {
    let quota = quota("4/8");
    let clear_at = quota.take(0, NOW, 4).expect("free").clear_at;
    let free: Vec<u32> = (0..=8).map(|second| quota.free(clear_at, NOW + second * SECOND)).collect();
    assert_eq!(free, [0, 0, 1, 1, 2, 2, 3, 3, 4]);
}

#[test]
fn a_take_gives_what_is_there() {
    let quota = quota("10/10");
    let clear_at = quota.take(0, NOW, 7).expect("free").clear_at;
    assert_eq!(quota.take(clear_at, NOW, 7), Ok(Taken { requests: 3, clear_at: NOW + 10 * SECOND }));
}

#[test]
fn a_clock_that_is_ahead_locks_nobody_out_for_longer_than_one_request_takes() {
    let quota = quota("4/8");
    assert_eq!(quota.take(NOW + 3600 * SECOND, NOW, 1), Err(Duration::from_secs(2)));
}

#[test]
fn a_portion_grows_while_it_does_not_last_up_to_a_twentieth() {
    let next = |text: &str, last| quota(text).portion(last, true);
    assert_eq!([1, 2, 4, 8, 15].map(|last| next("300/60", last)), [2, 4, 8, 15, 15]);
    assert_eq!([next("1/1", 1), next("39/60", 1), next("1000000/1", 50_000)], [1, 1, 50_000]);
    assert_eq!(quota("300/60").portion(15, false), 1);
}

#[test]
fn a_caller_below_the_quota_is_admitted_whichever_replica_it_meets() {
    let quota = quota("300/60");
    // Ten requests every three seconds, each at the next of three replicas, which share the count.
    let (mut clear_at, mut replicas) = (0, [(0_u32, 0_u32, 0); 3]);
    for (burst, request) in (0..200_u64).flat_map(|burst| (0..10_usize).map(move |request| (burst, request))) {
        let now = NOW + burst * 3 * SECOND;
        let (last, left, until) = &mut replicas[request % 3];
        if *left == 0 || now >= *until {
            let taken = quota.take(clear_at, now, quota.portion(*last, now < *until)).expect("it is below the quota");
            (clear_at, *last, *left) = (taken.clear_at, taken.requests, taken.requests);
            *until = now + quota.keep(taken.requests);
        }
        *left -= 1;
    }
}
