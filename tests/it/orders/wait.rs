//! When a request that waits for its order is answered.

use kit::shop::{draft, product};
use kit::{Client, Stack, StackOptions};
use std::time::{Duration, Instant};

/// Longest wait that a request may ask for.
const WAIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_request_that_waits_is_answered_at_the_outcome_though_shipping_is_away() {
    let stack = Stack::start(StackOptions::without(&["shipping"])).await;
    let product = product(&stack, 1).await;
    let (customer, _) = Client::register(&stack).await;
    for (token, state) in [("tok_declined", "REJECTED"), ("tok_visa", "CONFIRMED")] {
        let began = Instant::now();
        let order = customer.post("/v1/orders?wait=30s", draft(&[(&product, 1)], token)).await.expect(201);
        assert_eq!((&order["state"], &order["shipmentId"]), (&state.into(), &"".into()), "{order}");
        assert!(began.elapsed() < WAIT, "the reply came when the time was up, not at the outcome");
    }
    stack.stop().await;
}
