//! Kills at each labelled step, a replay of all logs, and holes in a stream: each event has one entry.

use super::{is_that_of_the_logs, recorded, stored};
use crate::order_history::rebuild::event_service;
use anyhow::ensure;
use contracts::events::v1::{ConsumerLag, GetLagRequest, ReplayEventsRequest};
use kit::shop::{TIMEOUT, place, product};
use kit::{Client, Stack, StackOptions, eventually};

async fn buy(stack: &Stack) {
    let (product, customer) = (product(stack, 5).await, Client::register(stack).await.0);
    place(&customer, &[(&product, 1)], "tok_visa").await;
}

/// Each event of each log has one entry, and there is no other.
async fn has_each_event_once(stack: &Stack) {
    is_that_of_the_logs(stack).await;
    let (logged, counts) = recorded(stack).await;
    assert_eq!(counts.keys().cloned().collect::<Vec<_>>(), logged);
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_each_labelled_step_each_event_has_one_entry() {
    let stack = Stack::start(StackOptions::without(&["audit"])).await;
    let labels = ["audit.append.writing", "audit.append.committing", "audit.append.committed", "consumer.applied"];
    for label in labels {
        buy(&stack).await;
        let dying = stack.serve_with("audit", &[("COMPTOIR_CRASH_AT", label)]);
        dying.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
    }
    let audit = stack.serve("audit");
    has_each_event_once(&stack).await;
    audit.stop(TIMEOUT).await.expect("audit drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_all_logs_adds_no_entry() {
    let stack = Stack::start(StackOptions::without(&["audit"])).await;
    buy(&stack).await;
    let audit = stack.serve("audit");
    has_each_event_once(&stack).await;
    let before = stored(&stack).await;
    let mut operator = event_service(&stack, "audit").await;
    for source in &topology::Topology::get().service["audit"].consumes {
        let replay = ReplayEventsRequest { source: source.clone(), from_log_sequence: 1 };
        operator.replay_events(replay).await.unwrap_or_else(|error| panic!("{source}: {error}"));
    }
    // And as when all consumers are lost: all is delivered from the beginning again.
    audit.stop(TIMEOUT).await.expect("audit drains");
    let jetstream = async_nats::jetstream::new(stack.nats().await);
    let sources = &topology::Topology::get().service["audit"].consumes;
    for source in sources {
        let stream = jetstream.get_stream(topology::stream(source)).await.expect("it is there");
        stream.delete_consumer("audit").await.expect("it was there");
    }
    let audit = stack.serve("audit");
    eventually(TIMEOUT, || async {
        let lag = event_service(&stack, "audit").await.get_lag(GetLagRequest {}).await?.into_inner();
        let is_read = |one: &ConsumerLag| one.pending == 0 && one.unacknowledged == 0;
        ensure!(lag.consumers.len() == sources.len() && lag.consumers.iter().all(is_read), "{lag:?}");
        Ok(())
    })
    .await;
    assert_eq!(stored(&stack).await, before);
    has_each_event_once(&stack).await;
    audit.stop(TIMEOUT).await.expect("audit drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_stream_has_lost_is_recorded_from_the_log() {
    let stack = Stack::start(StackOptions::without(&["audit"])).await;
    buy(&stack).await;
    let jetstream = async_nats::jetstream::new(stack.nats().await);
    // The order's first event is gone, and of its payment all but the last.
    let orders = jetstream.get_stream("EVT_ORDERS").await.expect("it is there");
    orders.delete_message(1).await.expect("the broker answers");
    let mut payments = jetstream.get_stream("EVT_PAYMENTS").await.expect("it is there");
    let last = payments.info().await.expect("the broker answers").state.last_sequence;
    assert!(last > 1, "{last}");
    for sequence in 1..last {
        payments.delete_message(sequence).await.expect("the broker answers");
    }
    let audit = stack.serve("audit");
    has_each_event_once(&stack).await;
    audit.stop(TIMEOUT).await.expect("audit drains");
    stack.stop().await;
}
