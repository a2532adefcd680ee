//! The runner on a paused clock: dead peers, definitions that change, compensations that fail for an hour and for ever.

use super::fake_cluster::{FakeCluster, LATER, Replica, Step, step};
use saga::{A_DAY, Outcome, Progress, RetryPolicy, Runner, Saga, Status, StepSpec};
use std::{sync::Arc, sync::atomic::Ordering, time::Duration};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

type Definition = saga::Definition<Step>;
type Registry = saga::Registry<Step>;

const fn definition(kind: &'static str, version: i32, steps: &'static [StepSpec<Step>]) -> Definition {
    let deadline = Duration::from_secs(7 * 24 * 3600);
    Definition { kind, version, steps, starts_past_pivot: true, deadline, after_pivot: A_DAY, alarm_after: 15 }
}

const SLOW: Definition = definition("slow", 1, &[step("first", "slow"), step("second", "quick")]);
const QUICK: Definition = definition("quick", 1, &[step("only", "quick")]);
const BOTH: &Registry = &saga::Registry(&[&SLOW, &QUICK]);

const OLD: Definition = definition("thing", 1, &[step("ask", "slow"), step("old_end", "quick")]);
const NEW: Definition = definition("thing", 2, &[step("new_begin", "quick"), step("ask", "slow")]);
const BEFORE: &Registry = &saga::Registry(&[&OLD]);
const AFTER: &Registry = &saga::Registry(&[&OLD, &NEW]);

/// A running replica; it stops when dropped.
struct Running {
    runner: Runner<Replica>,
    stop: CancellationToken,
}

