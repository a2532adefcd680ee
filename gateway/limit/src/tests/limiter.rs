//! One limit in one process.

use crate::{Limiter, Quota};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;
const NOW: u64 = 1_700_000_000 * SECOND;

fn limiter(quota: &str) -> Limiter {
    Limiter::new("user", quota.parse::<Quota>().expect("a quota"), None)
}

#[tokio::test]
async fn each_caller_has_the_whole_quota() {
    let limiter = limiter("2/60");
    for caller in ["usr_1", "usr_2"] {
        let admitted = [limiter.count_at(caller, NOW).await, limiter.count_at(caller, NOW).await];
        assert_eq!(admitted.map(|decision| (decision.free, decision.refused_for)), [(1, None), (0, None)], "{caller}");
        let refused = limiter.count_at(caller, NOW).await;
        assert_eq!((refused.free, refused.refused_for), (0, Some(Duration::from_secs(30))), "{caller}");
    }
}

#[tokio::test]
async fn who_is_refused_is_admitted_after_the_time_that_was_told() {
    let limiter = limiter("2/60");
    for _ in 0..2 {
        limiter.count_at("usr_1", NOW).await;
    }
    let wait = limiter.count_at("usr_1", NOW).await.refused_for.expect("a refusal");
    let early = limiter.count_at("usr_1", NOW + wait.as_nanos() as u64 - 1).await;
    assert_eq!(early.refused_for, Some(Duration::from_nanos(1)));
    assert_eq!(limiter.count_at("usr_1", NOW + wait.as_nanos() as u64).await.refused_for, None);
}

#[tokio::test]
async fn what_is_refused_is_not_counted() {
    let limiter = limiter("1/10");
    limiter.count_at("usr_1", NOW).await;
    for second in 0..10 {
        assert!(limiter.count_at("usr_1", NOW + second * SECOND).await.refused_for.is_some(), "{second} s");
    }
    assert_eq!(limiter.count_at("usr_1", NOW + 10 * SECOND).await.refused_for, None);
}

#[tokio::test]
async fn callers_without_number_need_bounded_memory() {
    let limiter = limiter("1/3600");
    for caller in 0..70_000 {
        limiter.count_at(&format!("usr_{caller}"), NOW + caller).await;
    }
    assert!(limiter.remembered() <= 65_536, "{}", limiter.remembered());
}
