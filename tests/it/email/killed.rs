//! Kills at each labelled step, and a replay of the whole log: each event has its mail, and no mail goes twice but by a kill
//! between the server's answer and its record.

use super::Post;
use crate::{cli::verify::is_clean, order_history::rebuild::event_service};
use anyhow::ensure;
use contracts::events::v1::{GetLagRequest, ReplayEventsRequest};
use kit::eventually;
use kit::shop::TIMEOUT;

/// The steps of a mail, at each of which a process dies.
pub const LABELS: [&str; 7] = [
    "email.writing",
    "email.written",
    "consumer.applied",
    "email.claimed",
    "email.sending",
    "email.delivered",
    "email.ended",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_each_labelled_step_every_mail_is_sent_under_one_message_id() {
    let post = Post::open().await;
    let (customer, user) = post.customer("taken", "en").await;
    let quick = ("COMPTOIR_SMTP_SECONDS", "1");
    for label in LABELS {
        post.order(&customer).await;
        let dying = post.serve(&[quick, ("COMPTOIR_CRASH_AT", label)]);
        dying.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
    }
    let email = post.serve(&[quick]);
    let mails = post.settled(&user, &[("ORDER_CONFIRMED", "SENT", ""); 7]).await;
    let taken = post.taken();
    let mut ids: Vec<String> = mails.iter().map(super::message_id).collect();
    ids.sort_unstable();
    assert_eq!(taken.keys().cloned().collect::<Vec<_>>(), ids);
    // At `email.delivered` a process has died with an answer that it had not recorded; the others may have died with one.
    let repeats = taken.values().sum::<usize>() - taken.len();
    assert!((1..=LABELS.len()).contains(&repeats), "{taken:?}");
    is_clean(&post.stack).await;
    post.close(email).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_of_the_whole_log_sends_no_mail_twice() {
    let post = Post::open().await;
    let email = post.serve(&[]);
    let (customer, user) = post.customer("taken", "en").await;
    let orders = [post.order(&customer).await, post.order(&customer).await];
    for order in &orders {
        let path = format!("/v1/shipments/{}:dispatch", kit::shop::id(order, "shipmentId"));
        post.staff.post(&path, serde_json::json!({})).await.expect(200);
    }
    let wanted = [("ORDER_CONFIRMED", "SENT", ""), ("SHIPMENT_DISPATCHED", "SENT", "")].repeat(2);
    let before = post.settled(&user, &wanted).await;
    let mut operator = event_service(&post.stack, "email").await;
    for source in ["orders", "shipping"] {
        let replay = ReplayEventsRequest { source: source.to_owned(), from_log_sequence: 1 };
        let replayed = operator.replay_events(replay).await.expect("replays").into_inner().replayed;
        assert!(replayed >= 4, "{replayed} of {source}");
    }
    // And as when both consumers are lost: all is delivered from the beginning again.
    email.stop(TIMEOUT).await.expect("email drains");
    let jetstream = async_nats::jetstream::new(post.stack.nats().await);
    for stream in ["EVT_ORDERS", "EVT_SHIPPING"] {
        let stream = jetstream.get_stream(stream).await.expect("it is there");
        stream.delete_consumer("email").await.expect("it was there");
    }
    let email = post.serve(&[]);
    eventually(TIMEOUT, || async {
        let lag = event_service(&post.stack, "email").await.get_lag(GetLagRequest {}).await?.into_inner();
        let is_read = |one: &contracts::events::v1::ConsumerLag| one.pending == 0 && one.unacknowledged == 0;
        ensure!(lag.consumers.len() == 3 && lag.consumers.iter().all(is_read), "{lag:?}");
        Ok(())
    })
    .await;
    assert_eq!(post.mails(&user).await.expect("email answers"), before);
    let taken = post.taken();
    assert!(taken.len() == 4 && taken.values().all(|count| *count == 1), "{taken:?}");
    is_clean(&post.stack).await;
    post.close(email).await;
}