impl Running {
    fn start(cluster: &Arc<FakeCluster>, registry: &'static Registry, owner: &str) -> Self {
        let stop = CancellationToken::new();
        let replica = Replica { cluster: cluster.clone(), registry };
        let runner = Runner::new(replica.clone(), replica, owner, stop.clone());
        tokio::spawn(runner.clone().run());
        Self { runner, stop }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits on the paused clock; panics when `limit` has passed on it.
async fn until(limit: Duration, what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Sagas whose runner is gone: due at once.
fn orphans(cluster: &FakeCluster, definition: &Definition, count: usize) {
    for number in 0..count {
        let mut saga = Saga::start(definition, "gone", cluster.now());
        saga.wake(cluster.now());
        cluster.put(format!("{}-{number:05}", definition.kind), saga);
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_due_at_once_with_one_peer_down_hold_up_nobody_else() {
    let cluster = FakeCluster::new("slow");
    orphans(&cluster, &SLOW, 10_000);
    sleep(Duration::from_millis(10)).await; // the others are due later than all of those
    orphans(&cluster, &QUICK, 200);
    let replicas = [Running::start(&cluster, BOTH, "one"), Running::start(&cluster, BOTH, "two")];
    until(Duration::from_secs(3), "the other peer's sagas end", || cluster.count(Status::Completed) == 200).await;
    sleep(Duration::from_secs(60)).await; // the outage
    let most = cluster.most_running.load(Ordering::Relaxed);
    assert!(most <= 2 * 128, "{most} calls at once to a peer that is down");
    cluster.heal();
    until(Duration::from_secs(60), "all end after healing", || cluster.count(Status::Completed) == 10_200).await;
    drop(replicas);
}

const UNSURE: Definition = definition("unsure", 1, &[step("ask", "unsure")]);
const DOUBTS: &Registry = &saga::Registry(&[&UNSURE]);

#[tokio::test(start_paused = true)]
async fn a_peer_that_cannot_tell_yet_is_not_taken_for_one_that_is_down() {
    let cluster = FakeCluster::new("nobody");
    orphans(&cluster, &UNSURE, 500);
    let replica = Running::start(&cluster, DOUBTS, "here");
    let is_asked = |saga: &Saga| saga.steps[0].failures > 0;
    until(Duration::from_secs(3), "each is asked for", || cluster.with(is_asked).len() == 500).await;
    let asked = cluster.with(|_| true).remove(0).saga;
    assert_eq!(asked.steps[0].error.as_deref(), Some("nobody knows yet"), "it is a failed attempt all the same");
    drop(replica);
}

const PATIENT: Definition = definition("patient", 1, &[step("wait", "patient"), step("end", "quick")]);
const PATIENCE: &Registry = &saga::Registry(&[&PATIENT]);

#[tokio::test(start_paused = true)]
async fn a_call_for_later_is_made_at_its_time_however_late_and_nothing_is_given_up_for_it() {
    let cluster = FakeCluster::new("nobody");
    orphans(&cluster, &PATIENT, 1);
    let replica = Running::start(&cluster, PATIENCE, "here");
    let waits = |saga: &Saga| saga.wake_at == Some(LATER);
    until(Duration::from_secs(3), "it waits", || cluster.with(waits).len() == 1).await;
    let waiting = cluster.with(|_| true).remove(0).saga;
    sleep(Duration::from_secs(47 * 3600)).await; // a day more than a call is repeated for
    assert_eq!(cluster.with(|_| true).remove(0).saga, waiting, "nobody has looked at it");
    assert_eq!((waiting.steps[0].failures, waiting.alarm_at), (0, None));
    until(Duration::from_secs(3600), "its time comes", || cluster.now() >= LATER).await;
    until(Duration::from_secs(10), "it ends", || cluster.count(Status::Completed) == 1).await;
    drop(replica);
}

#[tokio::test(start_paused = true)]
async fn two_replicas_share_what_is_due() {
    let cluster = FakeCluster::new("nobody");
    orphans(&cluster, &QUICK, 5_000);
    let replicas = [Running::start(&cluster, BOTH, "one"), Running::start(&cluster, BOTH, "two")];
    until(Duration::from_secs(30), "all end", || cluster.count(Status::Completed) == 5_000).await;
    for owner in ["one", "two"] {
        let moved = cluster.with(|saga| saga.owner == owner).len();
        assert!(moved > 500, "{owner} moved only {moved} of 5,000");
    }
    drop(replicas);
}

#[tokio::test(start_paused = true)]
async fn five_hundred_live_sagas_keep_their_version_through_a_rolling_change() {
    let cluster = FakeCluster::new("slow");
    let old = Running::start(&cluster, BEFORE, "old");
    for number in 0..500 {
        let saga = Saga::start(&OLD, old.runner.owner(), cluster.now());
        old.runner.spawn(cluster.put(format!("old-{number}"), saga));
    }
    // A replica of the new build has started these, and has died.
    orphans(&cluster, &NEW, 500);
    sleep(Duration::from_secs(60)).await;
    let untouched = cluster.with(|saga| saga.version == 2 && saga.owner == "gone" && saga.epoch == 1);
    assert_eq!(untouched.len(), 500, "the old build leaves alone what it does not know");
    assert_eq!(cluster.count(Status::Parked), 0);
    let new = Running::start(&cluster, AFTER, "new");
    drop(old);
    cluster.heal();
    until(Duration::from_secs(120), "all end", || cluster.count(Status::Completed) == 1_000).await;
    for item in cluster.with(|_| true) {
        let names: Vec<&str> = item.saga.steps.iter().map(|step| step.name.as_str()).collect();
        let expected = if item.id.starts_with("old") { ["ask", "old_end"] } else { ["new_begin", "ask"] };
        assert_eq!(names, expected, "{}", item.id);
        assert!(item.saga.steps.iter().all(|step| step.progress == Progress::Done), "{item:?}");
    }
    drop(new);
}

#[tokio::test(start_paused = true)]
async fn a_saga_of_an_unknown_version_is_left_alone_for_five_minutes_and_then_parked() {
    let cluster = FakeCluster::new("nobody");
    orphans(&cluster, &NEW, 1);
    let before = cluster.with(|_| true);
    let _old = Running::start(&cluster, BEFORE, "old");
    sleep(Duration::from_secs(290)).await;
    assert_eq!(cluster.with(|_| true)[0].saga, before[0].saga, "somebody else may know it");
    until(Duration::from_secs(60), "it is parked", || cluster.count(Status::Parked) == 1).await;
    let parked = cluster.with(|_| true).remove(0).saga;
    assert!(parked.parked.is_some_and(|reason| reason.contains("thing version 2")), "the reason names it");
    assert!(parked.steps.iter().all(|step| step.progress != Progress::Done), "nothing was guessed");
}

const TWO_WAYS: Definition = Definition {
    starts_past_pivot: false,
    ..definition("two_ways", 1, &[step("take", "slow").compensable(), step("refuse", "quick").rejectable().pivot()])
};
const UNDOING: &Registry = &saga::Registry(&[&TWO_WAYS]);

/// A saga that is about to undo its first step.
fn going_back(cluster: &FakeCluster, owner: &str) -> Saga {
    let mut saga = Saga::start(&TWO_WAYS, owner, cluster.now());
    for outcome in [Outcome::Done, Outcome::Rejected("NO".into())] {
        let call = saga.call("it").expect("a call");
        assert!(saga.record(UNDOING, &call, outcome, cluster.now(), 0.5));
    }
    assert_eq!(saga.status, Status::Compensating);
    saga
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_fails_for_an_hour_is_an_alarm_and_done_once_the_peer_is_back() {
    let cluster = FakeCluster::new("slow");
    let replica = Running::start(&cluster, UNDOING, "here");
    replica.runner.spawn(cluster.put("it".into(), going_back(&cluster, "here")));
    sleep(Duration::from_secs(3600)).await;
    let saga = cluster.with(|_| true).remove(0).saga;
    assert_eq!((saga.status, saga.alarm_at.is_some()), (Status::Compensating, true), "{saga:?}");
    assert!(saga.steps[0].undo_attempts > 60, "{:?}", saga.steps[0]);
    cluster.heal();
    until(Duration::from_secs(60), "it is undone", || cluster.count(Status::Compensated) == 1).await;
    let saga = cluster.with(|_| true).remove(0).saga;
    assert_eq!((saga.steps[0].progress, saga.alarm_at), (Progress::Compensated, None));
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_fails_for_ever_is_parked_after_a_day_and_never_skipped() {
    let cluster = FakeCluster::new("slow");
    let replica = Running::start(&cluster, UNDOING, "here");
    replica.runner.spawn(cluster.put("it".into(), going_back(&cluster, "here")));
    sleep(Duration::from_secs(23 * 3600)).await;
    assert_eq!(cluster.count(Status::Compensating), 1, "not given up before its time");
    until(Duration::from_secs(2 * 3600), "it is parked", || cluster.count(Status::Parked) == 1).await;
    let saga = cluster.with(|_| true).remove(0).saga;
    assert_eq!(saga.steps[0].progress, Progress::Done, "its effect still stands");
    assert!(saga.parked.as_deref().is_some_and(|reason| reason.contains("no answer")), "{saga:?}");
    assert!(saga.alarm_at.is_some() && saga.wake_at.is_none());
}

const IMPATIENT: RetryPolicy =
    RetryPolicy { attempt_timeout: Duration::from_secs(2), max_attempts: 4, total_timeout: Duration::from_secs(3600) };
const BRIEF: RetryPolicy = RetryPolicy { total_timeout: Duration::from_secs(20), max_attempts: 10_000, ..IMPATIENT };
const COUNTED: Definition = Definition {
    starts_past_pivot: false,
    ..definition("counted", 1, &[step("ask", "slow").retried(IMPATIENT), step("go", "quick").pivot()])
};
const TIMED: Definition = Definition {
    starts_past_pivot: false,
    ..definition("timed", 1, &[step("ask", "slow").retried(BRIEF), step("go", "quick").pivot()])
};
const BOUNDED: &Registry = &saga::Registry(&[&COUNTED, &TIMED]);

#[tokio::test(start_paused = true)]
async fn a_step_before_the_pivot_is_given_up_after_its_own_attempts_or_time() {
    let cluster = FakeCluster::new("slow");
    let replica = Running::start(&cluster, BOUNDED, "here");
    for definition in [&COUNTED, &TIMED] {
        let saga = Saga::start(definition, "here", cluster.now());
        replica.runner.spawn(cluster.put(definition.kind.into(), saga));
    }
    until(Duration::from_secs(120), "both go back", || cluster.count(Status::Compensated) == 2).await;
    for item in cluster.with(|_| true) {
        assert_eq!(item.saga.reason.as_deref(), Some("DEADLINE_EXCEEDED"));
        assert_eq!(item.saga.steps[0].error.as_deref(), Some("no answer within 2s"), "the attempt's own deadline");
        assert!(item.id != "counted" || item.saga.steps[0].attempts == 4, "{:?}", item.saga.steps[0]);
    }
}
