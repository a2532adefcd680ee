//! The breaker: when it opens, whom it lets pass, when it closes.

mod outcomes;

use rpc::breaker::{
    Breaker,
    Outcome::{self, Lost, Reached, Unknown, Unreachable},
};
use std::{thread, time::Duration};
use tokio::time::advance;

const MOMENT: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn end(breaker: &Breaker, outcome: Outcome) {
    breaker.admit().expect("it passes").end(outcome);
}

fn is_open(breaker: &Breaker) -> bool {
    breaker.admit().is_none()
}

/// An open breaker, whose first probe may go after a second.
fn open() -> Breaker {
    let breaker = Breaker::new("peer", 5);
    (0..5).for_each(|_| end(&breaker, Unreachable));
    breaker
}

#[tokio::test(start_paused = true)]
async fn five_failures_in_a_row_open_it_and_a_success_between_begins_anew() {
    for failure in [Unreachable, Lost] {
        let breaker = Breaker::new("peer", 5);
        for outcome in [failure, failure, failure, failure, Reached, failure, failure, failure, failure] {
            end(&breaker, outcome);
            assert!(!is_open(&breaker), "{failure:?}");
        }
        end(&breaker, failure);
        assert!(is_open(&breaker), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_limit_of_0_it_never_opens() {
    let breaker = Breaker::new("peer", 0);
    (0..100).for_each(|_| end(&breaker, Unreachable));
    assert!(!is_open(&breaker));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_says_nothing_counts_neither_way() {
    let breaker = Breaker::new("peer", 5);
    for _ in 0..4 {
        end(&breaker, Unreachable);
        end(&breaker, Unknown);
        drop(breaker.admit().expect("it is given up"));
    }
    assert!(!is_open(&breaker));
    end(&breaker, Unreachable);
    assert!(is_open(&breaker));
}

#[tokio::test(start_paused = true)]
async fn calls_that_are_lost_with_one_connection_count_once() {
    let breaker = Breaker::new("peer", 5);
    for lost in 1..5 {
        let under_way: Vec<_> = (0..100).filter_map(|_| breaker.admit()).collect();
        under_way.into_iter().for_each(|pass| pass.end(Lost));
        assert!(!is_open(&breaker), "after {lost} connections");
    }
    end(&breaker, Lost);
    assert!(is_open(&breaker));
    // Each that cannot connect has tried by itself.
    let breaker = Breaker::new("peer", 5);
    let under_way: Vec<_> = (0..5).filter_map(|_| breaker.admit()).collect();
    under_way.into_iter().for_each(|pass| pass.end(Unreachable));
    assert!(is_open(&breaker));
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_lets_one_call_a_second_pass_and_stays_open_while_those_fail() {
    let breaker = open();
    for failure in [Unreachable, Lost, Unreachable] {
        advance(SECOND - MOMENT).await;
        assert!(is_open(&breaker));
        advance(MOMENT).await;
        let probe = breaker.admit().expect("a probe a second");
        assert!(is_open(&breaker), "one probe at once");
        probe.end(failure);
        assert!(is_open(&breaker), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_succeeds_closes_it_and_five_failures_open_it_again() {
    let breaker = open();
    advance(SECOND).await;
    end(&breaker, Reached);
    for _ in 0..5 {
        assert!(!is_open(&breaker));
        end(&breaker, Unreachable);
    }
    assert!(is_open(&breaker));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_given_up_or_says_nothing_frees_its_place_at_once() {
    let breaker = open();
    advance(SECOND).await;
    drop(breaker.admit().expect("a probe"));
    end(&breaker, Unknown);
    end(&breaker, Lost);
    assert!(is_open(&breaker), "who has failed keeps the place for the second");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_waits_for_its_reply_is_followed_by_another_after_a_second() {
    let breaker = open();
    advance(SECOND).await;
    let waiting = breaker.admit().expect("a probe");
    advance(SECOND).await;
    let next = breaker.admit().expect("another one");
    drop(waiting);
    assert!(is_open(&breaker), "a place that is another's is not freed");
    next.end(Reached);
    assert!(!is_open(&breaker));
}

#[tokio::test(start_paused = true)]
async fn a_late_reply_from_before_does_not_close_it_and_one_of_somebody_else_does() {
    let breaker = Breaker::new("peer", 5);
    let early = breaker.admit().expect("it is closed");
    (0..5).for_each(|_| end(&breaker, Unreachable));
    early.end(Reached);
    assert!(is_open(&breaker));
    breaker.reached();
    assert!(!is_open(&breaker));
}

#[test]
fn of_calls_at_the_same_time_one_is_the_probe() {
    let breaker = open();
    thread::sleep(SECOND);
    let admitted = thread::scope(|scope| {
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(|| breaker.admit().map(std::mem::forget).is_some())).collect();
        calls.into_iter().filter_map(|call| call.join().ok()).filter(|is_admitted| *is_admitted).count()
    });
    assert_eq!(admitted, 1);
}
