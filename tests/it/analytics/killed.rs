//! Kills at each labelled step, and a replay of the whole log: nothing is counted twice, nothing is lost.

use super::{facts, facts_have_caught_up, sell};
use crate::{cli::verify::is_clean, order_history::rebuild::event_service};
use contracts::events::v1::{RebuildProgress, RebuildProjectionRequest, rebuild_progress::Phase};
use kit::shop::{TIMEOUT, place, product};
use kit::{Client, Stack, StackOptions};

/// Builds the facts anew from the log; the last report.
async fn rebuild(stack: &Stack) -> RebuildProgress {
    let mut service = event_service(stack, "analytics").await;
    let mut reports = service.rebuild_projection(RebuildProjectionRequest {}).await.expect("begins").into_inner();
    let mut last = RebuildProgress::default();
    while let Some(report) = reports.message().await.expect("goes on") {
        last = report;
    }
    assert_eq!(last.phase(), Phase::Done, "{last:?}");
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_the_whole_log_makes_the_same_facts() {
    let stack = Stack::start(StackOptions::default()).await;
    sell(&stack).await;
    let before = facts_have_caught_up(&stack).await;
    let done = rebuild(&stack).await;
    assert_eq!(done.old_hash, done.new_hash, "{done:?}");
    assert_eq!(facts(&stack).await.expect("mongod answers"), before);
    let again = rebuild(&stack).await;
    assert_eq!((&again.old_hash, &again.new_hash), (&done.new_hash, &done.new_hash));
    is_clean(&stack).await;
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_each_labelled_step_nothing_is_counted_twice_and_nothing_is_lost() {
    let stack = Stack::start(StackOptions::without(&["analytics"])).await;
    let product = product(&stack, 100).await;
    let customer = Client::register(&stack).await.0;
    let labels =
        ["analytics.writing", "analytics.written", "analytics.written:2", "consumer.applied", "consumer.applied:3"];
    for label in labels {
        for _ in 0..3 {
            place(&customer, &[(&product, 1)], "tok_visa").await;
        }
        let dying = stack.serve_with("analytics", &[("COMPTOIR_CRASH_AT", label)]);
        dying.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
    }
    let calm = stack.serve("analytics");
    let survived = facts_have_caught_up(&stack).await;
    let gross = |fact: &bson::Document| fact.get_array("movements").expect("a list").len();
    assert_eq!((survived.len(), survived.iter().map(gross).sum::<usize>()), (3 * labels.len(), 3 * labels.len()));
    let done = rebuild(&stack).await;
    assert_eq!(done.old_hash, done.new_hash, "{done:?}");
    is_clean(&stack).await;
    calm.stop(TIMEOUT).await.expect("analytics drains");
    stack.stop().await;
}
