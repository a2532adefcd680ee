//! Kills at each labelled step of an erasure: nothing is left undone, and nothing is told twice.

use super::{Person, erasure_in, events_of};
use kit::shop::{TIMEOUT, product};
use kit::{Stack, StackOptions};

/// The steps of an erasure.
const STEPS: [&str; 6] = ["erase_users", "erase_email", "erase_baskets", "erase_orders", "erase_shipping", "pause"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_at_each_labelled_step_every_erasure_is_completed_once() {
    let stack = Stack::start(StackOptions::without(&["privacy"])).await;
    let product = product(&stack, 100).await;
    let moments = ["calling", "called", "recorded"];
    let mut labels: Vec<String> =
        STEPS.iter().flat_map(|step| moments.map(|moment| format!("saga.{step}.do.{moment}"))).collect();
    labels.push("consumer.applied".to_owned());
    let mut people = Vec::new();
    for label in &labels {
        let person = Person::register(&stack).await;
        let order = person.order(&product).await;
        let cancel = format!("/v1/orders/{}:cancel", kit::shop::id(&order, "orderId"));
        person.client.post(&cancel, serde_json::json!({ "reason": "changed my mind" })).await.expect(200);
        person.delete().await;
        people.push(person);
        let dying = stack.serve_with("privacy", &[("COMPTOIR_CRASH_AT", label)]);
        dying.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
    }
    let living = stack.serve("privacy");
    for person in &people {
        erasure_in(&stack, &person.user_id, "COMPLETED").await;
        assert_eq!(events_of(&stack, &person.user_id, 2).await, ["started", "completed"]);
        assert_eq!(person.traces(&stack).await, Vec::<String>::new());
    }
    crate::cli::verify::is_clean(&stack).await;
    living.stop(TIMEOUT).await.expect("privacy drains");
    stack.stop().await;
}
