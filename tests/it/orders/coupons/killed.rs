//! SIGKILL of orders around the use of a coupon.

use super::{buy, coupon, is_sound, only_order, uses, with_coupon};
use crate::orders::sagas::lost_replies::{orders, stack};
use kit::shop::{TIMEOUT, id, product};
use kit::{Client, Stack};
use serde_json::json;

/// Sends an order to orders, which dies of it; its customer.
async fn order_that_kills(stack: &Stack, product: &str, code: &str, token: &str) -> Client {
    let customer = Client::register(stack).await.0;
    let body = with_coupon(product, code, token);
    let request = customer.request(reqwest::Method::POST, "/v1/orders").json(&body);
    tokio::spawn(async move { drop(request.send().await) });
    customer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_that_are_killed_around_a_redemption_count_it_once_and_give_it_back_once() {
    let stack = stack().await;
    let product = product(&stack, 20).await;
    let mut process = orders(&stack, "").await;
    for (label, token, end, left) in [
        ("saga.redeem_coupon.do.calling", "tok_visa", ("CONFIRMED", ""), 1),
        ("orders.coupon.committing", "tok_visa", ("CONFIRMED", ""), 1),
        ("saga.redeem_coupon.do.called", "tok_visa", ("CONFIRMED", ""), 1),
        ("saga.redeem_coupon.do.recorded", "tok_visa", ("CONFIRMED", ""), 1),
        ("saga.redeem_coupon.undo.called", "tok_declined", ("REJECTED", "CARD_DECLINED"), 0),
        ("orders.coupon.committing:2", "tok_declined", ("REJECTED", "CARD_DECLINED"), 0),
    ] {
        let code = coupon(&stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
        process.stop(TIMEOUT).await.expect("it drains");
        process = orders(&stack, label).await;
        let customer = order_that_kills(&stack, &product, &code, token).await;
        process.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
        process = orders(&stack, "").await;
        only_order(&customer, end.0, end.1).await;
        let count = u64::try_from(left).expect("small");
        assert_eq!(uses(&stack, &code).await, (left, count), "{label}");
    }
    is_sound(&stack).await;
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_killed_while_a_cancellation_gives_the_coupon_back_give_it_back_once() {
    let stack = stack().await;
    let product = product(&stack, 20).await;
    let mut process = orders(&stack, "").await;
    for label in [
        "saga.release_coupon.do.calling",
        "orders.coupon.committing:2",
        "saga.release_coupon.do.called",
        "saga.release_coupon.do.recorded",
    ] {
        let code = coupon(&stack, json!({ "percentage": "10", "maxRedemptions": 1 })).await;
        process.stop(TIMEOUT).await.expect("it drains");
        process = orders(&stack, label).await;
        let customer = Client::register(&stack).await.0;
        let order = buy(&customer, &product, &code, "tok_visa").await.expect(201);
        let path = format!("/v1/orders/{}:cancel", id(&order, "orderId"));
        let request = customer.request(reqwest::Method::POST, &path).json(&json!({}));
        tokio::spawn(async move { drop(request.send().await) });
        process.ended(TIMEOUT).await.unwrap_or_else(|error| panic!("{label}: {error:#}"));
        process = orders(&stack, "").await;
        only_order(&customer, "CANCELLED", "CANCELLED").await;
        assert_eq!(uses(&stack, &code).await, (0, 0), "{label}");
    }
    is_sound(&stack).await;
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_coupon_ends_before_its_use_is_rejected_with_the_reason() {
    let stack = stack().await;
    let product = product(&stack, 20).await;
    let process = orders(&stack, "").await;
    let code = coupon(&stack, json!({ "percentage": "10" })).await;
    process.stop(TIMEOUT).await.expect("it drains");
    let process = orders(&stack, "orders.accepted").await;
    let customer = order_that_kills(&stack, &product, &code, "tok_visa").await;
    process.ended(TIMEOUT).await.expect("it is killed");
    let process = orders(&stack, "").await;
    let staff = Client::staff(&stack).await;
    staff.post(&format!("/v1/coupons/{code}:disable"), json!({})).await.expect(200);
    only_order(&customer, "REJECTED", "COUPON_DISABLED").await;
    assert_eq!(uses(&stack, &code).await, (0, 0));
    is_sound(&stack).await;
    process.stop(TIMEOUT).await.expect("it drains");
    stack.stop().await;
}
